//go:build unix

package bridge

import (
	"math"
	"strings"
	"testing"

	"wspipe/bridge/vt"
)

// TestReplayIsBounded, even if the number of messages is not limited and they are empty.
func TestReplayIsBounded(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*replay{
		"messages": {maxMessages: math.MaxInt32, maxBytes: maxReplay},
		"screen":   {maxMessages: math.MaxInt32, maxBytes: maxScreen, terminal: new(vt.State)},
	} {
		for range 200_000 {
			r.add([]replayMessage{{}, {data: []byte("x")}})
		}
		if n := len(r.messages); n == 0 || n > r.maxBytes/recordOverhead {
			t.Errorf("%s: %d messages are held", name, n)
		}
		r.add([]replayMessage{{data: []byte(strings.Repeat("y", r.maxBytes-recordOverhead))}})
		if n := len(r.messages); n != 1 || r.size > r.maxBytes {
			t.Errorf("%s: %d messages of %d bytes are held", name, n, r.size)
		}
	}
}

// TestScreenOfSmallMessages: the replay of a terminal is limited by its bytes, not by the
// number of small messages, such as echoed keys.
func TestScreenOfSmallMessages(t *testing.T) {
	t.Parallel()
	r := &replay{maxMessages: math.MaxInt32, maxBytes: maxScreen, terminal: new(vt.State)}
	for range 2 * maxScreen {
		r.add([]replayMessage{{data: []byte("x")}})
	}
	bytes := 0
	for _, m := range r.messages {
		bytes += len(m.data)
	}
	if bytes < maxScreen*9/10 {
		t.Errorf("%d bytes are held", bytes)
	}
}
