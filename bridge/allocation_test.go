//go:build unix

package bridge

import (
	"runtime"
	"strings"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
)

// TestMessagesAllocateNothing: a path for messages has everything that a message needs. What
// many messages share may be allocated now and then: room in a history, and blocks that the
// garbage collector has taken out of their pool, or that the race detector makes the pool
// drop.
//
// It is not parallel, because allocations are counted for the whole process.
func TestMessagesAllocateNothing(t *testing.T) {
	const many, few = 20_000, 500
	line := strings.Repeat("x", 63) + "\n"
	out := func(f framing.Framing, channel byte, record string) func(testing.TB) path {
		return func(t testing.TB) path { return outboundPath(t, f, channel, record) }
	}
	tests := map[string]struct {
		open     func(testing.TB) path
		messages int
		most     float64 // allocations per message
	}{
		"lines out":    {out(framing.Lines, 0, line), many, 0.05},
		"nul out":      {out(framing.NUL, 0, strings.ReplaceAll(line, "\n", "\x00")), many, 0.05},
		"resumed out":  {resumedPath, many, 0.05},
		"hub out":      {func(t testing.TB) path { return broadcastPath(t, 10) }, 5 * many, 0.05},
		"bytes out":    {out(framing.Bytes, 0, strings.Repeat("x", 64<<10)), few, 0.9}, // here and below a message has its blocks alone
		"channels out": {out(framing.Bytes, channel.Stdout, strings.Repeat("x", maxStreamMessage-channelRoom)), few, 0.9},
		"round trip":   {roundTripPath, few, 0.9},
	}
	for _, in := range inputs {
		if in.name != "length" && in.name != "lsp" { // their codecs make a prefix for each message
			test := tests["lines out"]
			test.open = func(t testing.TB) path { return inboundPath(t, in.open(t), zeros) }
			tests[in.name+" in"] = test
		}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			take := test.open(t)
			take(few)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			take(test.messages)
			runtime.ReadMemStats(&after)
			per := float64(after.Mallocs-before.Mallocs) / float64(test.messages)
			if per > test.most {
				t.Errorf("%.3f allocations for each of %d messages, want %v at most", per, test.messages, test.most)
			}
		})
	}
}
