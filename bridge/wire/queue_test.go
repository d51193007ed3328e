//go:build unix

package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// noRaw hides the syscall.RawConn of a writer.
type noRaw struct{ io.WriteCloser }

// queues are the two kinds of Queue.
var queues = map[string]func(io.WriteCloser) *Queue{
	"trying":  func(w io.WriteCloser) *Queue { return NewQueue(w) },
	"waiting": func(w io.WriteCloser) *Queue { return NewQueue(noRaw{w}) },
}

// eachQueue runs test with each kind of Queue into a pipe.
func eachQueue(t *testing.T, test func(t *testing.T, q *Queue, r *os.File)) {
	for name, newQueue := range queues {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.SetDeadline(time.Now().Add(wspipetest.Patience))
			q := newQueue(w)
			t.Cleanup(func() {
				q.Close()
				r.Close()
			})
			test(t, q, r)
		})
	}
}

func TestQueueDeliversAllInOrder(t *testing.T) {
	t.Parallel()
	eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
		var sent []byte
		for i := range 3000 {
			p := bytes.Repeat([]byte(fmt.Sprintf("%04d", i)), 1+i%500)
			sent = append(sent, p...)
			if i%10 == 0 {
				q.Hold()
			}
			if n, err := q.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			if i%10 == 5 {
				q.Release()
			}
		}
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("the bytes read are not those sent: %v", err)
		}
		if err := q.Wait(0); err != nil || q.Waiting() != 0 || len(q.waiting) != 0 {
			t.Errorf("%d bytes queued in %d blocks: %v", q.Waiting(), len(q.waiting), err)
		}
	})
}

// packets returns a Queue to a seqpacket socket, and a function that returns the
// bytes of the next write.
func packets(t *testing.T) (*Queue, func() string) {
	near, far := wspipetest.ConnPair(t, "unixpacket")
	return NewQueue(near), func() string {
		t.Helper()
		p := make([]byte, 1<<20)
		n, err := far.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		return string(p[:n])
	}
}

func TestQueueReleaseWritesOnce(t *testing.T) {
	t.Parallel()
	q, packet := packets(t)
	q.Write([]byte("alone"))
	q.Hold()
	var want []byte
	for i := range 1000 {
		want = fmt.Appendf(want, "%d ", i)
		q.Write(fmt.Appendf(nil, "%d ", i))
	}
	if q.Waiting() != len(want) {
		t.Errorf("%d bytes queued, want all %d", q.Waiting(), len(want))
	}
	q.Release()
	q.Hold()
	q.Release()
	q.Write([]byte("last"))
	for _, want := range []string{"alone", string(want), "last"} {
		if got := packet(); got != want {
			t.Errorf("one write has %.20q (%d bytes), want %.20q (%d bytes)", got, len(got), want, len(want))
		}
	}
	if q.Waiting() != 0 || len(q.waiting) != 0 {
		t.Error("bytes are still queued")
	}
}

// The kernel accepts a part; the goroutine writes the rest.
func TestQueuePartialWrites(t *testing.T) {
	t.Parallel()
	for name, held := range map[string]bool{"write": false, "release": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			q := NewQueue(w)
			sent := bytes.Repeat([]byte("0123456789abcde"), 10000)
			if held {
				q.Hold()
			}
			q.Write(sent)
			if held {
				q.Release()
			}
			// The kernel accepts what a pipe holds (pipe(7)), which is not all.
			if n := q.Waiting(); n <= 0 || n >= len(sent) {
				t.Fatalf("%d of %d bytes queued", n, len(sent))
			}
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("the bytes read are not those sent: %v", err)
			}
			q.Close()
		})
	}
}

func TestQueueWait(t *testing.T) {
	t.Parallel()
	eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
		q.Write(make([]byte, 1<<20))
		const limit = 100 << 10
		const most = 1<<20 - limit + maxWrite
		waited := make(chan error)
		go func() { waited <- q.Wait(limit) }() // ends when r has been read
		select {
		case <-waited:
			t.Error("Wait did not wait")
		default:
		}
		io.CopyN(io.Discard, r, most)
		if err := wspipetest.Wait(t, "Wait", waited); err != nil {
			t.Error(err)
		}
		if n := q.Waiting(); n > limit {
			t.Errorf("%d bytes queued", n)
		}
		io.CopyN(io.Discard, r, 1<<20-most)
		if err := q.Wait(0); err != nil {
			t.Error(err)
		}
	})
}

func TestQueueDrain(t *testing.T) {
	t.Parallel()
	eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
		q.Drain(0)
		q.Drain(-1)
		q.Write(make([]byte, 1<<20))
		q.Drain(0)
		q.Drain(10 * time.Millisecond)
		if q.Waiting() == 0 {
			t.Error("nothing is queued after Drain has timed out")
		}
		drained := make(chan bool)
		for _, d := range []time.Duration{-1, time.Hour} {
			go func() { // ends when r has been read
				q.Drain(d)
				drained <- q.Waiting() == 0
			}()
		}
		io.CopyN(io.Discard, r, 1<<20)
		for range 2 {
			if !wspipetest.Wait(t, "Drain", drained) {
				t.Error("bytes are queued after Drain")
			}
		}
	})
}

func TestQueueFailAndCloseUnblock(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for name, end := range map[string]func(*Queue) error{
		"Fail":  func(q *Queue) error { q.Fail(cause); return cause },
		"Close": func(q *Queue) error { q.Close(); return net.ErrClosed },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachQueue(t, func(t *testing.T, q *Queue, _ *os.File) {
				q.Write(make([]byte, 1<<20))
				waited, drained := make(chan error), make(chan bool)
				go func() { waited <- q.Wait(0) }()            // ends with end
				go func() { q.Drain(-1); drained <- true }()   // ends with end
				go func() { q.Drain(1e15); drained <- true }() // ends with end
				want := end(q)
				if err := wspipetest.Wait(t, "Wait", waited); err != want {
					t.Errorf("Wait: %v", err)
				}
				wspipetest.Wait(t, "Drain", drained)
				wspipetest.Wait(t, "Drain", drained)
				if n, err := q.Write([]byte("x")); n != 0 || err != want {
					t.Errorf("Write: %d, %v", n, err)
				}
				if q.Waiting() != 0 {
					t.Error("bytes are queued")
				}
				q.Close()
				if q.writing {
					t.Error("the goroutine still runs after Close")
				}
			})
		})
	}
}

// The reader is a child that has closed its stdin, or a client that has disconnected, before or after the write.
func TestQueueAfterTheFarEndIsClosed(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 1 << 20} { // the latter is more than the pipe holds
		for _, hold := range []bool{false, true} {
			eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
				if size == 1 {
					r.Close()
				}
				if hold {
					q.Hold()
				}
				q.Write(make([]byte, size))
				if hold {
					q.Release()
				}
				waited := make(chan error)
				go func() { waited <- q.Wait(0) }() // ends when r is closed
				r.Close()
				if err := wspipetest.Wait(t, "Wait", waited); err == nil {
					t.Error("Wait: no error")
				}
				if _, err := q.Write([]byte("x")); err == nil {
					t.Error("Write: no error")
				}
				if err := q.Wait(0); err == nil {
					t.Error("second Wait: no error")
				}
			})
		}
	}
}

// Each goroutine's writes stay whole and in order.
func TestQueueConcurrentWriters(t *testing.T) {
	t.Parallel()
	eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
		const writers, each = 8, 2000
		var writing sync.WaitGroup
		for i := range writers {
			writing.Go(func() {
				for j := range each {
					if i == 0 {
						q.Hold()
					}
					q.Write(binary.BigEndian.AppendUint32(nil, uint32(i<<16|j)))
					if i == 0 {
						q.Release()
						q.Wait(1000)
					}
				}
			})
		}
		got := make([]byte, 4*writers*each)
		if _, err := io.ReadFull(r, got); err != nil {
			t.Fatal(err)
		}
		writing.Wait()
		var next [writers]int
		for record := range slices.Chunk(got, 4) {
			n := binary.BigEndian.Uint32(record)
			i, j := int(n>>16), int(n&0xffff)
			if i >= writers || j != next[i] {
				t.Fatalf("record %d of writer %d, want %d", j, i, next[min(i, writers-1)])
			}
			next[i]++
		}
	})
}

// Queued bytes are copied into blocks, which are freed once they are written.
func TestQueueBacklogTakesItsSizeInBlocks(t *testing.T) {
	t.Parallel()
	eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
		const size = 1 << 20
		p := make([]byte, 1000)
		for range size / len(p) {
			q.Write(p)
		}
		q.mu.Lock()
		n := len(q.waiting)
		q.mu.Unlock()
		if n > size/BlockSize+1 {
			t.Errorf("%d blocks for %d bytes", n, size)
		}
		io.CopyN(io.Discard, r, size/1000*1000)
		q.Wait(0)
		if len(q.waiting) != 0 {
			t.Errorf("%d blocks for nothing", len(q.waiting))
		}
	})
}

// stuck is a writer whose Write is not unblocked by Close.
type stuck struct{ writing, release chan bool }

func (w stuck) Write(p []byte) (int, error) {
	w.writing <- true
	<-w.release
	return len(p), nil
}

func (w stuck) Close() error { return nil }

func TestQueueCloseWaitsForTheWriter(t *testing.T) {
	t.Parallel()
	w := stuck{make(chan bool), make(chan bool)}
	q := NewQueue(w)
	q.Write([]byte("x"))
	wspipetest.Wait(t, "the write", w.writing)
	closed := make(chan bool)
	go func() { // ends when the write has
		q.Close()
		closed <- q.writing
	}()
	q.Wait(0) // fails as Close begins
	select {
	case <-closed:
		t.Error("Close did not wait")
	case w.release <- true:
		if wspipetest.Wait(t, "Close", closed) {
			t.Error("the goroutine still runs after Close")
		}
	}
}
