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

// End lets go of what has been written, in order and whole, and then closes.
func TestOutflowEnd(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"nothing": 0, "at once": 1000, "while much waits": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFlow(t, func(t *testing.T, o *Queue, r *os.File) {
				sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
				if n, err := o.Write(sent); n != len(sent) || err != nil {
					t.Fatal(n, err)
				}
				o.End()
				o.End()
				if n, err := o.Write([]byte("late")); n != 0 || err != net.ErrClosed {
					t.Errorf("Write after End: %d, %v", n, err)
				}
				got, err := io.ReadAll(r) // to the end that End makes
				if err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%d bytes came of %d: %v", len(got), len(sent), err)
				}
				if err := o.Wait(0); err != nil && err != net.ErrClosed {
					t.Errorf("Wait: %v", err)
				}
				o.Drain(-1)
				o.End()
				if n, err := o.Write([]byte("late")); n != 0 || err == nil {
					t.Errorf("Write: %d, %v", n, err)
				}
				if o.Waiting() != 0 {
					t.Error("something waits")
				}
			})
		})
	}
}

// What is held back belongs to it.
func TestOutflowEndWhileHeld(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"nothing": 0, "little": 100, "much": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFlow(t, func(t *testing.T, o *Queue, r *os.File) {
				o.Hold()
				o.Write(make([]byte, size))
				o.End()
				o.Release()
				if got, err := io.ReadAll(r); err != nil || len(got) != size {
					t.Errorf("%d bytes came of %d: %v", len(got), size, err)
				}
			})
		})
	}
}

// Close does not wait for what End lets go of.
func TestOutflowEndThenClose(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"nothing": 0, "while much waits": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFlow(t, func(t *testing.T, o *Queue, r *os.File) {
				o.Write(make([]byte, size))
				o.End()
				waited := make(chan error)
				go func() { waited <- o.Wait(0) }() // ends with Close
				o.Close()
				if err := wspipetest.Wait(t, "Wait", waited); err != net.ErrClosed {
					t.Errorf("Wait: %v", err)
				}
				if got, err := io.ReadAll(r); err != nil || len(got) > size || size > 0 && len(got) == size {
					t.Errorf("%d bytes came: %v", len(got), err)
				}
				o.End()
				o.Close()
			})
		})
	}
}

// A far end that is closed before is an error as ever.
func TestOutflowEndAfterTheFarEndIsClosed(t *testing.T) {
	t.Parallel()
	eachFlow(t, func(t *testing.T, o *Queue, r *os.File) {
		o.Write(make([]byte, 1<<20))
		o.End()
		r.Close()
		if err := o.Wait(0); err == nil || err == net.ErrClosed {
			t.Errorf("Wait: %v", err)
		}
	})
}

// TestOutflowTaken: what the kernel had when the flow failed is not lost.
func TestOutflowTaken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size int
		want error
	}{"all": {1000, nil}, "some": {4 << 20, net.ErrClosed}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFlow(t, func(t *testing.T, o *Queue, _ *os.File) {
				o.Hold()
				o.Write(make([]byte, test.size))
				o.Release()
				if test.want == nil {
					o.Wait(0)
				}
				o.Fail(net.ErrClosed)
				if err := o.WaitTaken(); err != test.want {
					t.Errorf("Taken: %v, want %v", err, test.want)
				}
				if err := o.Wait(0); err != net.ErrClosed {
					t.Errorf("Wait: %v", err)
				}
			})
		})
	}
}
