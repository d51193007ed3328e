//go:build unix

package bridge

import (
	"strings"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
)

// TestTrafficOfAClient: messages and payload are counted as in a plain session, in the replay
// and live, compressed or not.
func TestTrafficOfAClient(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	for name, test := range map[string]struct {
		link
		framing.Framing
		want Traffic
	}{
		"lines":      {link{}, framing.Lines, Traffic{4, 6 + int64(len(long))}},
		"compressed": {link{compress: true}, framing.Lines, Traffic{4, 6 + int64(len(long))}},
		"json":       {link{}, framing.JSON, Traffic{4, 6 + int64(len(long))}},
		"channels":   {link{protocol: channel.ProtocolV5}, framing.Lines, Traffic{0, 6 + int64(len(long)) + 4}}, // with newlines
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt := Options{Framing: test.Framing}
			child := newPuppet(t)
			b := startBroadcast(t, child, with(opt, func(o *Options) { o.Replay = 10 }))
			child.print(t, "one\ntwo\n")
			b.idle(2)
			v := b.join(test.link, opt)
			go child.far[1].WriteString("\n" + long + "\n") // ends when it was read
			b.idle(4)
			child.exit(0, "")
			v.expectClose(1000, "exit 0")
			got := v.summary().Out
			if test.protocol != "" { // the number of messages is not specified
				got.Messages = 0
			}
			if got != test.want {
				t.Errorf("counted %+v, want %+v", got, test.want)
			}
			if test.protocol == "" {
				child = newPuppet(t)
				s := startOver(t, test.link, child, opt)
				child.print(t, "one\ntwo\n")
				go child.far[1].WriteString("\n" + long + "\n") // ends when it was read
				for range 4 {
					s.message()
				}
				child.exit(0, "")
				s.expectClose(1000, "exit 0")
				if plain := s.summary().Out; plain != test.want {
					t.Errorf("a plain session counts %+v", plain)
				}
			}
		})
	}
}
