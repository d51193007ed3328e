//go:build unix

package bridge

import (
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"

	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// TestHistoryHoldsUnacknowledgedMessages: over unix(7) sockets that is what the client has not read.
func TestHistoryHoldsUnacknowledgedMessages(t *testing.T) {
	t.Parallel()
	r := startResumable(t, link{network: "unix"}, Options{Buffer: 100 * entryOverhead})
	r.history.mu.Lock()
	r.history.ackInterval = 1 // as on a busy machine: it is over before the wait begins
	r.history.mu.Unlock()
	a := r.reattach(-1)
	var lines []string
	for i := range 10_000 {
		lines = append(lines, strconv.Itoa(i))
	}
	go func() { // ends when it was read
		r.print(strings.Join(lines, "\n"))
		r.puppet.exit(0, "")
	}()
	wspipetest.Eventually(t, "as much is in flight as may be", func() bool {
		r.history.mu.Lock()
		defer r.history.mu.Unlock()
		return r.history.reader.tooMuchInFlight()
	})
	wspipetest.Eventually(t, "the child has to wait", r.history.full)
	a.lose()
	a = r.reattach(0)
	a.expect(lines...)
	a.expectClose(1000, "exit 0")
}

// TestHistoryHoldsAcknowledgedMessages: however fast the child is, some of what the client's host has acknowledged
// is held, for a client that had not read it.
func TestHistoryHoldsAcknowledgedMessages(t *testing.T) {
	t.Parallel()
	r := startResumable(t, link{network: "unix"}, Options{})
	go io.Copy(r.far[1], &repeated{text: []byte("y\n"), left: 1 << 30}) // ends with the child
	for range 3 {
		a := r.reattach(-1)
		n := int64(20_000 + rand.N(10_000))
		for range n {
			a.expect("y")
		}
		for ; a.In.Buffered() > 16<<10; n++ { // that fits a quarter of the buffer
			a.expect("y")
		}
		wspipetest.Eventually(t, "the child has to wait", r.history.full)
		r.history.mu.Lock()
		if most := r.history.reader.inFlight; most > r.history.max/2 {
			t.Errorf("%d bytes are in flight, more than half of %d", most, r.history.max)
		}
		r.history.mu.Unlock()
		a.lose()
		r.reattach(n).lose()
	}
}

// TestHistoryCountsOnlyTheAttachedClient: a replaced connection does not affect what counts as sent for the new one.
func TestHistoryCountsOnlyTheAttachedClient(t *testing.T) {
	t.Parallel()
	h := newHistory(1 << 20)
	near, far := net.Pipe()
	defer far.Close()
	conn := wire.NewConn(near, nil)
	defer conn.Abort()
	older, _ := h.attach(conn, -1)
	h.Message(opText, []byte("text"))
	older.read()
	conn.Write([]byte("the frame"))
	h.attach(conn, 0)
	older.read()
	if older.next != 0 || h.reader.next != 0 || h.reader.behind != h.size {
		t.Errorf("%d entries count as sent by the old reader, and %d by the new one", older.next, h.reader.next)
	}
}
