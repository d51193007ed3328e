//go:build unix

package bridge

import (
	"encoding/json"
	"fmt"
	"math"
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

// hostile is output that is hard to split: messages longer than a frame, empty messages and bytes that are not
// UTF-8, between different short messages.
func hostile(name string, messages int) (list []string) {
	for i := range messages {
		m := fmt.Sprintf("%s %d", name, i)
		switch rand.N(20) {
		case 0:
			m += strings.Repeat("é€", 20_000+rand.N(20_000))
		case 1:
			m += x(framing.MaxWhole - len(m) + rand.N(3) - 1)
		case 2, 3:
			m = ""
		case 4:
			m += "\xff\xe2\x82"
		}
		list = append(list, m)
	}
	return list
}

// writeRandomly writes records in pieces of any size, and counts them in written.
func (p *puppet) writeRandomly(fd int, f framing.Framing, messages []string, written *atomic.Int64) {
	for _, m := range messages {
		written.Add(1)
		for o := encoded(f, m); len(o) > 0; {
			n := 1 + rand.N(min(len(o), 1<<(rand.N(18))))
			p.far[fd].WriteString(o[:n])
			o = o[n:]
		}
	}
}

// some reads up to n messages, fewer if the connection ends, and adds their number to read. The parts of a line
// that another stream interrupted count as one message, which begins with the stream.
func (a *attachedClient) some(n int, json bool, read *atomic.Int64) (messages []string) {
	parts := map[string]string{}
	var whole []byte
	for len(messages) < n {
		f, err := a.frame()
		if err != nil || f.first&^fin == wire.OpClose {
			return messages
		}
		if whole = append(whole, f.payload...); f.first&fin == 0 {
			continue
		}
		text := string(whole)
		whole = whole[:0]
		if json {
			stream, data, more := a.parse(text)
			if parts[stream] += data; more {
				continue
			}
			text = stream + ":" + parts[stream]
			delete(parts, stream)
		}
		messages = append(messages, text)
		read.Add(1)
	}
	return messages
}

// parse returns the fields of a JSON message.
func (a *attachedClient) parse(text string) (stream, data string, more bool) {
	var m struct {
		Stream, Data string
		More         bool
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		a.t.Errorf("%.100q: %v", text, err)
	}
	return m.Stream, m.Data, m.More
}

// TestBroadcastAtRandom: a client that attaches meanwhile gets a part of what the first client gets, without a
// gap, from the replay on.
func TestBroadcastAtRandom(t *testing.T) {
	t.Parallel()
	for mode := range framing.Framing(len(framing.Names())) {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			const messages, replay = 150, 7
			b := startBroadcast(t, Options{Framing: mode, Replay: replay, Slow: SlowBlock})
			first := b.join(link{})
			var written, read atomic.Int64
			var writing, visiting sync.WaitGroup
			all := map[string][]string{"stdout": hostile("stdout", messages)}
			if mode == framing.JSON {
				all["stderr"] = hostile("stderr", messages)
			}
			writing.Go(func() { b.writeRandomly(1, mode, all["stdout"], &written) }) // ends when it was read
			writing.Go(func() { b.writeRandomly(2, mode, all["stderr"], &written) })
			var done atomic.Bool
			go func() { // ends when everything was written
				writing.Wait()
				done.Store(true)
				b.puppet.exit(0, "")
			}()
			visits := make([][]visit, 3)
			for i := range visits {
				visiting.Go(func() { // ends when everything was written
					for !done.Load() {
						visits[i] = append(visits[i], b.visit(&read, &written))
					}
				})
			}
			got := first.some(math.MaxInt, mode == framing.JSON, &read)
			visiting.Wait()
			expectStreams(t, mode, got, all)
			var raw strings.Builder
			for _, m := range all["stdout"] {
				raw.WriteString(encoded(mode, m))
			}
			for _, v := range slices.Concat(visits...) {
				v.check(t, mode, got, raw.String(), replay)
			}
		})
	}
}

// visit is what a client received between attaching and detaching.
type visit struct {
	channels      bool
	got           []string
	read, written int // messages that the first client had read before, and that had been written afterwards
}

// visit attaches a client, reads some messages, and disconnects in any way.
func (b *broadcastChild) visit(read, written *atomic.Int64) visit {
	v := visit{read: int(read.Load()), channels: rand.N(4) == 0}
	l := link{}
	if v.channels {
		l.protocol = channel.ProtocolV5
	}
	c := b.join(l)
	v.written = int(written.Load())
	v.got = c.some(rand.N(40), b.opt.Framing == framing.JSON && !v.channels, new(atomic.Int64))
	switch rand.N(3) {
	case 0:
		c.Reset()
	case 1:
		c.Write(closeFrame(1000, "")) // fails if the child has ended before
	}
	c.lose()
	return v
}

// check looks for the received messages in what the first client got, or in stdout.
func (v visit) check(t *testing.T, f framing.Framing, all []string, raw string, replay int) {
	t.Helper()
	if v.channels {
		var stdout strings.Builder
		for _, m := range v.got {
			if m != "" && m[0] == channel.Stdout {
				stdout.WriteString(m[1:])
			}
		}
		if !strings.Contains(raw, stdout.String()) {
			t.Errorf("%d bytes of stdout are no part of it: %.100q", stdout.Len(), stdout.String())
		}
		return
	}
	from, to := max(0, v.read-replay), len(all)
	if f != framing.Bytes { // its messages are not counted
		to = min(to, max(0, v.written-replay)+len(v.got))
	}
	for k := from; k+len(v.got) <= to; k++ {
		if slices.Equal(all[k:k+len(v.got)], v.got) {
			return
		}
	}
	t.Errorf("%d messages are none of %d to %d of %d: %.200q", len(v.got), from, to, len(all), v.got)
}

// expectStreams checks that the first client got everything.
func expectStreams(t *testing.T, f framing.Framing, got []string, all map[string][]string) {
	t.Helper()
	for stream, messages := range all {
		want, came := messagesOf(f, messages), slices.Clone(got)
		switch f {
		case framing.JSON:
			want = nil
			for _, m := range messages {
				want = append(want, stream+":"+validText(m))
			}
			came = slices.DeleteFunc(came, func(m string) bool { return !strings.HasPrefix(m, stream+":") })
		case framing.Bytes:
			want, came = []string{strings.Join(want, "")}, []string{strings.Join(came, "")}
		}
		if !slices.Equal(came, want) {
			t.Errorf("%s: the first client got %d messages, want %d, or others", stream, len(came), len(want))
		}
	}
}
