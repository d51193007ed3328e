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

// hostile is output that is hard to split: messages longer than a frame, empty messages and
// bytes that are not UTF-8, between different short messages.
func hostile(name string, messages int) (list []string) {
	for i := range messages {
		m := fmt.Sprintf("%s %d", name, i)
		switch rand.N(20) {
		case 0:
			m += strings.Repeat("é€", 20_000+rand.N(20_000))
		case 1:
			m += strings.Repeat("x", framing.MaxWhole-len(m)+rand.N(3)-1)
		case 2, 3:
			m = ""
		case 4:
			m += "\xff\xe2\x82"
		case 5:
			m += strings.Repeat("\xf0\x9f", 40_000)
		}
		list = append(list, m)
	}
	return list
}

// write writes output in pieces of any size. It counts the messages that end in each piece
// in written.
func (p *puppet) write(t *testing.T, fd int, output []string, written *atomic.Int64) {
	for _, o := range output {
		written.Add(1)
		for len(o) > 0 {
			n := 1 + rand.N(min(len(o), 1<<(rand.N(18))))
			if _, err := p.far[fd].WriteString(o[:n]); err != nil {
				t.Error(err)
				return
			}
			o = o[n:]
		}
	}
}

// some reads up to n whole messages, fewer if the connection ends, and adds their number to
// read. The parts of a line that another stream interrupted count as one message.
func (v *broadcastConn) some(n int, read *atomic.Int64) (messages []string) {
	parts := map[string]string{}
	var whole []byte
	for len(messages) < n {
		f, err := v.frame()
		if err != nil || f.first&^fin == wire.OpClose {
			return messages
		}
		if whole = append(whole, f.payload...); f.first&fin == 0 {
			continue
		}
		text := string(whole)
		whole = whole[:0]
		var m struct {
			Stream, Data string
			More         bool
		}
		if v.shared.opt.Framing == framing.JSON && !v.encoding.channels {
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				v.t.Errorf("%.100q: %v", text, err)
			}
			if parts[m.Stream] += m.Data; m.More {
				continue
			}
			text = m.Stream + ":" + parts[m.Stream]
			delete(parts, m.Stream)
		}
		messages = append(messages, text)
		read.Add(1)
	}
	return messages
}

// TestHostileOutput: a client that attaches meanwhile gets a part of what the first client
// gets, without a gap, from the replay on.
func TestHostileOutput(t *testing.T) {
	t.Parallel()
	const messages, replay = 300, 7
	for mode := range framing.Framing(len(framing.Names())) {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			testHostileOutput(t, Options{Framing: mode}, messages, replay)
		})
	}
}

func testHostileOutput(t *testing.T, opt Options, messages, replay int) {
	child := newPuppet(t)
	b := startBroadcast(t, child, with(opt, func(o *Options) { o.Replay, o.Slow = replay, SlowBlock }))
	first := b.join(link{}, opt)
	var written, read atomic.Int64
	var writing, visiting sync.WaitGroup
	all := map[string][]string{"stdout": hostile("stdout", messages)}
	if opt.Framing == framing.JSON {
		all["stderr"] = hostile("stderr", messages)
	}
	for stream, fd := range map[string]int{"stdout": 1, "stderr": 2} {
		writing.Go(func() { child.write(t, fd, outputOf(opt.Framing, all[stream]), &written) }) // ends when it was read
	}
	done := make(chan struct{})
	go func() { // ends when everything was written
		writing.Wait()
		close(done)
		child.exit(0, "")
	}()
	visits := make([][]visit, 3)
	for i := range visits {
		visiting.Go(func() { // ends when everything was written
			for !closed(done) {
				visits[i] = append(visits[i], b.visit(opt, &read, &written))
			}
		})
	}
	got := first.some(math.MaxInt, &read)
	visiting.Wait()
	expectStreams(t, opt.Framing, got, all)
	raw := strings.Join(outputOf(opt.Framing, all["stdout"]), "")
	for _, x := range slices.Concat(visits...) {
		x.check(t, opt.Framing, got, raw, replay)
	}
}

// outputOf returns the output of a child for messages.
func outputOf(f framing.Framing, messages []string) (list []string) {
	for _, m := range messages {
		list = append(list, encoded(f, m))
	}
	return list
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// visit is what a client received between attaching and detaching.
type visit struct {
	channels      bool
	got           []string
	read, written int // messages that the first client had read before, and that had been written afterwards
}

// visit attaches a client with any encoding, reads some messages, and disconnects in any way.
func (a *broadcastChild) visit(opt Options, read, written *atomic.Int64) visit {
	x := visit{read: int(read.Load()), channels: rand.N(4) == 0}
	l := link{}
	if x.channels {
		l.protocol = channel.ProtocolV5
	}
	v := a.join(l, opt)
	x.written = int(written.Load())
	x.got = v.some(rand.N(40), new(atomic.Int64))
	switch rand.N(3) {
	case 0:
		v.reset()
	case 1:
		v.client.Write(closeFrame(1000, "")) // fails if the child has ended before
	}
	v.client.Close()
	v.summary()
	return x
}

// check looks for the received messages in what the first client got, or in stdout.
func (x visit) check(t *testing.T, f framing.Framing, all []string, raw string, replay int) {
	t.Helper()
	if x.channels {
		var stdout strings.Builder
		for _, m := range x.got {
			if m != "" && m[0] == channel.Stdout {
				stdout.WriteString(m[1:])
			}
		}
		if !strings.Contains(raw, stdout.String()) {
			t.Errorf("%d bytes of stdout are no part of it: %.100q", stdout.Len(), stdout.String())
		}
		return
	}
	from := max(0, x.read-replay)
	to := len(all)
	if f != framing.Bytes { // its messages are not counted
		to = min(to, max(0, x.written-replay)+len(x.got))
	}
	for k := from; k+len(x.got) <= to; k++ {
		if slices.Equal(all[k:k+len(x.got)], x.got) {
			return
		}
	}
	t.Errorf("%d messages are none of %d to %d of %d: %.200q", len(x.got), from, to, len(all), x.got)
}

// expectStreams checks that the first client got everything.
func expectStreams(t *testing.T, f framing.Framing, got []string, all map[string][]string) {
	t.Helper()
	for stream, messages := range all {
		var want, came []string
		for _, m := range messages {
			switch f {
			case framing.JSON:
				want = append(want, stream+":"+validText(m))
			case framing.Length, framing.Bytes:
				want = append(want, m)
			default:
				want = append(want, validText(m))
			}
		}
		for _, m := range got {
			if f != framing.JSON || strings.HasPrefix(m, stream+":") {
				came = append(came, m)
			}
		}
		if f == framing.Bytes {
			want, came = []string{strings.Join(want, "")}, []string{strings.Join(came, "")}
		}
		if !slices.Equal(came, want) {
			t.Errorf("%s: the first client got %d messages, want %d, or others", stream, len(came), len(want))
		}
	}
}
