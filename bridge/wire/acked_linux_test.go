package wire

import "testing"

// What is not acknowledged never counts as that, also while another goroutine
// gives the connection up.
func TestAckedWhileAborted(t *testing.T) {
	for range 200 {
		w, far := newConn(t)
		far.SetReadBuffer(1 << 10)
		w.BoundSendBuffer(1 << 20)
		w.Write(make([]byte, 1<<20)) // which nobody reads
		limit := w.Acked() + 100_000
		go w.Abort() // ends at once
		for got := w.Acked(); got > 0; got = w.Acked() {
			if got > limit {
				t.Fatalf("%d bytes are acknowledged, of which hardly %d can be", got, limit)
			}
		}
		<-w.Closed()
	}
}
