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

// TestQueueEnd: End closes the writer after everything queued was written, in order, also what is held since Hold. Close
// drops what is queued, even after End. An error of the writer is not hidden.
func TestQueueEnd(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"nothing": 0, "little": 1000, "much": 1 << 20} {
		for _, hold := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
					if hold {
						q.Hold()
					}
					sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
					if n, err := q.Write(sent); n != len(sent) || err != nil {
						t.Fatal(n, err)
					}
					q.End()
					q.End()
					if hold {
						q.Release()
					}
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
					if q.Waiting() != 0 {
						t.Error("bytes are queued")
					}
				})
			})
		}
	}
	t.Run("Close", func(t *testing.T) {
		t.Parallel()
		eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
			q.Write(make([]byte, 1<<20))
			q.End()
			waited := make(chan error)
			go func() { waited <- q.Wait(0) }() // ends with Close
			q.Close()
			if err := wspipetest.Wait(t, "Wait", waited); err != net.ErrClosed {
				t.Errorf("Wait: %v", err)
			}
			if got, err := io.ReadAll(r); err != nil || len(got) == 1<<20 {
				t.Errorf("%d bytes arrived: %v", len(got), err)
			}
		})
	})
	t.Run("far end closed", func(t *testing.T) {
		t.Parallel()
		eachQueue(t, func(t *testing.T, q *Queue, r *os.File) {
			q.Write(make([]byte, 1<<20))
			q.End()
			r.Close()
			if err := q.Wait(0); err == nil || err == net.ErrClosed {
				t.Errorf("Wait: %v", err)
			}
		})
	})
}

// TestQueueTaken: bytes that the kernel had when the queue failed are not lost.
func TestQueueTaken(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]error{1000: nil, 4 << 20: net.ErrClosed} {
		eachQueue(t, func(t *testing.T, q *Queue, _ *os.File) {
			q.Hold()
			q.Write(make([]byte, size))
			q.Release()
			if want == nil {
				q.Wait(0)
			}
			q.Fail(net.ErrClosed)
			if err := q.WaitTaken(); err != want {
				t.Errorf("%d bytes: WaitTaken: %v, want %v", size, err, want)
			}
			if err := q.Wait(0); err != net.ErrClosed {
				t.Errorf("Wait: %v", err)
			}
		})
	}
}
