//go:build unix

package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// onChannels runs a session whose client uses protocol.
func onChannels(t testing.TB, protocol string, child Child, opt Options) *session {
	t.Helper()
	return startOver(t, link{buffers: 256 << 10, protocol: protocol}, child, opt)
}

// say sends a binary message on a channel.
func (c *client) say(number byte, payload string) {
	c.t.Helper()
	c.write(maskedFrame(fin|opBinary, append([]byte{number}, payload...)))
}

// channelMessage reads a message on a channel.
func (c *client) channelMessage() (number byte, payload string) {
	c.t.Helper()
	opcode, m, frames := c.message()
	if opcode != opBinary || frames != 1 || m == "" || len(m) > maxStreamMessage {
		c.t.Fatalf("message of %d bytes, opcode %d, in %d frames", len(m), opcode, frames)
	}
	return m[0], m[1:]
}

// expectOn reads messages on a channel, which must equal want.
func (c *client) expectOn(number byte, want ...string) {
	c.t.Helper()
	for _, w := range want {
		if ch, got := c.channelMessage(); ch != number || got != w {
			c.t.Fatalf("%.200q on channel %d, want %.200q on %d", got, ch, w, number)
		}
	}
}

// greeted reads the hello messages.
func (s *session) greeted() {
	s.t.Helper()
	if s.transport.(*webSocket).protocol == channel.ProtocolWspipe {
		s.expectOn(channel.Control, fmt.Sprintf(`{"type":"hello","session":"the session","pty":false,"pid":%d}`, s.child.Pid()))
	}
	s.expectOn(channel.Stdout, "")
}

// streams reads to the first message on a channel other than stdout and stderr.
func (c *client) streams() (stdout, stderr string, number byte, other string) {
	c.t.Helper()
	var text [3]bytes.Buffer
	for {
		number, payload := c.channelMessage()
		if number != channel.Stdout && number != channel.Stderr {
			return text[1].String(), text[2].String(), number, payload
		}
		if payload == "" {
			c.t.Error("an empty message")
		}
		text[number].WriteString(payload)
	}
}

var named = Options{InputTimeout: -1}

const success = `{"metadata":{},"status":"Success"}`

// eachProtocol runs test with each of Protocols.
func eachProtocol(t *testing.T, test func(t *testing.T, protocol string)) {
	for _, protocol := range channel.Protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			test(t, protocol)
		})
	}
}

func failed(code, how string) string {
	return `{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: ` + how +
		`","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"` + code + `"}]}}`
}

// A whole session, message by message, for each framing.
func TestChannels(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ script, exit, status, reason string }{
		{"exit 0", `{"type":"exit","code":0}`, success, "exit 0"},
		{"exit 3", `{"type":"exit","code":3}`, failed("3", "exit status 3"), "exit 3"},
		{"kill -TERM $$", `{"type":"exit","signal":"TERM"}`, failed("143", "signal TERM"), "signal TERM"},
	} {
		for _, name := range framing.Names() {
			mode, _ := framing.Parse(name)
			t.Run(fmt.Sprint(test.script, "/", framing.Framing(mode)), func(t *testing.T) {
				t.Parallel()
				eachProtocol(t, func(t *testing.T, protocol string) {
					opt := named
					opt.Framing = framing.Framing(mode)
					child := startShell(t, `read l; printf "a\0\r\n$l\377"; read l; printf "$l\n" >&2; read l; `+test.script)
					s := onChannels(t, protocol, child, opt)
					s.greeted()
					s.say(channel.Stdin, "one\n")
					s.expectOn(channel.Stdout, "a\x00\r\none\xff")
					s.say(channel.Stdin, "tw")
					s.say(channel.Stdin, "o\n")
					s.expectOn(channel.Stderr, "two\n")
					s.say(channel.Stdin, "\n")
					if protocol == channel.ProtocolWspipe {
						s.expectOn(channel.Control, test.exit)
					}
					s.expectOn(channel.Error, test.status)
					s.expectClose(1000, test.reason)
					sum := s.summary()
					if sum.In != (Traffic{4, 9}) || sum.Out != (Traffic{2, 12}) {
						t.Errorf("counted %+v and %+v", sum.In, sum.Out)
					}
				})
			})
		}
	}
}

// Both streams are complete before the exit, in messages that every client accepts.
func TestChannelsStreamsAreComplete(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, protocol string) {
		for _, limit := range []int64{0, 1 << 20, 1000, 2} {
			opt, size := named, 1_000_000
			if opt.MaxMessage = limit; limit > 0 {
				size = min(size, int(limit)*1000)
			}
			child := newPuppet(t)
			s := onChannels(t, protocol, child, opt)
			var text [3]string
			for i := 1; i <= 2; i++ {
				text[i] = strings.Repeat(fmt.Sprint(i, "\n\xff\x00"), size/5)
			}
			go func() { // ends when the client has read everything
				done := make(chan bool)
				go func() { io.WriteString(child.far[1], text[1]); done <- true }() // ends when the client has read everything
				io.WriteString(child.far[2], text[2])
				<-done
				child.exit(0, "")
			}()
			s.greeted()
			stdout, stderr, number, _ := s.streams()
			if stdout != text[1] || stderr != text[2] {
				t.Errorf("limit %d: %d and %d bytes arrived of %d and %d", limit, len(stdout), len(stderr), len(text[1]), len(text[2]))
			}
			if want := map[bool]byte{true: channel.Control, false: channel.Error}[protocol == channel.ProtocolWspipe]; number != want {
				t.Errorf("then a message on channel %d", number)
			}
			s.expectClose(1000, "exit 0")
		}
	})
}

// No message is longer than MaxMessage, if possible.
func TestChannelsMessageSize(t *testing.T) {
	t.Parallel()
	const second = channelRoom + 60_000 - (wire.SmallBlock - channelRoom) // everything printed, without the first read
	for limit, most := range map[int64]int{0: second, -1: second, 1 << 20: second, 1000: 1000, 2: 2, 1: 2} {
		child := newPuppet(t)
		s := onChannels(t, channel.ProtocolV5, child, Options{MaxMessage: limit})
		s.greeted()
		child.print(t, strings.Repeat("x", 60_000))
		child.exit(0, "")
		longest, bytes := 0, 0
		for bytes < 60_000 {
			_, payload := s.channelMessage()
			bytes += len(payload)
			longest = max(longest, len(payload)+1)
		}
		if longest != most {
			t.Errorf("limit %d: a message of %d bytes, want %d", limit, longest, most)
		}
		s.expectOn(channel.Error, success)
		s.expectClose(1000, "exit 0")
	}
}

// Every end except the child's exit is sent as a failure before the close frame, and nothing
// follows, although both streams flood.
func TestChannelsEndInAFlood(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opt    Options
		end    func(*session)
		code   int
		reason string
	}{
		"shutdown":    {Options{}, func(s *session) { s.Client.Shutdown() }, 1001, "server shutting down"},
		"max runtime": {Options{MaxRuntime: 3 * time.Second}, func(s *session) { wspipetest.Wait(s.t, "the child's exit", s.child.(*shell).exited) }, 4001, "max runtime"},
		"too big":     {Options{MaxMessage: 32 << 10}, func(s *session) { s.say(channel.Stdin, strings.Repeat("x", 32<<10)) }, 1009, "message over 32768 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachProtocol(t, func(t *testing.T, protocol string) {
				opt := test.opt
				s := onChannels(t, protocol, startShell(t, "yes >&2 & exec yes"), opt)
				s.greeted()
				s.channelMessage()
				test.end(s)
				_, _, number, status := s.streams()
				want := `{"metadata":{},"status":"Failure","message":"` + test.reason + `","reason":"InternalError","code":500}`
				if number != channel.Error || status != want {
					t.Errorf("%s on channel %d", status, number)
				}
				f, err := s.frame()
				if err != nil || f.first != fin|wire.OpClose || string(f.payload) != string([]byte{byte(test.code >> 8), byte(test.code)})+test.reason {
					t.Errorf("after the status %v, %v", f, err)
				}
			})
		})
	}
}

// A session that ends before Run sends hello first, or nothing.
func TestChannelsShutdownBeforeRun(t *testing.T) {
	t.Parallel()
	for range 20 {
		c, ws, conn := connect(t, link{protocol: channel.ProtocolWspipe})
		s := newSession(ws, conn, startShell(t, "exec cat"), named)
		s.Shutdown()
		ended := make(chan Summary, 1)
		go func() { ended <- s.Run() }() // ends when the client has replied
		var channels []byte
		for {
			f, err := c.frame()
			if err != nil {
				t.Fatal(err)
			}
			if f.first == fin|wire.OpClose {
				c.write(maskedFrame(fin|wire.OpClose, f.payload))
				break
			}
			channels = append(channels, f.payload[0])
		}
		if got := string(channels); got != "\x03" && got != "\x05\x01\x03" {
			t.Errorf("messages on channels %q before the end", got)
		}
		c.Close()
		wspipetest.Wait(t, "the end of Run", ended)
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	for _, protocol := range append([]string{""}, channel.Protocols...) {
		c, ws, conn := connect(t, link{protocol: protocol})
		done := make(chan bool)
		go func() { // ends when the client has replied
			NewWebSocket(ws, conn, false).Refuse("no such file")
			<-conn.Closed()
			done <- true
		}()
		if protocol != "" {
			c.expectOn(channel.Error, `{"metadata":{},"status":"Failure","message":"cannot start: no such file","reason":"InternalError","code":500}`)
		}
		c.expectClose(1011, "cannot start: no such file")
		wspipetest.Wait(t, "the end", done)
	}
}

// The JSON of a status matches the Kubernetes types.
func TestStatusIsJSON(t *testing.T) {
	t.Parallel()
	for _, status := range []channel.Status{channel.ExitStatus(0, ""), channel.ExitStatus(3, ""), channel.ExitStatus(137, "KILL"), channel.Failure("\"quoted\"\xff")} {
		m := channel.Encode(channel.Error, status)
		var got channel.Status
		if err := json.Unmarshal(m[1:], &got); err != nil || m[0] != channel.Error || got.Status != status.Status {
			t.Errorf("%q: %v", m, err)
		}
	}
}
