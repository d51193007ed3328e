//go:build unix

package wire

import (
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// If a write to a TLS connection is stuck, Close cannot send a close alert either.
func TestConnCloseOverTLSEndsIfNothingIsRead(t *testing.T) {
	t.Parallel()
	wspipetest.Soon(t, 2*lingerTime+time.Second, func() time.Duration {
		near, far := wspipetest.TLSConnPair(t)
		wspipetest.SetBuffers(near, 16<<10)
		wspipetest.SetBuffers(far, 16<<10)
		w := NewConn(near, nil)
		w.Write(make([]byte, 2<<20))
		waiting, same := 0, 0
		wspipetest.Eventually(t, "the kernels are full", func() bool {
			before := waiting
			waiting = w.Out.Waiting() + Unsent(near)
			if same++; waiting != before {
				same = 0
			}
			return same == 500
		})
		started := time.Now()
		w.Close()
		wspipetest.Wait(t, "the end of the connection", w.Closed())
		return time.Since(started)
	})
}
