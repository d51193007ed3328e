//go:build unix

package bridge

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

func (c *client) pause() { c.say(channel.Control, `{"type":"pause"}`) }
func (c *client) goOn()  { c.say(channel.Control, `{"type":"continue"}`) }

// quietRounds is after how many pongs in a row, and nothing else, no message is in flight any
// more.
const quietRounds = 20

// quiet reads until only pongs arrive, and passes messages of the streams on.
func (c *client) quiet(message func(m []byte)) {
	c.t.Helper()
	for rounds, pings := 0, 0; rounds < quietRounds; {
		pings++
		ping := fmt.Sprint(pings)
		c.write(maskedFrame(fin|opPing, []byte(ping)))
		for pong := false; !pong; {
			c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			if _, err := c.br.Peek(1); errors.Is(err, os.ErrDeadlineExceeded) {
				break // a server with much to send does not reply to pings
			}
			c.SetReadDeadline(time.Now().Add(wspipetest.Lifetime))
			f, err := c.frame()
			switch {
			case err != nil:
				c.t.Fatalf("want a pong: %v", err)
			case f.first == fin|opPong:
				if pong = string(f.payload) == ping; pong { // otherwise it is late
					rounds++
				}
			case f.first == fin|opBinary && (f.payload[0] == channel.Stdout || f.payload[0] == channel.Stderr):
				message(f.payload)
				rounds = 0
			case f.first != fin|opPing:
				c.t.Fatalf("in a pause %#x %.100q", f.first, f.payload)
			}
		}
	}
	c.SetReadDeadline(time.Now().Add(wspipetest.Lifetime))
}

// stillQuiet fails if anything but pongs arrives.
func (c *client) stillQuiet() {
	c.t.Helper()
	c.quiet(func(m []byte) { c.t.Fatalf("in a pause %d bytes arrived: %.100q", len(m), m) })
}

// stdout reads n bytes of stdout.
func (c *client) stdout(n int) string {
	c.t.Helper()
	var got strings.Builder
	for got.Len() < n {
		number, payload := c.channelMessage()
		if number != channel.Stdout {
			c.t.Fatalf("%.200q on channel %d after %d bytes of %d", payload, number, got.Len(), n)
		}
		got.WriteString(payload)
	}
	return got.String()
}

// numbered returns n numbered lines.
func numbered(n int) string { return strings.Join(numbers(1, n), "\n") + "\n" }

// trickle writes text to the puppet's stdout, as it is read, and counts the bytes.
func (p *puppet) trickle(text string) (written *atomic.Int64) {
	written = new(atomic.Int64)
	go func() { // ends when everything was read, or with the child
		for rest := text; rest != ""; {
			n, err := io.WriteString(p.far[1], rest[:min(1000, len(rest))])
			written.Add(int64(n))
			if err != nil {
				return
			}
			rest = rest[n:]
		}
	}()
	return written
}

// pipeful is roughly the capacity in bytes of a pipe to which lines are written.
const pipeful = 60_000

// heldUp waits, in a pause, until the child's writes block, which must be soon.
func (c *client) heldUp(written *atomic.Int64) {
	c.t.Helper()
	wspipetest.Eventually(c.t, "the child has filled the pipe", func() bool { return written.Load() >= pipeful })
	for before := int64(-1); written.Load() != before; {
		before = written.Load()
		c.stillQuiet()
	}
	if n := written.Load(); n > 2*pipeful+wire.BlockSize {
		c.t.Errorf("the child has written %d bytes", n)
	}
}

// A pause blocks the child like a client that does not read. Messages and pings of the client
// are still handled, and nothing is lost.
func TestPauseBlocksTheChild(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]link{"TCP": {}, "TLS": {tls: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l.protocol = channel.ProtocolWspipe
			child := newPuppet(t)
			s := startOver(t, l, child, Options{Terminal: true})
			s.expectOn(channel.Control, `{"type":"hello","session":"the session","pty":true,"pid":1}`)
			s.expectOn(channel.Stdout, "")
			text := numbered(200_000)
			s.goOn() // without a pause
			s.pause()
			s.pause()
			s.stillQuiet()
			written := child.trickle(text)
			s.heldUp(written)
			s.say(channel.Stdin, "input\n")
			child.read(t, len("input\n"))
			s.say(channel.Control, `{"type":"signal","signal":"INT"}`)
			s.say(channel.Control, `{"type":"resize","cols":100,"rows":30}`)
			for _, want := range []string{"signal INT", "size 100x30"} {
				if got := wspipetest.Wait(t, "what the child is told", child.told); got != want {
					t.Errorf("the child gets %s, want %s", got, want)
				}
			}
			s.stillQuiet()
			s.goOn()
			s.goOn()
			if s.stdout(len(text)) != text {
				t.Error("the output differs")
			}
			child.exit(0, "")
			s.expectOn(channel.Control, `{"type":"exit","code":0}`)
			s.expectOn(channel.Error, success)
			s.expectClose(1000, "exit 0")
		})
	}
}

// Both streams of a flood are paused repeatedly, and no byte of either is lost.
func TestPausesInAFlood(t *testing.T) {
	t.Parallel()
	const last = 200_000
	want := numbered(last)
	s := onChannels(t, channel.ProtocolWspipe, startShell(t, fmt.Sprintf("seq %d >&2 & seq %d; wait; read end; exit 3", last, last)), named)
	s.greeted()
	var streams [3]strings.Builder
	for i := 0; streams[1].Len()+streams[2].Len() < 2*len(want); i++ {
		if i%50 == 10 {
			s.pause()
			s.quiet(func(m []byte) { streams[m[0]].Write(m[1:]) })
			wspipetest.Eventually(t, "nothing waits for the client", func() bool { return s.wire.Out.Waiting() == 0 })
			s.goOn()
			continue // everything may have arrived
		}
		number, payload := s.channelMessage()
		streams[number].WriteString(payload)
	}
	s.say(channel.Stdin, "end\n")
	s.expectOn(channel.Control, `{"type":"exit","code":3}`)
	s.expectOn(channel.Error, failed("3", "exit status 3"))
	s.expectClose(1000, "exit 3")
	for i := 1; i <= 2; i++ {
		if streams[i].String() != want {
			t.Errorf("%d bytes of stream %d arrived, want %d", streams[i].Len(), i, len(want))
		}
	}
}

// If a child exits in a pause, the rest of its output and its exit follow after the pause.
func TestChildExitsInAPause(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text, signal, exit string
		code               int
	}{
		"with output": {numbered(10_000), "", `{"type":"exit","code":0}`, 0},
		"without":     {"", "", `{"type":"exit","code":3}`, 3},
		"killed":      {numbered(10_000), "KILL", `{"type":"exit","signal":"KILL"}`, 137},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			s := onChannels(t, channel.ProtocolWspipe, child, named)
			s.greeted()
			s.pause()
			s.stillQuiet()
			written := child.trickle(test.text)
			wspipetest.Eventually(t, "all is written", func() bool { return written.Load() == int64(len(test.text)) })
			child.exit(test.code, test.signal)
			s.stillQuiet()
			s.goOn()
			if got := s.stdout(len(test.text)); got != test.text {
				t.Errorf("%d bytes arrived, want %d", len(got), len(test.text))
			}
			s.expectOn(channel.Control, test.exit)
			s.channelMessage()
			s.expectClose(1000, endExit(test.code, test.signal, false).Reason)
		})
	}
}

// The same holds for a child that has closed its output before, when nothing else waits.
func TestSilentChildExitsInAPause(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := onChannels(t, channel.ProtocolWspipe, child, named)
	s.greeted()
	child.far[1].Close()
	child.far[2].Close()
	s.stillQuiet() // by then the session has read both streams to the end
	s.pause()
	s.stillQuiet()
	child.exit(3, "")
	s.stillQuiet()
	s.goOn()
	s.expectOn(channel.Control, `{"type":"exit","code":3}`)
	s.channelMessage()
	s.expectClose(1000, "exit 3")
}

// Each end takes effect in a pause at once, whether the child still runs or has exited.
func TestEndsInAPause(t *testing.T) {
	t.Parallel()
	soon := 2 * time.Second
	for name, test := range map[string]struct {
		opt    Options
		end    func(*session)
		code   int
		reason string // of our close frame, if any
	}{
		"client closes":  {Options{}, func(s *session) { s.client.Close() }, 1006, ""},
		"client resets":  {Options{}, func(s *session) { s.reset() }, 1006, ""},
		"client's frame": {Options{}, func(s *session) { s.write(closeFrame(4321, "bye")) }, 4321, ""},
		"abort":          {Options{}, func(s *session) { s.Client.Abort() }, 1006, ""},
		"shutdown":       {Options{}, func(s *session) { s.Client.Shutdown() }, 1001, "server shutting down"},
		"max runtime":    {Options{MaxRuntime: soon}, func(*session) {}, 4001, "max runtime"},
		"idle timeout":   {Options{IdleTimeout: soon}, func(*session) {}, 4002, "idle timeout"},
		"no pongs":       {Options{PingInterval: soon}, func(*session) {}, 1008, "no answer to pings"},
		"too big":        {Options{MaxMessage: 10}, func(s *session) { s.say(channel.Stdin, "much too long") }, 1009, "message over 10 bytes"},
	} {
		for what, script := range map[string]string{"running": "exec yes", "exited": "printf 'last words'"} {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				opt := test.opt
				s := onChannels(t, channel.ProtocolWspipe, startShell(t, "read go; "+script), opt)
				s.greeted()
				s.pause()
				s.say(channel.Stdin, "go\n")
				if what == "exited" {
					wspipetest.Wait(t, "the child's exit", s.child.(*shell).exited)
				}
				test.end(s)
				if test.reason != "" {
					s.toStatus(channel.Failure(test.reason))
					s.expectClose(test.code, test.reason)
				}
				if sum := s.summary(); int(sum.Code) != test.code {
					t.Errorf("summary %+v, want code %d", sum, test.code)
				}
			})
		}
	}
}

// toStatus expects status, and no other message, before the end of the connection.
func (s *session) toStatus(status channel.Status) {
	s.t.Helper()
	for {
		f, err := s.frame()
		switch {
		case err != nil:
			s.t.Fatal(err)
		case f.first == fin|opPing || f.first == fin|opPong:
		case string(f.payload) != string(channel.Encode(channel.Error, status)):
			s.t.Fatalf("in a pause %.100q", f.payload)
		default:
			return
		}
	}
}

// A client that sends more than may be queued for the child is read again only after the child
// has read some of it, and the child may have to write first. So a pause must not make them
// wait for each other.
func TestPauseIsNoDeadlock(t *testing.T) {
	t.Parallel()
	text := numbered(800_000)
	s := onChannels(t, channel.ProtocolWspipe, startShell(t, "exec cat"), named)
	s.greeted()
	s.pause()
	s.stillQuiet()
	go func() { // ends when everything was read
		for rest := text; rest != ""; {
			n := min(len(rest), 100_000)
			s.client.Write(maskedFrame(fin|opBinary, append([]byte{channel.Stdin}, rest[:n]...)))
			rest = rest[n:]
		}
		s.client.Write(maskedFrame(fin|opBinary, []byte("\x05"+`{"type":"continue"}`)))
		s.client.Write(maskedFrame(fin|opBinary, []byte{channel.Close, channel.Stdin}))
	}()
	if s.stdout(len(text)) != text {
		t.Error("the echo differs")
	}
	s.expectOn(channel.Control, `{"type":"exit","code":0}`)
}

// The pause continues once the client is read again.
func TestPauseContinuesAfterMuchInput(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := onChannels(t, channel.ProtocolWspipe, child, named)
	s.greeted()
	s.pause()
	for range 2 * maxInputBacklog / 50_000 {
		go s.client.Write(maskedFrame(fin|opBinary, make([]byte, 50_000))) // ends when it was read
	}
	wspipetest.Eventually(t, "the client waits", func() bool { return s.stdin.Waiting() > maxInputBacklog && !s.wire.Out.Paused() })
	child.print(t, "the client is not heard")
	s.stdout(len("the client is not heard"))
	go io.Copy(io.Discard, child.far[0]) // ends with stdin
	wspipetest.Eventually(t, "all is read", func() bool { return s.input.total.messages.Load() == 2*maxInputBacklog/50_000 })
	wspipetest.Eventually(t, "the child has it", func() bool { return s.stdin.Waiting() == 0 })
	s.stillQuiet()
	child.print(t, "the client is heard")
	s.stillQuiet()
	s.goOn()
	s.stdout(len("the client is heard"))
}

// The Kubernetes protocols have no pause.
func TestPauseIsForWspipeOnly(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{channel.ProtocolV5, channel.ProtocolV4} {
		child := newPuppet(t)
		s := onChannels(t, protocol, child, named)
		s.greeted()
		s.pause()
		s.stillQuiet()
		child.print(t, "output")
		s.expectOn(channel.Stdout, "output")
	}
}
