//go:build unix

package bridge

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// sharedChild is a running Broadcast or Mux child.
type sharedChild struct {
	*Bridge
	*puppet
	join func(link) *attachedClient
	line func(text string) string // that sends text to all clients
}

var sharedKinds = map[string]func(testing.TB, Options) sharedChild{
	"broadcast": func(t testing.TB, opt Options) sharedChild {
		b := startBroadcast(t, opt)
		return sharedChild{b.Bridge, b.puppet, b.join, func(text string) string { return text + "\n" }}
	},
	"mux": func(t testing.TB, opt Options) sharedChild {
		m := startMux(t, opt)
		return sharedChild{m.Bridge, m.puppet, m.join, func(text string) string { return muxMessage("*", text) }}
	},
}

// TestSlowClients: a client that does not read, or is paused for too long, is disconnected, lacks the oldest
// messages, or blocks the child. Its backlog is bounded, and the other clients get everything.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	const lines, width = 250, 10_000
	text := func(i int) string { return fmt.Sprintf("%0*d", width, i) }
	for kind, start := range sharedKinds {
		for name, policy := range map[string]SlowPolicy{"disconnect": SlowDisconnect, "drop": SlowDrop, "block": SlowBlock} {
			for how, l := range map[string]link{"stuck": {buffers: 64 << 10}, "paused": {buffers: 64 << 10, protocol: channel.ProtocolWspipe}} {
				t.Run(strings.Join([]string{kind, name, how}, "/"), func(t *testing.T) {
					t.Parallel()
					b := start(t, Options{Slow: policy})
					slow, quick := b.join(l), b.join(link{})
					if l.protocol != "" {
						slow.greeted()
						slow.pause()
					}
					done, most := make(chan bool), 0
					var printed atomic.Int64
					go func() { // ends when the clients have read, or need not
						for i := range lines {
							b.print(b.line(text(i)))
							printed.Add(1)
							if policy != SlowBlock { // so that quick keeps up on a busy machine, too
								quick.expect(text(i))
								most = max(most, slow.wire.Out.Backlog())
							}
						}
						b.puppet.exit(0, "")
						done <- true
					}()
					if policy == SlowBlock {
						go func() { // ends with the messages
							for i := range lines {
								quick.expect(text(i))
							}
							done <- true
						}()
						before, looks := int64(0), 0
						wspipetest.Eventually(t, "the child stands still", func() bool {
							now := printed.Load()
							if looks++; now != before {
								before, looks = now, 0
							}
							return now > 0 && looks > 100
						})
						if before == lines {
							t.Error("the child was not blocked")
						}
					} else {
						wspipetest.Wait(t, "the child", done)
					}
					if policy == SlowDisconnect { // which it may learn too late, if the machine is busy
						if sum := slow.lose(); sum.Code != 1013 || !strings.HasPrefix(sum.Reason, "too slow: ") || most > 2*maxBacklog {
							t.Errorf("ended with %+v, and %d bytes were queued", sum.End, most)
						}
						return
					}
					if l.protocol != "" {
						slow.resume()
					}
					last, count, end := slow.countTo(text, func() { most = max(most, slow.wire.Out.Backlog()) })
					switch {
					case end != "\x03\xe8exit 0" || last != lines-1:
						t.Errorf("closed with %q after message %d", end, last)
					case policy == SlowBlock:
						wspipetest.Wait(t, "the child", done)
						wspipetest.Wait(t, "the other client", done)
						if count != lines || most > 8*wire.BlockSize {
							t.Errorf("%d messages arrived of %d, and %d bytes were queued", count, lines, most)
						}
					case policy == SlowDrop:
						if n := slow.attachment.(interface{ lost() int64 }).lost(); count == lines || l.protocol == "" && count+int(n) != lines {
							t.Errorf("%d messages arrived and %d were lost, of %d", count, n, lines)
						}
					}
					if most > 2*maxBacklog {
						t.Errorf("%d bytes were queued", most)
					}
				})
			}
		}
	}
}

// TestPausedClientThatEnds blocks nobody any more, whoever ends its connection.
func TestPausedClientThatEnds(t *testing.T) {
	t.Parallel()
	for kind, start := range sharedKinds {
		for name, end := range map[string]func(*attachedClient){
			"close":    func(c *attachedClient) { c.client.Close() },
			"frame":    func(c *attachedClient) { c.write(closeFrame(1000, "")) },
			"shutdown": func(c *attachedClient) { c.Shutdown() },
			"abort":    func(c *attachedClient) { c.Abort() },
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				b := start(t, Options{Slow: SlowBlock})
				paused, other := b.join(onWspipe), b.join(link{})
				paused.greeted()
				paused.pause()
				go func() { // ends when it was read
					for range 100 {
						b.print(b.line(x(10_000)))
					}
				}()
				wspipetest.Eventually(t, "something waits", func() bool { return paused.wire.Out.Backlog() > 0 })
				end(paused)
				for range 100 {
					other.expect(x(10_000))
				}
			})
		}
	}
}

// lost returns how many messages were dropped.
func (s *sharedClient) lost() int64 { return s.dropped.Load() }

// countTo reads to the close frame. It returns the number of the last line, the count of lines, which must be in
// order, and the payload of the frame.
func (a *attachedClient) countTo(text func(int) string, each func()) (last, count int, end string) {
	a.t.Helper()
	last = -1
	for part := ""; ; {
		opcode, m := a.message()
		switch {
		case opcode == wire.OpClose:
			a.Write(maskedFrame(fin|wire.OpClose, []byte(m)))
			return last, count, m
		case opcode == opText:
			part = m
		case m[0] == channel.Stdout:
			part += strings.ReplaceAll(m[1:], "\n", "")
		default:
			continue
		}
		each()
		for n := len(text(0)); len(part) >= n; part = part[n:] {
			var number int
			if fmt.Sscanf(part[:n], "%d", &number); number <= last || part[:n] != text(number) {
				a.t.Fatalf("%.100q comes after %d", part, last)
			}
			last = number
			count++
		}
	}
}

// TestLongMessageIsNotSlow: a client that reads gets a message, or a replay, that is longer than a client may be
// behind.
func TestLongMessageIsNotSlow(t *testing.T) {
	t.Parallel()
	m := startMux(t, Options{})
	c := m.join(link{buffers: 256 << 10})
	long := x(maxMuxLine - 100)
	m.print(muxMessage("1", "first") + muxMessage("1", long))
	c.expect("first", long)
	m.print(muxMessage("1", "it is still there"))
	c.expect("it is still there")
	for _, policy := range []SlowPolicy{SlowDisconnect, SlowDrop} {
		const lines, width = 15, 100_000 // more than may be queued
		b := startBroadcast(t, Options{Replay: lines, Slow: policy})
		for i := range lines {
			b.print(fmt.Sprintf("%0*d\n", width, i))
		}
		b.idle(lines)
		c := b.join(link{buffers: 256 << 10})
		for i := range 5 {
			b.print(fmt.Sprintf("%0*d\n", width, lines+i))
		}
		b.idle(lines + 5)
		for i := range lines + 5 {
			c.expect(fmt.Sprintf("%0*d", width, i))
		}
	}
}
