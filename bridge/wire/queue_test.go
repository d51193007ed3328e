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

// noRaw hides that a connection has a kernel buffer that can be tried.
type noRaw struct{ io.WriteCloser }

// flows are the two kinds of Queue, each into a full-size pipe.
var flows = map[string]func(io.WriteCloser) *Queue{
	"trying":  func(w io.WriteCloser) *Queue { return NewQueue(w) },
	"waiting": func(w io.WriteCloser) *Queue { return NewQueue(noRaw{w}) },
}

// eachFlow runs test with each kind of Queue into a pipe.
func eachFlow(t *testing.T, test func(t *testing.T, o *Queue, r *os.File)) {
	for name, newFlow := range flows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.SetDeadline(time.Now().Add(wspipetest.Patience))
			o := newFlow(w)
			t.Cleanup(func() {
				o.Close()
				r.Close()
			})
			test(t, o, r)
		})
	}
}

func TestOutflowDeliversAllInOrder(t *testing.T) {
	t.Parallel()
	eachFlow(t, func(t *testing.T, o *Queue, r *os.File) {
		var sent []byte
		for i := range 3000 {
			p := bytes.Repeat([]byte(fmt.Sprintf("%04d", i)), 1+i%500)
			sent = append(sent, p...)
			if i%10 == 0 {
				o.Hold()
			}
			if n, err := o.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			if i%10 == 5 {
				o.Release()
			}
		}
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("not what was sent: %v", err)
		}
		if err := o.Wait(0); err != nil || o.Waiting() != 0 || len(o.waiting) != 0 {
			t.Errorf("%d bytes wait in %d blocks: %v", o.Waiting(), len(o.waiting), err)
		}
	})
}

// Each packet of a seqpacket socket is one write.
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

func TestOutflowHoldGathersToOneWrite(t *testing.T) {
	t.Parallel()
	o, packet := packets(t)
	o.Write([]byte("alone"))
	o.Hold()
	var want []byte
	for i := range 1000 {
		want = fmt.Appendf(want, "%d ", i)
		o.Write(fmt.Appendf(nil, "%d ", i))
	}
	if o.Waiting() != len(want) {
		t.Errorf("%d bytes wait, want all %d", o.Waiting(), len(want))
	}
	o.Release()
	o.Hold()
	o.Release()
	o.Write([]byte("last"))
	for _, want := range []string{"alone", string(want), "last"} {
		if got := packet(); got != want {
			t.Errorf("one write took %.20q (%d bytes), want %.20q (%d bytes)", got, len(got), want, len(want))
		}
	}
	if o.Waiting() != 0 || len(o.waiting) != 0 {
		t.Error("something still waits")
	}
}

// The kernel takes a part, the goroutine writes the rest.
func TestOutflowPartialWrites(t *testing.T) {
	t.Parallel()
	for name, held := range map[string]bool{"write": false, "release": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			o := NewQueue(w)
			sent := bytes.Repeat([]byte("0123456789abcde"), 10000)
			if held {
				o.Hold()
			}
			o.Write(sent)
			if held {
				o.Release()
			}
			// The kernel takes what a pipe holds (pipe(7)), which is not all.
			if n := o.Waiting(); n <= 0 || n >= len(sent) {
				t.Fatalf("%d of %d bytes wait", n, len(sent))
			}
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("not what was sent: %v", err)
			}
			o.Close()
		})
	}
}

func TestOutflowWait(t *testing.T) {
	t.Parallel()
	eachFlow(t, func(t *testing.T, o *Queue, r *os.File) {
		o.Write(make([]byte, 1<<20))
		const limit = 100 << 10
		const most = 1<<20 - limit + maxWrite
		waited := make(chan error)
		go func() { waited <- o.Wait(limit) }() // ends when r has been read
		select {
		case <-waited:
			t.Error("Wait did not wait")
		default:
		}
		io.CopyN(io.Discard, r, most)
		if err := wspipetest.Wait(t, "Wait", waited); err != nil {
			t.Error(err)
		}
		if n := o.Waiting(); n > limit {
			t.Errorf("%d bytes wait", n)
		}
		io.CopyN(io.Discard, r, 1<<20-most)
		if err := o.Wait(0); err != nil {
			t.Error(err)
		}
	})
}

func TestOutflowDrain(t *testing.T) {
	t.Parallel()
	eachFlow(t, func(t *testing.T, o *Queue, r *os.File) {
		o.Drain(0)
		o.Drain(-1)
		o.Write(make([]byte, 1<<20))
		o.Drain(0)
		o.Drain(10 * time.Millisecond)
		if o.Waiting() == 0 {
			t.Error("nothing waits after Drain has timed out")
		}
		drained := make(chan bool)
		for _, d := range []time.Duration{-1, time.Hour} {
			go func() { // ends when r has been read
				o.Drain(d)
				drained <- o.Waiting() == 0
			}()
		}
		io.CopyN(io.Discard, r, 1<<20)
		for range 2 {
			if !wspipetest.Wait(t, "Drain", drained) {
				t.Error("something waits after Drain")
			}
		}
	})
}

func TestOutflowFailAndCloseUnblock(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for name, end := range map[string]func(*Queue) error{
		"Fail":  func(o *Queue) error { o.Fail(cause); return cause },
		"Close": func(o *Queue) error { o.Close(); return net.ErrClosed },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFlow(t, func(t *testing.T, o *Queue, _ *os.File) {
				o.Write(make([]byte, 1<<20))
				waited, drained := make(chan error), make(chan bool)
				go func() { waited <- o.Wait(0) }()            // ends with end
				go func() { o.Drain(-1); drained <- true }()   // ends with end
				go func() { o.Drain(1e15); drained <- true }() // ends with end
				want := end(o)
				if err := wspipetest.Wait(t, "Wait", waited); err != want {
					t.Errorf("Wait: %v", err)
				}
				wspipetest.Wait(t, "Drain", drained)
				wspipetest.Wait(t, "Drain", drained)
				if n, err := o.Write([]byte("x")); n != 0 || err != want {
					t.Errorf("Write: %d, %v", n, err)
				}
				if o.Waiting() != 0 {
					t.Error("something waits")
				}
				o.Close()
				if o.writing {
					t.Error("the goroutine still runs after Close")
				}
			})
		})
	}
}

// A child that has closed its stdin, or a client that has gone.
func TestOutflowAfterTheFarEndIsClosed(t *testing.T) {
	t.Parallel()
	eachFlow(t, func(t *testing.T, o *Queue, r *os.File) {
		o.Write(make([]byte, 1<<20)) // more than the pipe holds
		waited := make(chan error)
		go func() { waited <- o.Wait(0) }() // ends when r is closed
		r.Close()
		if err := wspipetest.Wait(t, "Wait", waited); err == nil {
			t.Error("Wait: no error")
		}
		if _, err := o.Write([]byte("x")); err == nil {
			t.Error("Write: no error")
		}
		if err := o.Wait(0); err == nil {
			t.Error("Wait: no error any more")
		}
	})
}

func TestOutflowIntoAClosedPipe(t *testing.T) {
	t.Parallel()
	for name, held := range map[string]bool{"write": false, "release": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			o := NewQueue(w)
			defer o.Close()
			r.Close()
			if held {
				o.Hold()
			}
			_, err = o.Write([]byte("x"))
			if held {
				o.Release()
				err = o.Wait(0)
			}
			if err == nil {
				t.Error("no error")
			}
		})
	}
}

// Many write at once; what each has written stays whole and in its order.
func TestOutflowConcurrentWriters(t *testing.T) {
	t.Parallel()
	eachFlow(t, func(t *testing.T, o *Queue, r *os.File) {
		const writers, each = 8, 2000
		var writing sync.WaitGroup
		for i := range writers {
			writing.Go(func() {
				for j := range each {
					if i == 0 {
						o.Hold()
					}
					o.Write(binary.BigEndian.AppendUint32(nil, uint32(i<<16|j)))
					if i == 0 {
						o.Release()
						o.Wait(1000)
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

// What waits lies in blocks: a backlog costs its size, and nothing when it is
// gone.
func TestOutflowBacklogTakesItsSizeInBlocks(t *testing.T) {
	t.Parallel()
	eachFlow(t, func(t *testing.T, o *Queue, r *os.File) {
		const size = 1 << 20
		p := make([]byte, 1000)
		for range size / len(p) {
			o.Write(p)
		}
		o.mu.Lock()
		n := len(o.waiting)
		o.mu.Unlock()
		if n > size/BlockSize+1 {
			t.Errorf("%d blocks for %d bytes", n, size)
		}
		io.CopyN(io.Discard, r, size/1000*1000)
		o.Wait(0)
		if len(o.waiting) != 0 {
			t.Errorf("%d blocks for nothing", len(o.waiting))
		}
	})
}

// stuck is a writer that Close does not unblock.
type stuck struct{ writing, release chan bool }

func (w stuck) Write(p []byte) (int, error) {
	w.writing <- true
	<-w.release
	return len(p), nil
}

func (w stuck) Close() error { return nil }

func TestOutflowCloseWaitsForTheWriter(t *testing.T) {
	t.Parallel()
	w := stuck{make(chan bool), make(chan bool)}
	o := NewQueue(w)
	o.Write([]byte("x"))
	wspipetest.Wait(t, "the write", w.writing)
	closed := make(chan bool)
	go func() { // ends when the write has
		o.Close()
		closed <- o.writing
	}()
	o.Wait(0) // fails as Close begins
	select {
	case <-closed:
		t.Error("Close did not wait")
	case w.release <- true:
		if wspipetest.Wait(t, "Close", closed) {
			t.Error("the goroutine still runs after Close")
		}
	}
}
