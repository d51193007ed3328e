//go:build unix

package bridge

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// event is an event that a Mux child reads.
type event struct {
	Event, Client string
	Env           map[string]string
	Data, Base64  *string
	Code          int
}

// muxChild is a running Mux, whose child is a puppet.
type muxChild struct {
	*mux
	*puppet
	t      testing.TB
	events *bufio.Reader
	ended  chan string
}

// startMux runs a mux, whose child is stopped when the test ends.
func startMux(t testing.TB, opt Options) *muxChild {
	t.Helper()
	child := newPuppet(t)
	child.far[0].SetReadDeadline(time.Now().Add(wspipetest.Lifetime))
	opt.Kind = Mux
	s := &muxChild{mux: New(child, opt).kind.(*mux), puppet: child, t: t, events: bufio.NewReader(child.far[0]), ended: make(chan string, 1)}
	go func() { // ends with the child
		code, signal := s.Run()
		s.ended <- fmt.Sprint(code, signal)
	}()
	t.Cleanup(func() {
		s.mux.Stop()
		wspipetest.Wait(t, "the end of the mux", s.ended)
	})
	return s
}

// muxConn is a client of a muxChild.
type muxConn struct {
	*client
	*muxClient
	ended chan Summary
}

// dial connects a client.
func (s *muxChild) dial(l link, opt Options) *muxConn {
	s.t.Helper()
	c, ws, conn := connect(s.t, l)
	return s.admit(c, attach(s.t, s.Bridge, opt, NewWebSocket(ws, conn, l.compress), ClientOptions{Env: []string{"NAME=" + l.protocol}}))
}

func (s *muxChild) admit(c *client, m *Client) *muxConn {
	v := &muxConn{client: c, muxClient: m.attachment.(*muxClient), ended: make(chan Summary, 1)}
	go func() { v.ended <- v.Run() }() // ends when the client disconnects
	s.t.Cleanup(func() {
		c.Close()
		v.summary()
	})
	return v
}

// join connects a client and reads its open event.
func (s *muxChild) join(l link, opt Options) *muxConn {
	s.t.Helper()
	v := s.dial(l, opt)
	if e := s.event(); e.Event != "open" || e.Client != v.MuxID() || e.Env["NAME"] != l.protocol {
		s.t.Fatalf("instead of an open event for %s: %+v", v.MuxID(), e)
	}
	return v
}

func (v *muxConn) summary() Summary {
	v.t.Helper()
	sum := wspipetest.Wait(v.t, "the end of a client", v.ended)
	v.ended <- sum
	return sum
}

// event reads the next event.
func (s *muxChild) event() (e event) {
	s.t.Helper()
	line, err := s.events.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &e)
	}
	if err != nil {
		s.t.Fatalf("no event: %.200q, %v", line, err)
	}
	return e
}

// expectMessages reads message events of v, which must be these.
func (s *muxChild) expectMessages(v *muxConn, messages ...string) {
	s.t.Helper()
	for _, want := range messages {
		if e := s.event(); e.Event != "message" || e.Client != v.MuxID() || e.Data == nil || *e.Data != want {
			s.t.Fatalf("instead of %.50q from %s: %.200s", want, v.MuxID(), fmt.Sprintf("%+v", e))
		}
	}
}

// expectClosed reads the close event of v.
func (s *muxChild) expectClosed(v *muxConn, code int) {
	s.t.Helper()
	if e := s.event(); e.Event != "close" || e.Client != v.MuxID() || e.Code != code {
		s.t.Fatalf("instead of the end of %s with %d: %+v", v.MuxID(), code, e)
	}
}

// muxMessage returns the line of a child that sends data to clients.
func muxMessage(to any, data string) string {
	text, err := json.Marshal(map[string]any{"to": to, "data": data})
	if err != nil {
		panic(err)
	}
	return string(text) + "\n"
}

func TestMessagesReachTheirRecipients(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	a, b, c := s.join(link{}, Options{}), s.join(link{}, Options{}), s.join(link{}, Options{})
	all := []*muxConn{a, b, c}
	for i, v := range all {
		if v.MuxID() != fmt.Sprint(i+1) {
			t.Errorf("client %d is called %s", i, v.MuxID())
		}
	}
	s.print(t, muxMessage("1", "to a")+muxMessage("2", "to b")+muxMessage("*", "to all")+muxMessage([]string{"3", "1", "3", "nobody"}, "to a and c")+
		muxMessage("", "to nobody")+muxMessage("77", "to nobody")+muxMessage([]string{}, "to nobody")+`{"to":["2","3"],"base64":"AP8="}`+"\n"+muxMessage("*", "end"))
	a.expect("to a", "to all", "to a and c", "end")
	b.expect("to b", "to all")
	c.expect("to all", "to a and c")
	for _, v := range []*muxConn{b, c} {
		if opcode, got, _ := v.message(); opcode != opBinary || got != "\x00\xff" {
			t.Errorf("opcode %d, %q instead of a binary message", opcode, got)
		}
		v.expect("end")
	}
	b.send("é")
	s.expectMessages(b, "é")
	b.write(maskedFrame(fin|opBinary, []byte("binary text")), maskedFrame(fin|opBinary, []byte("\xff")))
	s.expectMessages(b, "binary text")
	if e := s.event(); e.Base64 == nil || *e.Base64 != "/w==" || e.Data != nil {
		t.Errorf("binary came as %+v", e)
	}
	b.write(closeFrame(1000, ""))
	s.expectClosed(b, 1000)
	d := s.join(link{}, Options{})
	if d.MuxID() != "4" {
		t.Errorf("a joining is called %s", d.MuxID())
	}
	s.print(t, muxMessage("2", "late")+muxMessage("*", "last without newline")[:len(muxMessage("*", "last without newline"))-1])
	s.exit(3, "")
	for _, v := range []*muxConn{a, c, d} {
		v.expect("last without newline")
		v.expectClose(1000, "exit 3")
		if sum := v.summary(); sum.ExitCode != 3 {
			t.Errorf("summary %+v", sum)
		}
	}
	if sum := b.summary(); sum.In.Messages != 3 || sum.Out.Messages != 4 || sum.In.Bytes != 2+11+1 {
		t.Errorf("summary %+v", sum)
	}
}

// TestALateClient attaches after the child's exit.
func TestALateClient(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	s.exit(4, "")
	s.ended <- wspipetest.Wait(t, "the end of the mux", s.ended)
	s.dial(link{}, Options{}).expectClose(1000, "exit 4")
}

// TestCloseCommand: a child closes a client's connection, with any code and reason, after the
// messages written before and before those written after.
func TestCloseCommand(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	long := strings.Repeat("x", 300_000)
	for order, want := range map[string]struct {
		code   int
		reason string
	}{
		`{"close":"%s"}`: {1000, ""}, `{"close":"%s","code":3001,"reason":"bye"}`: {3001, "bye"},
		`{"close":"%s","code":1013,"reason":"` + strings.Repeat("é", 61) + `"}`: {1013, strings.Repeat("é", 61)},
	} {
		v, other := s.join(link{}, Options{}), s.join(link{}, Options{})
		go io.WriteString(s.far[1], muxMessage(v.MuxID(), long)+muxMessage("*", "before")+fmt.Sprintf(order, v.MuxID())+"\n"+muxMessage("*", "after")+muxMessage(v.MuxID(), "after")+ // ends when it is read
			fmt.Sprintf(order, v.MuxID())+"\n")
		v.expect(long, "before")
		other.expect("before", "after")
		v.expectClose(want.code, want.reason)
		s.expectClosed(v, want.code)
		other.write(closeFrame(1000, ""))
		s.expectClosed(other, 1000)
	}
}

// TestCloseEvent: it is sent once, after everything that the client has sent.
func TestCloseEvent(t *testing.T) {
	t.Parallel()
	half := maskedFrame(opText, []byte("half"))
	for name, test := range map[string]struct {
		end  func(v *muxConn)
		code int
	}{
		"close frame":    {func(v *muxConn) { v.write(closeFrame(3999, "bye")) }, 3999},
		"without a code": {func(v *muxConn) { v.write(maskedFrame(fin|wire.OpClose, nil)) }, 1005},
		"mid-message":    {func(v *muxConn) { v.write(half, closeFrame(1001, "")) }, 1001},
		"FIN":            {func(v *muxConn) { v.client.Close() }, 1006},
		"half and FIN":   {func(v *muxConn) { v.write(half); v.Conn.(*net.TCPConn).CloseWrite() }, 1006},
		"protocol error": {func(v *muxConn) { v.write(maskedFrame(fin|0x40|opText, nil)) }, 1002},
		"too big":        {func(v *muxConn) { v.send(strings.Repeat("x", 1001)) }, 1009},
		"not UTF-8":      {func(v *muxConn) { v.send("\xff") }, 1007},
		"shutdown":       {func(v *muxConn) { v.Shutdown() }, 1001},
		"slow":           {func(v *muxConn) { v.finish(endSlow(7)) }, 1013},
		"silence":        {func(v *muxConn) { v.finish(endSilent) }, 1008},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startMux(t, Options{})
			v := s.join(link{}, Options{MaxMessage: 1000})
			for i := range 50 {
				v.send(fmt.Sprint(i))
			}
			if name == "slow" || name == "shutdown" || name == "silence" {
				wspipetest.Eventually(t, "all has come", func() bool { return v.input.total.messages.Load() == 50 })
				v.send("\x00") // may or may not arrive
			}
			test.end(v)
			for i := range 50 {
				s.expectMessages(v, fmt.Sprint(i))
			}
			e := s.event()
			for e.Event == "message" && *e.Data == "\x00" {
				e = s.event()
			}
			if e.Event != "close" || e.Client != v.MuxID() || e.Code != test.code {
				t.Errorf("the child was told %+v, want code %d", e, test.code)
			}
			v.client.Close()
			if sum := v.summary(); int(sum.Code) != test.code {
				t.Errorf("summary %+v", sum.End)
			}
			s.join(link{}, Options{}) // its open event is the next event
		})
	}
}

// TestMuxWithChannels: the client's stream is split into lines, messages to it end with
// newlines, and it gets the child's exit.
func TestMuxWithChannels(t *testing.T) {
	t.Parallel()
	for _, protocol := range channel.Protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s := startMux(t, Options{})
			plain := s.join(link{}, Options{})
			v := s.join(link{protocol: protocol}, Options{MaxMessage: 1 << 20})
			got := map[byte]string{}
			read := func(channel byte, want string) {
				t.Helper()
				for !strings.HasSuffix(got[channel], want) {
					_, message, _ := v.message()
					got[message[0]] += message[1:]
				}
			}
			for _, part := range []string{"\x00one\r\ntwo\n\n", "\x00th", "\x04" + `{"Width":10,"Height":10}`, "\x05" + `{"type":"signal","signal":"INT"}`, "", "\x00ree\xe2\x98", "\x00\x83\n\xff\n", "\x00unfinished"} {
				v.write(maskedFrame(fin|opBinary, []byte(part)))
			}
			s.expectMessages(v, "one", "two", "", "three☃")
			if e := s.event(); e.Base64 == nil || *e.Base64 != "/w==" {
				t.Errorf("binary came as %+v", e)
			}
			v.write(maskedFrame(fin|opBinary, []byte{channel.Close, channel.Stdin}), maskedFrame(fin|opBinary, []byte{channel.Close, channel.Stdin}))
			if protocol == channel.ProtocolV4 { // it cannot end the input
				v.write(maskedFrame(fin|opBinary, []byte("\x00\n")))
			}
			s.expectMessages(v, "unfinished")
			long := strings.Repeat("x", 100_000)
			s.print(t, muxMessage("*", "all")+`{"to":"*","base64":"YWI="}`+"\n"+muxMessage("2", long))
			read(channel.Stdout, "all\nab"+long+"\n")
			plain.expect("all")
			if len(s.told) > 0 {
				t.Errorf("the child got %s", <-s.told)
			}
			s.exit(3, "")
			read(channel.Error, "}")
			if !strings.Contains(got[channel.Error], "NonZeroExitCode") || (protocol == channel.ProtocolWspipe) != strings.HasSuffix(got[channel.Control], `{"type":"exit","code":3}`) {
				t.Errorf("got %q", got)
			}
			v.expectClose(1000, "exit 3")
		})
	}
}

// TestALongLineOnAChannel is refused after the lines before it.
func TestALongLineOnAChannel(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	v := s.join(link{protocol: channel.ProtocolWspipe}, Options{MaxMessage: 100})
	v.write(maskedFrame(fin|opBinary, []byte("\x00first\n"+strings.Repeat("x", 90))), maskedFrame(fin|opBinary, []byte("\x00"+strings.Repeat("x", 11)+"\nlast\n")))
	s.expectMessages(v, "first")
	s.expectClosed(v, 1009)
	v.expectClose(1009, "message over 100 bytes")
}

// TestCloseCommandWithChannels: the closing status is a success, unless the code is another
// than 1000.
func TestCloseCommandWithChannels(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	for code, want := range map[int]string{1000: `{"metadata":{},"status":"Success"}`, 3000: `"status":"Failure","message":"bye"`} {
		v := s.join(link{protocol: channel.ProtocolV5}, Options{})
		v.message() // the empty message that follows hello
		s.print(t, fmt.Sprintf(`{"close":%q,"code":%d,"reason":"bye"}`+"\n", v.MuxID(), code))
		if _, got, _ := v.message(); got[0] != channel.Error || !strings.Contains(got, want) {
			t.Errorf("status %q", got)
		}
		v.expectClose(code, "bye")
		s.expectClosed(v, code)
	}
}

// TestEachEncodingOfAMessage: clients with and without compression, and with channels, get the
// same.
func TestEachEncodingOfAMessage(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	plain, packed := s.join(link{}, Options{}), s.join(link{compress: true}, Options{})
	long := strings.Repeat("again ", 1000)
	s.print(t, muxMessage("*", long)+muxMessage("2", "short")+muxMessage([]string{"1", "2"}, "\uFFFD")+"{\"to\":\"*\",\"data\":\"\xff\xe2\x98\"}\n")
	plain.expect(long, "\uFFFD", "\uFFFD\uFFFD")
	if f, err := packed.frame(); err != nil || f.first&0x40 == 0 || len(f.payload) > len(long)/10 {
		t.Errorf("%#x, %d bytes, %v: not compressed", f.first, len(f.payload), err)
	}
	var got []string
	for len(got) < 3 {
		f, err := packed.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.first == fin|opText { // otherwise it is the end of the long one
			got = append(got, string(f.payload))
		}
	}
	if !slices.Equal(got, []string{"short", "\uFFFD", "\uFFFD\uFFFD"}) {
		t.Errorf("got %q", got)
	}
}

// TestInvalidLinesStopNothing: valid lines between them are handled.
func TestInvalidLinesStopNothing(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	v := s.join(link{}, Options{})
	var want []string
	go func(output []string) { // ends when it was read
		for i, bad := range output {
			io.WriteString(s.far[1], bad+"\n"+muxMessage("1", fmt.Sprint(i)))
		}
		io.WriteString(s.far[1], strings.Repeat("x", 3*maxMuxLine)+"\n"+muxMessage("1", "end"))
	}(slices.Collect(maps.Keys(badLines)))
	for i := range len(badLines) {
		want = append(want, fmt.Sprint(i))
	}
	v.expect(append(want, "end")...)
}
