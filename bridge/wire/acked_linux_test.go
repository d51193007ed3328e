package wire

import "testing"

// Acked never counts a byte that is not acknowledged, even while another goroutine
// aborts the connection.
func TestAckedWhileAborted(t *testing.T) {
	for range 200 {
		w, far := newConn(t)
		far.SetReadBuffer(1 << 10)
		w.BoundSendBuffer(1 << 20)
		w.Write(make([]byte, 1<<20)) // nobody reads it
		limit := w.Acked() + 100_000
		go w.Abort() // ends at once
		for got := w.Acked(); got > 0; got = w.Acked() {
			if got > limit {
				t.Fatalf("Acked returns %d, though hardly more than %d bytes can have arrived", got, limit)
			}
		}
		<-w.Closed()
	}
}
