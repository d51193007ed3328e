//go:build unix

package bridge

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

var onWspipe = link{protocol: channel.ProtocolWspipe}

// settled reads what a client of a shared child, or of a session, gets first.
func (c *client) settled() {
	c.t.Helper()
	if number, hello := c.channelMessage(); number != channel.Control || !strings.Contains(hello, `"hello"`) {
		c.t.Fatalf("%s on channel %d", hello, number)
	}
	c.expectOn(channel.Stdout, "")
}

// A few messages for a paused client are held for it, and sent in order, long and short ones.
// The other clients get them at once.
func TestPausedClient(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]SlowPolicy{"disconnect": SlowDisconnect, "drop": SlowDrop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			b := startBroadcast(t, child, Options{Slow: policy})
			paused, other := b.join(onWspipe, Options{}), b.join(link{}, Options{})
			paused.settled()
			want := ""
			for round := range 5 {
				paused.pause()
				paused.stillQuiet()
				before := paused.sequencer.total.messages.Load()
				for i := range 50 {
					line := strings.Repeat(fmt.Sprint(round, i), 1+i%7*600)
					child.print(t, line+"\n")
					other.expect(line)
					want += line + "\n"
				}
				wspipetest.Eventually(t, "it has been given to the paused one", func() bool { return paused.sequencer.total.messages.Load() >= before+50 })
				paused.stillQuiet() // though more is held than a client may have queued that gets pongs
				paused.goOn()
				if got := paused.stdout(len(want)); got != want {
					t.Fatalf("round %d: %d bytes arrived, want %d", round, len(got), len(want))
				}
				want = ""
			}
			paused.pause()
			paused.stillQuiet()
			child.print(t, "last words\n")
			other.expect("last words")
			child.exit(3, "")
			other.expectClose(1000, "exit 3")
			paused.stillQuiet() // it has not even got the exit
			paused.goOn()
			paused.expectOn(channel.Stdout, "last words\n")
			paused.expectOn(channel.Control, `{"type":"exit","code":3}`)
			paused.channelMessage()
			paused.expectClose(1000, "exit 3")
		})
	}
}

// A client that is paused for too long is treated like one that does not read, and takes no
// more memory.
func TestClientPausedForTooLong(t *testing.T) {
	t.Parallel()
	const lines = 250_000
	for name, policy := range map[string]SlowPolicy{"disconnect": SlowDisconnect, "drop": SlowDrop, "block": SlowBlock} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			b := startBroadcast(t, child, Options{Slow: policy})
			paused, other := b.join(onWspipe, Options{}), b.join(link{}, Options{})
			paused.settled()
			paused.pause()
			paused.stillQuiet()
			written := child.trickle(numbered(lines))
			if policy == SlowBlock {
				go func() { <-discard(other.client.Conn) }() // ends with the client
				paused.heldUp(written)
				paused.goOn()
				if paused.stdout(len(numbered(lines))) != numbered(lines) {
					t.Error("the output differs")
				}
				return
			}
			for i := range lines {
				if i%1000 == 0 && paused.wire.Out.Backlog() > 2*maxBacklog {
					t.Fatalf("%d bytes held", paused.wire.Out.Backlog())
				}
				other.expect(fmt.Sprint(i + 1))
			}
			switch policy {
			case SlowDrop:
				paused.stillQuiet()
				paused.goOn()
				paused.expectTheEndOf(numbered(lines))
				child.exit(0, "")
			default:
				expectSlow(paused.client)
			}
		})
	}
}

// expectTheEndOf reads the end of text, at most as much as may be queued.
func (v *broadcastConn) expectTheEndOf(text string) {
	v.t.Helper()
	got := ""
	for !strings.HasSuffix(got, text[len(text)-10:]) {
		got += v.stdout(1)
	}
	if len(got) > 2*maxBacklog || len(got) < maxBacklog/2 || !strings.HasSuffix(text, got) {
		v.t.Errorf("%d bytes arrived, %.20q to %q", len(got), got, got[max(0, len(got)-20):])
	}
}

// expectSlow reads to the close frame for a slow client.
func expectSlow(c *client) {
	c.t.Helper()
	for {
		f, err := c.frame()
		if err != nil {
			c.t.Fatal(err)
		}
		if f.first == fin|wire.OpClose {
			if !strings.HasPrefix(string(f.payload[2:]), "too slow: ") {
				c.t.Errorf("closed with %q", f.payload)
			}
			return
		}
	}
}

// TestPausedClientEnds: a paused client of a shared child that disconnects, or is
// disconnected, blocks nobody.
func TestPausedClientEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*broadcastConn){
		"closes":         func(v *broadcastConn) { v.client.Close() },
		"resets":         func(v *broadcastConn) { v.reset() },
		"says so":        func(v *broadcastConn) { v.write(closeFrame(1000, "")) },
		"shutdown":       func(v *broadcastConn) { v.Shutdown() },
		"breaks a rule":  func(v *broadcastConn) { v.write([]byte{0xff, 0x80, 0, 0, 0, 0}) },
		"abort":          func(v *broadcastConn) { v.Abort() },
		"the child's":    func(v *broadcastConn) { v.shared.Stop(); v.goOn() },
		"the child's, 2": func(v *broadcastConn) { v.shared.Stop(); v.client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBroadcast(t, startShell(t, "read go; exec yes"), Options{Slow: SlowBlock})
			v, other := b.join(onWspipe, Options{}), b.join(link{}, Options{})
			v.settled()
			v.pause()
			v.stillQuiet()
			other.send("go")
			other.expect("y", "y", "y")
			go func() { <-discard(other.client.Conn) }() // ends with the client
			end(v)
			for { // until either side has closed it
				if f, err := v.frame(); err != nil || f.first == fin|wire.OpClose {
					break
				}
			}
			v.client.Close()
			v.summary()
		})
	}
}

// A client of a mux is paused alone. A close command of the child follows what was sent
// before.
func TestPausedMuxClient(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	paused, other := s.join(onWspipe, Options{}), s.join(onWspipe, Options{})
	paused.settled()
	other.settled()
	paused.pause()
	paused.stillQuiet()
	s.print(t, muxMessage("*", "one")+muxMessage(paused.MuxID(), "two")+muxMessage(other.MuxID(), "three"))
	other.expectOn(channel.Stdout, "one\n", "three\n")
	paused.stillQuiet()
	paused.client.say(channel.Stdin, "from it\n")
	s.expectMessages(paused, "from it")
	paused.goOn()
	paused.expectOn(channel.Stdout, "one\n", "two\n")
	paused.pause()
	paused.stillQuiet()
	s.print(t, muxMessage("*", "last")+fmt.Sprintf(`{"close":%q,"reason":"bye"}`, paused.MuxID())+"\n")
	paused.expectOn(channel.Stdout, "last\n")
	paused.expectOn(channel.Error, success)
	paused.expectClose(1000, "bye")
	other.expectOn(channel.Stdout, "last\n")
}

// A client of a mux that is paused for too long is slow, too.
func TestMuxClientPausedForTooLong(t *testing.T) {
	t.Parallel()
	const letters = 6_000 // of 300 bytes each
	for name, policy := range map[string]SlowPolicy{"disconnect": SlowDisconnect, "drop": SlowDrop, "block": SlowBlock} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startMux(t, Options{Slow: policy})
			paused, other := s.join(onWspipe, Options{}), s.join(link{}, Options{})
			paused.settled()
			paused.pause()
			paused.stillQuiet()
			var text strings.Builder
			for i := range letters {
				text.WriteString(muxMessage("*", fmt.Sprintf("%0300d", i)))
			}
			written := s.trickle(text.String())
			if policy == SlowBlock {
				go func() { <-discard(other.client.Conn) }() // ends with the client
				paused.heldUp(written)
				paused.goOn()
				wspipetest.Eventually(t, "all is written", func() bool { return written.Load() == int64(text.Len()) })
				go func() { <-discard(paused.client.Conn) }() // ends with the client
				return
			}
			for i := range letters {
				if i%100 == 0 && paused.wire.Out.Backlog() > 2*maxBacklog {
					t.Fatalf("%d bytes held", paused.wire.Out.Backlog())
				}
				other.expect(fmt.Sprintf("%0300d", i))
			}
			switch policy {
			case SlowDisconnect:
				expectSlow(paused.client)
			case SlowDrop:
				paused.stillQuiet()
				if n := paused.wire.Out.Backlog(); n < maxBacklog/2 || paused.dropped.Load() == 0 {
					t.Errorf("%d bytes held, %d messages are lost", n, paused.dropped.Load())
				}
			}
		})
	}
}

// A paused client blocks the child of its session. A client that attaches again is not
// paused any more.
func TestPausedAttachment(t *testing.T) {
	t.Parallel()
	const last = 300_000
	text := numbered(last)
	child := newPuppet(t)
	r := startResumableOver(t, link{network: "tcp", protocol: channel.ProtocolWspipe}, child, with(named, func(o *Options) { o.Channels, o.Buffer = true, 256<<10 }))
	a := r.reattach(-1)
	a.settled()
	a.pause()
	a.stillQuiet()
	written := child.trickle(text)
	wspipetest.Eventually(t, "the child has to wait", func() bool { return written.Load() >= pipeful && r.history.full() })
	a.stillQuiet()
	if n := written.Load(); n > 512<<10 {
		t.Errorf("the child has written %d bytes", n)
	}
	a.goOn()
	got, messages := a.some(len(text) / 2)
	a.pause()
	a.quiet(func(m []byte) {
		got += string(m[1:])
		messages++
	})
	a.loseConnection()
	a = r.reattach(int64(messages))
	a.settled()
	got += a.stdout(len(text) - len(got))
	if got != text {
		t.Error("the output differs")
	}
	a.pause()
	a.stillQuiet()
	child.exit(3, "")
	a.stillQuiet()
	a.loseConnection()
	a = r.reattach(-1)
	a.settled()
	for number := channel.Stdout; number != channel.Control; {
		number, _ = a.channelMessage()
	}
	a.channelMessage()
	a.expectClose(1000, "exit 3")
	a.summary()
	wspipetest.Wait(t, "the end of the session", r.ended)
	r.ended <- ""
}

// some reads at least n bytes of stdout, and counts messages.
func (a *resumeConn) some(n int) (got string, messages int) {
	a.client.t.Helper()
	for len(got) < n {
		got += a.stdout(1)
		messages++
	}
	return got, messages
}

// TestPausesAndEndsAtRandom: a client that pauses and continues at any moment gets every
// byte, and any end of the connection meanwhile takes effect.
func TestPausesAndEndsAtRandom(t *testing.T) {
	t.Parallel()
	const last = 100_000
	ends := []func(*session){
		func(*session) {}, // the child's exit
		func(*session) {},
		func(s *session) { s.Client.Shutdown() },
		func(s *session) { s.client.Close() },
		func(s *session) { s.Write(closeFrame(1000, "")) },
		func(s *session) { s.Client.Abort() },
	}
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(5, seed))
			end := ends[random.IntN(len(ends))]
			endAt := random.IntN(last * 5)
			s := onChannels(t, channel.ProtocolWspipe, startShell(t, fmt.Sprintf("seq %d & seq %d >&2; wait", last, last)), named)
			s.greeted()
			var talking sync.WaitGroup
			talking.Go(func() { // ends with the connection
				for {
					for range 1 + random.IntN(3) {
						s.Write(maskedFrame(fin|opBinary, []byte("\x05"+`{"type":"pause"}`)))
					}
					s.Write(maskedFrame(fin|opBinary, []byte("\x00input\n")))
					if _, err := s.Write(maskedFrame(fin|opBinary, []byte("\x05"+`{"type":"continue"}`))); err != nil {
						return
					}
				}
			})
			var streams [6]strings.Builder
			total := 0
			for {
				f, err := s.frame()
				if err != nil || f.first == fin|wire.OpClose {
					break
				}
				streams[f.payload[0]].Write(f.payload[1:])
				if before := total; before <= endAt {
					if total += len(f.payload); total > endAt {
						end(s)
					}
				}
			}
			s.client.Close()
			talking.Wait()
			for i := 1; i <= 2; i++ {
				if got := streams[i].String(); !strings.HasPrefix(numbered(last), got) || len(got) < len(numbered(last)) && streams[channel.Control].Len() > 0 {
					t.Errorf("%d bytes of stream %d arrived, want %d", len(got), i, len(numbered(last)))
				}
			}
			s.summary()
		})
	}
}
