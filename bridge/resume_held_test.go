//go:build unix

package bridge

import (
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// TestResumeBlocksTheChild: while no client is attached, output is held up to the limit, and
// then the child waits.
func TestResumeBlocksTheChild(t *testing.T) {
	t.Parallel()
	const buffer = 100 << 10
	child := startShell(t, `i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo $i; done`)
	t.Cleanup(child.Stop)
	r := startResumable(t, child, Options{Buffer: buffer})
	wspipetest.Eventually(t, "the buffer is full", r.history.full)
	held := func() int {
		r.history.mu.Lock()
		defer r.history.mu.Unlock()
		return r.history.size
	}
	if n := held(); n > buffer+framing.MaxWhole {
		t.Errorf("%d bytes are held, of %d", n, buffer)
	}
	for n, over := 0, false; !over; {
		a := r.reattach(int64(n))
		cut := n + rand.N(30_000)
		for {
			f, err := a.frame()
			if err != nil { // what the client's host has is read first
				break
			}
			if over = f.first == fin|wire.OpClose; over {
				a.write(maskedFrame(fin|wire.OpClose, f.payload))
				continue
			}
			if n++; string(f.payload) != strconv.Itoa(n) {
				t.Fatalf("%q, want %d", f.payload, n)
			}
			if n == cut {
				a.Abort()
			}
		}
		a.loseConnection()
		if n := held(); n > buffer+framing.MaxWhole {
			t.Errorf("%d bytes are held, of %d", n, buffer)
		}
		if over && n != 100_000 {
			t.Errorf("%d lines arrived", n)
		}
	}
}

// TestResumeHoldsUnacknowledgedMessages: over unix(7) sockets that is what the client has not
// read.
func TestResumeHoldsUnacknowledgedMessages(t *testing.T) {
	t.Parallel()
	child := startShell(t, `read go; i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo $i; done`)
	t.Cleanup(child.Stop)
	r := startResumableOver(t, link{network: "unix"}, child, Options{Buffer: 100 * entryOverhead})
	r.history.mu.Lock()
	r.history.ackInterval = 1 // as on a busy machine: it is over before the wait begins
	r.history.mu.Unlock()
	a := r.reattach(-1)
	a.send("go") // nothing more is read
	wspipetest.Eventually(t, "the child has to wait", r.history.full)
	wspipetest.Eventually(t, "as much is in flight as may be", func() bool {
		r.history.mu.Lock()
		defer r.history.mu.Unlock()
		return r.history.reader.tooMuchInFlight()
	})
	a.loseConnection()
	a = r.reattach(0)
	a.expect(numbers(1, 10_000)...)
	a.expectClose(1000, "exit 0")
}

// TestResumeHoldsSomeHistory: however fast the child is, some of what the client's host has
// acknowledged is held, for a client that had not read it.
func TestResumeHoldsSomeHistory(t *testing.T) {
	t.Parallel()
	child := startShell(t, `exec yes`)
	t.Cleanup(child.Stop)
	r := startResumableOver(t, link{network: "unix"}, child, Options{Buffer: 1 << 20})
	for range 5 {
		a := r.reattach(-1)
		n := int64(20_000 + rand.N(10_000))
		for range n {
			a.expect("y")
		}
		for ; a.br.Buffered() > 16<<10; n++ { // that fits a quarter of the buffer
			a.expect("y")
		}
		wspipetest.Eventually(t, "the child has to wait", r.history.full)
		r.history.mu.Lock()
		if most := r.history.reader.inFlight; most > r.history.max/2 {
			t.Errorf("%d bytes are in flight, more than half of %d", most, r.history.max)
		}
		r.history.mu.Unlock()
		a.loseConnection()
		r.reattach(n).loseConnection()
	}
}

// A replaced connection does not affect what counts as sent for the new one.
func TestResumeCountsOnlyTheAttachedClient(t *testing.T) {
	t.Parallel()
	j := newHistory(1 << 20)
	near, far := net.Pipe()
	defer far.Close()
	conn := wire.NewConn(near, nil)
	defer conn.Abort()
	older, _ := j.attach(conn, -1)
	j.Message(opText, []byte("text"))
	older.read()
	conn.Write([]byte("the frame"))
	j.attach(conn, 0)
	older.read()
	if older.next != 0 || j.reader.next != 0 || j.reader.behind != j.size {
		t.Errorf("%d entries count as sent by the old reader, and %d by the new one", older.next, j.reader.next)
	}
}

// TestResumeWithALongMessage: a message that is longer than the history is streamed. It is
// lost with the connection only if a part of it is no longer held.
func TestResumeWithALongMessage(t *testing.T) {
	t.Parallel()
	const buffer = 256 << 10
	long := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	child := newPuppet(t)
	r := startResumable(t, child, Options{Buffer: buffer})
	a := r.reattach(-1)
	write := func(s string) { // ends when everything was read
		go io.WriteString(child.far[1], s)
	}
	write("first\n" + long[:buffer/2])
	a.expect("first")
	a.loseConnection()
	a = r.reattach(1) // all of the message so far is held
	write(long[buffer/2:])
	for n := 0; n < len(long)-wire.BlockSize; {
		f, err := a.frame()
		if err != nil {
			t.Fatal(err)
		}
		n += len(f.payload)
	}
	a.loseConnection()
	r.expectHistoryLost(1)
	r.expectHistoryLost(2)
	a = r.reattach(-1)
	write("\nnext\nlast\n")
	a.expect("next", "last")
	a.loseConnection()
	r.reattach(1).expect("last")
}
