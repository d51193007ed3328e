//go:build unix

package bridge

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
)

// hostile returns messages that are hard to split: longer than a frame, as long as a frame, or not UTF-8, between
// different short messages.
func hostile(messages int) (list []string) {
	for i := range messages {
		m := fmt.Sprint(i, " ")
		switch rand.N(20) {
		case 0:
			m += strings.Repeat("é€", 20_000+rand.N(20_000))
		case 1:
			m += x(framing.MaxWhole - len(m) + rand.N(3) - 1)
		case 2:
			m += "\xff\xe2\x82"
		}
		list = append(list, m)
	}
	return list
}

// writeRandomly writes records in pieces of any size.
func (p *puppet) writeRandomly(fd int, f framing.Framing, messages []string) {
	for _, m := range messages {
		for o := encoded(f, m); len(o) > 0; {
			n := 1 + rand.N(min(len(o), 1<<(rand.N(18))))
			p.far[fd].WriteString(o[:n])
			o = o[n:]
		}
	}
}

// lines reads up to n messages of each stream, fewer if the connection ends. Parts of a line that another stream
// interrupted are one message.
func (a *attachedClient) lines(n int) (messages map[string][]string) {
	messages = map[string][]string{}
	parts := map[string]string{}
	var whole []byte
	for len(messages["stdout"]) < n {
		f, err := a.frame()
		if err != nil || f.first&^fin == wire.OpClose {
			return messages
		}
		if whole = append(whole, f.payload...); f.first&fin == 0 {
			continue
		}
		m := struct {
			Stream, Data string
			More         bool
		}{"stdout", string(whole), false}
		if a.opt.Framing == framing.JSON {
			if err := json.Unmarshal(whole, &m); err != nil {
				a.t.Errorf("%.100q: %v", whole, err)
			}
		}
		whole = whole[:0]
		if parts[m.Stream] += m.Data; !m.More {
			messages[m.Stream] = append(messages[m.Stream], parts[m.Stream])
			delete(parts, m.Stream)
		}
	}
	return messages
}

// TestBroadcastAtRandom: the first client gets everything, and those that attach and disconnect meanwhile get a part
// of that without a gap.
func TestBroadcastAtRandom(t *testing.T) {
	t.Parallel()
	for _, mode := range []framing.Framing{framing.Lines, framing.NUL, framing.Length, framing.LSP, framing.JSON} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			const messages, replay = 150, 7
			b := startBroadcast(t, Options{Framing: mode, Replay: replay, Slow: SlowBlock})
			first := b.join(link{})
			var writing, visiting sync.WaitGroup
			var done atomic.Bool
			out := hostile(messages)
			writing.Go(func() { b.writeRandomly(1, mode, out) }) // ends when it was read
			if mode == framing.JSON {
				writing.Go(func() { b.writeRandomly(2, mode, out) })
			}
			go func() { // ends when everything was written
				writing.Wait()
				done.Store(true)
				b.puppet.exit(0, "")
			}()
			want := out
			if mode != framing.Length {
				want = strings.Split(validText(strings.Join(out, "\x00")), "\x00")
			}
			raw := ""
			for _, m := range out {
				raw += encoded(mode, m)
			}
			for range 3 {
				visiting.Go(func() { // ends when everything was written
					for !done.Load() {
						b.visit(want, raw)
					}
				})
			}
			got := first.lines(messages + 1)
			visiting.Wait()
			same(t, got["stdout"], want)
			if mode == framing.JSON {
				same(t, got["stderr"], want)
			}
		})
	}
}

// visit attaches a client, which reads some messages and disconnects in any way.
func (b *broadcastChild) visit(want []string, raw string) {
	if rand.N(4) == 0 {
		c := b.join(link{protocol: channel.ProtocolV5})
		var stdout strings.Builder
		for range rand.N(40) {
			f, err := c.frame()
			if err != nil || f.first != fin|opBinary {
				break
			}
			if f.payload[0] == channel.Stdout {
				stdout.Write(f.payload[1:])
			}
		}
		if !strings.Contains(raw, stdout.String()) {
			b.t.Errorf("%d bytes of stdout are no part of it: %.100q", stdout.Len(), stdout.String())
		}
		c.lose()
		return
	}
	c := b.join(link{})
	for stream, got := range c.lines(rand.N(40)) {
		i := max(0, slices.Index(want, got[0]))
		if n := i + len(got); n > len(want) || !slices.Equal(got, want[i:n]) {
			b.t.Errorf("%d messages of %s are no part of it: %.200q", len(got), stream, got)
		}
	}
	switch rand.N(3) {
	case 0:
		c.Reset()
	case 1:
		c.Write(closeFrame(1000, "")) // fails if the child has ended before
	}
	c.lose()
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Contains(b.clients(), c.Client) {
		b.t.Error("a client that has disconnected is still attached")
	}
}
