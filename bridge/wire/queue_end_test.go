//go:build unix

package wire

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"

	"wspipe/cmd/wspipetest"
)

// End closes the writer after everything queued was written, in order.
func TestQueueEnd(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"nothing": 0, "at once": 1000, "while much waits": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
				sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
				if n, err := q.Write(sent); n != len(sent) || err != nil {
					t.Fatal(n, err)
				}
				q.End()
				q.End()
				if n, err := q.Write([]byte("late")); n != 0 || err != net.ErrClosed {
					t.Errorf("Write after End: %d, %v", n, err)
				}
				got, err := io.ReadAll(r) // EOF is caused by End
				if err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%d of %d bytes arrived: %v", len(got), len(sent), err)
				}
				if err := q.Wait(0); err != nil && err != net.ErrClosed {
					t.Errorf("Wait: %v", err)
				}
				q.Drain(-1)
				q.End()
				if n, err := q.Write([]byte("late")); n != 0 || err == nil {
					t.Errorf("Write: %d, %v", n, err)
				}
				if q.Waiting() != 0 {
					t.Error("bytes are queued")
				}
			})
		})
	}
}

// End includes the bytes held since Hold.
func TestQueueEndWhileHeld(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"nothing": 0, "little": 100, "much": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
				q.Hold()
				q.Write(make([]byte, size))
				q.End()
				q.Release()
				if got, err := io.ReadAll(r); err != nil || len(got) != size {
					t.Errorf("%d of %d bytes arrived: %v", len(got), size, err)
				}
			})
		})
	}
}

// Close after End drops what is queued.
func TestQueueEndThenClose(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"nothing": 0, "while much waits": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
				q.Write(make([]byte, size))
				q.End()
				waited := make(chan error)
				go func() { waited <- q.Wait(0) }() // ends with Close
				q.Close()
				if err := wspipetest.Wait(t, "Wait", waited); err != net.ErrClosed {
					t.Errorf("Wait: %v", err)
				}
				if got, err := io.ReadAll(r); err != nil || len(got) > size || size > 0 && len(got) == size {
					t.Errorf("%d bytes arrived: %v", len(got), err)
				}
				q.End()
				q.Close()
			})
		})
	}
}

// If the reader has closed the pipe, End does not hide that error.
func TestQueueEndAfterTheFarEndIsClosed(t *testing.T) {
	t.Parallel()
	eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
		q.Write(make([]byte, 1<<20))
		q.End()
		r.Close()
		if err := q.Wait(0); err == nil || err == net.ErrClosed {
			t.Errorf("Wait: %v", err)
		}
	})
}

// TestQueueTaken: bytes that the kernel had when the queue failed are not lost.
func TestQueueTaken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size int
		want error
	}{"all": {1000, nil}, "some": {4 << 20, net.ErrClosed}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachQueue(t, func(t *testing.T, q *Queue, _ *os.File) {
				q.Hold()
				q.Write(make([]byte, test.size))
				q.Release()
				if test.want == nil {
					q.Wait(0)
				}
				q.Fail(net.ErrClosed)
				if err := q.WaitTaken(); err != test.want {
					t.Errorf("WaitTaken: %v, want %v", err, test.want)
				}
				if err := q.Wait(0); err != net.ErrClosed {
					t.Errorf("Wait: %v", err)
				}
			})
		})
	}
}
