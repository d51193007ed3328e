//go:build unix

package bridge

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"wspipe/bridge/wire"
)

// TestClientsAttachAtRandom: clients with any encoding that attach and detach at random get
// consecutive lines, short and long, with pongs between the frames.
func TestClientsAttachAtRandom(t *testing.T) {
	t.Parallel()
	for _, replay := range []int{0, 1, 10, 1000} {
		t.Run(fmt.Sprint(replay), func(t *testing.T) {
			t.Parallel()
			child := startShell(t, `i=0; while :; do case $((i%40)) in 7) w=100000;; 23) w=1000000;; *) w=10;; esac; printf '%d %0*d\n' $i $w 0; i=$((i+1)); done`)
			b := startBroadcast(t, child, Options{Replay: replay, Slow: SlowBlock})
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { // ends with its clients
					for range 8 {
						v := b.join(link{compress: rand.N(3) == 0}, Options{})
						v.watch(60 + rand.N(40))
						v.Close()
					}
				})
			}
			all.Wait()
		})
	}
}

// watch reads this many numbered lines and sends pings meanwhile.
func (v *broadcastConn) watch(lines int) {
	before, begun, packed := -1, false, false
	var line strings.Builder
	for pongs := 0; lines > 0; {
		f, err := v.frame()
		opcode := f.first & 0xf
		switch {
		case err != nil:
			v.t.Errorf("no frame: %v", err)
			return
		case f.first == fin|opPong && string(f.payload) == "hello":
			pongs++
			continue
		case opcode == opText == begun || opcode != opText && opcode != wire.OpContinuation:
			v.t.Errorf("frame %#x, within a message: %v", f.first, begun)
			return
		}
		packed = packed || f.first&0x40 != 0
		begun = f.first&fin == 0
		if line.Write(f.payload); begun {
			continue
		}
		var number int
		if fmt.Sscan(line.String(), &number); packed {
			number = before + 1 // compressed, so it cannot be read
		}
		if before > 0 && number != before+1 {
			v.t.Errorf("%d comes after %d", number, before)
			return
		}
		line.Reset()
		before, packed = number, false
		lines--
		v.Write(maskedFrame(fin|opPing, []byte("hello")))
	}
}

// TestDroppedMessagesAreCounted: every message that a slow client does not get is counted,
// and the oldest are dropped first.
func TestDroppedMessagesAreCounted(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{Slow: SlowDrop})
	v := b.join(link{buffers: 8 << 10}, Options{})
	const lines, width = 2000, 3000
	for i := range lines {
		child.print(t, fmt.Sprintf("%0*d\n", width, i))
	}
	b.idle(lines)
	child.exit(0, "")
	got, before := int64(0), -1
	for before < lines-1 {
		_, message, _ := v.message()
		var number int
		fmt.Sscanf(message, "%d", &number)
		if number <= before || len(message) != width {
			t.Fatalf("%d (%d bytes) comes after %d", number, len(message), before)
		}
		before = number
		got++
	}
	v.expectClose(1000, "exit 0")
	if lost := v.dropped.Load(); lost == 0 || got+lost != lines {
		t.Errorf("%d messages came, %d were lost, of %d", got, lost, lines)
	}
}

// TestAStuckClientIsDisconnected: a client that does not read is detached at once, gets the
// reason, and ends soon; the others get everything.
func TestAStuckClientIsDisconnected(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{})
	stuck, other := b.join(link{buffers: 8 << 10}, Options{}), b.join(link{}, Options{})
	line := strings.Repeat("x", 10_000)
	for range 300 {
		child.print(t, line+"\n")
		other.expect(line)
	}
	if sum := stuck.summary(); sum.Code != 1013 || !strings.HasPrefix(sum.Reason, "too slow: ") {
		t.Errorf("it ended with %+v", sum.End)
	}
}
