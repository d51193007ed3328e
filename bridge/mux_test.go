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

// event is what a child is told.
type event struct {
	Event, Client string
	Env           map[string]string
	Data, Base64  *string
	Code          int
}

// stage is a running Mux, whose child the test plays.
type stage struct {
	*mux
	*puppet
	t      testing.TB
	events *bufio.Reader
	ended  chan string
}

// startMux runs a mux; its child is stopped with the test.
func startMux(t testing.TB, opt Options) *stage {
	t.Helper()
	child := newPuppet(t)
	child.far[0].SetReadDeadline(time.Now().Add(wspipetest.Lifetime))
	opt.Kind = Mux
	s := &stage{mux: New(child, opt).kind.(*mux), puppet: child, t: t, events: bufio.NewReader(child.far[0]), ended: make(chan string, 1)}
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

// talker is a client of a stage.
type talker struct {
	*client
	*muxClient
	ended chan Summary
}

// arrive connects a client.
func (s *stage) arrive(l link, opt Options) *talker {
	s.t.Helper()
	c, ws, conn := connect(s.t, l)
	return s.admit(c, attach(s.t, s.Bridge, opt, NewWebSocket(ws, conn, l.compress), ClientOptions{Env: []string{"NAME=" + l.protocol}}))
}

func (s *stage) admit(c *client, m *Client) *talker {
	v := &talker{client: c, muxClient: m.attachment.(*muxClient), ended: make(chan Summary, 1)}
	go func() { v.ended <- v.Run() }() // ends when the client goes
	s.t.Cleanup(func() {
		c.Close()
		v.summary()
	})
	return v
}

// join connects a client, of which the child has been told.
func (s *stage) join(l link, opt Options) *talker {
	s.t.Helper()
	v := s.arrive(l, opt)
	if e := s.event(); e.Event != "open" || e.Client != v.MuxID() || e.Env["NAME"] != l.protocol {
		s.t.Fatalf("instead of an open event for %s: %+v", v.MuxID(), e)
	}
	return v
}

func (v *talker) summary() Summary {
	v.t.Helper()
	sum := wspipetest.Wait(v.t, "the end of a client", v.ended)
	v.ended <- sum
	return sum
}

// event reads what the child is told next.
func (s *stage) event() (e event) {
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

// expectSaid reads message events that must be these, of v.
func (s *stage) expectSaid(v *talker, messages ...string) {
	s.t.Helper()
	for _, want := range messages {
		if e := s.event(); e.Event != "message" || e.Client != v.MuxID() || e.Data == nil || *e.Data != want {
			s.t.Fatalf("instead of %.50q from %s: %.200s", want, v.MuxID(), fmt.Sprintf("%+v", e))
		}
	}
}

// expectGone reads the close event of v.
func (s *stage) expectGone(v *talker, code int) {
	s.t.Helper()
	if e := s.event(); e.Event != "close" || e.Client != v.MuxID() || e.Code != code {
		s.t.Fatalf("instead of the end of %s with %d: %+v", v.MuxID(), code, e)
	}
}

// letter is an order of a child: a message if data is there.
func letter(to any, data string) string {
	text, err := json.Marshal(map[string]any{"to": to, "data": data})
	if err != nil {
		panic(err)
	}
	return string(text) + "\n"
}

func TestMessagesReachWhomTheyAreFor(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	a, b, c := s.join(link{}, Options{}), s.join(link{}, Options{}), s.join(link{}, Options{})
	all := []*talker{a, b, c}
	for i, v := range all {
		if v.MuxID() != fmt.Sprint(i+1) {
			t.Errorf("client %d is called %s", i, v.MuxID())
		}
	}
	s.print(t, letter("1", "to a")+letter("2", "to b")+letter("*", "to all")+letter([]string{"3", "1", "3", "nobody"}, "to a and c")+
		letter("", "to nobody")+letter("77", "to nobody")+letter([]string{}, "to nobody")+`{"to":["2","3"],"base64":"AP8="}`+"\n"+letter("*", "end"))
	a.expect("to a", "to all", "to a and c", "end")
	b.expect("to b", "to all")
	c.expect("to all", "to a and c")
	for _, v := range []*talker{b, c} {
		if opcode, got, _ := v.message(); opcode != opBinary || got != "\x00\xff" {
			t.Errorf("opcode %d, %q instead of a binary message", opcode, got)
		}
		v.expect("end")
	}
	b.send("é")
	s.expectSaid(b, "é")
	b.write(maskedFrame(fin|opBinary, []byte("binary text")), maskedFrame(fin|opBinary, []byte("\xff")))
	s.expectSaid(b, "binary text")
	if e := s.event(); e.Base64 == nil || *e.Base64 != "/w==" || e.Data != nil {
		t.Errorf("binary came as %+v", e)
	}
	b.write(closeFrame(1000, ""))
	s.expectGone(b, 1000)
	d := s.join(link{}, Options{})
	if d.MuxID() != "4" {
		t.Errorf("a newcomer is called %s", d.MuxID())
	}
	s.print(t, letter("2", "late")+letter("*", "last without newline")[:len(letter("*", "last without newline"))-1])
	s.exit(3, "")
	for _, v := range []*talker{a, c, d} {
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

// TestALateClient: the child that it came for has ended.
func TestALateClient(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	s.exit(4, "")
	s.ended <- wspipetest.Wait(t, "the end of the mux", s.ended)
	s.arrive(link{}, Options{}).expectClose(1000, "exit 4")
}

// TestTheChildCloses: a client's connection, with any code and reason, behind all
// that was sent before and before all that was sent after.
func TestTheChildCloses(t *testing.T) {
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
		go io.WriteString(s.far[1], letter(v.MuxID(), long)+letter("*", "before")+fmt.Sprintf(order, v.MuxID())+"\n"+letter("*", "after")+letter(v.MuxID(), "after")+ // ends when it is read
			fmt.Sprintf(order, v.MuxID())+"\n")
		v.expect(long, "before")
		other.expect("before", "after")
		v.expectClose(want.code, want.reason)
		s.expectGone(v, want.code)
		other.write(closeFrame(1000, ""))
		s.expectGone(other, 1000)
	}
}

// TestWhatTheChildIsToldOfAnEnd: once, after all that the client has sent.
func TestWhatTheChildIsToldOfAnEnd(t *testing.T) {
	t.Parallel()
	half := maskedFrame(opText, []byte("half"))
	for name, test := range map[string]struct {
		end  func(v *talker)
		code int
	}{
		"close frame":    {func(v *talker) { v.write(closeFrame(3999, "bye")) }, 3999},
		"without a code": {func(v *talker) { v.write(maskedFrame(fin|wire.OpClose, nil)) }, 1005},
		"mid-message":    {func(v *talker) { v.write(half, closeFrame(1001, "")) }, 1001},
		"FIN":            {func(v *talker) { v.client.Close() }, 1006},
		"half and FIN":   {func(v *talker) { v.write(half); v.Conn.(*net.TCPConn).CloseWrite() }, 1006},
		"protocol error": {func(v *talker) { v.write(maskedFrame(fin|0x40|opText, nil)) }, 1002},
		"too big":        {func(v *talker) { v.send(strings.Repeat("x", 1001)) }, 1009},
		"not UTF-8":      {func(v *talker) { v.send("\xff") }, 1007},
		"shutdown":       {func(v *talker) { v.Shutdown() }, 1001},
		"slow":           {func(v *talker) { v.finish(endSlow(7)) }, 1013},
		"silence":        {func(v *talker) { v.finish(endSilent) }, 1008},
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
				v.send("\x00") // may or may not come
			}
			test.end(v)
			for i := range 50 {
				s.expectSaid(v, fmt.Sprint(i))
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
			s.join(link{}, Options{}) // is the next that it hears of
		})
	}
}

// TestMuxWithChannels: what a client sends is cut into lines, what it gets has
// newlines, and it is told how the child ended.
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
			s.expectSaid(v, "one", "two", "", "three☃")
			if e := s.event(); e.Base64 == nil || *e.Base64 != "/w==" {
				t.Errorf("binary came as %+v", e)
			}
			v.write(maskedFrame(fin|opBinary, []byte{channel.Close, channel.Stdin}), maskedFrame(fin|opBinary, []byte{channel.Close, channel.Stdin}))
			if protocol == channel.ProtocolV4 { // which has no such channel
				v.write(maskedFrame(fin|opBinary, []byte("\x00\n")))
			}
			s.expectSaid(v, "unfinished")
			long := strings.Repeat("x", 100_000)
			s.print(t, letter("*", "all")+`{"to":"*","base64":"YWI="}`+"\n"+letter("2", long))
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

// TestALongLineOnAChannel is refused, behind the lines before it.
func TestALongLineOnAChannel(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	v := s.join(link{protocol: channel.ProtocolWspipe}, Options{MaxMessage: 100})
	v.write(maskedFrame(fin|opBinary, []byte("\x00first\n"+strings.Repeat("x", 90))), maskedFrame(fin|opBinary, []byte("\x00"+strings.Repeat("x", 11)+"\nlast\n")))
	s.expectSaid(v, "first")
	s.expectGone(v, 1009)
	v.expectClose(1009, "message over 100 bytes")
}

// TestDismissedWithChannels: that the child closes the connection is a success,
// unless its code says otherwise.
func TestDismissedWithChannels(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	for code, want := range map[int]string{1000: `{"metadata":{},"status":"Success"}`, 3000: `"status":"Failure","message":"bye"`} {
		v := s.join(link{protocol: channel.ProtocolV5}, Options{})
		v.message() // the empty one
		s.print(t, fmt.Sprintf(`{"close":%q,"code":%d,"reason":"bye"}`+"\n", v.MuxID(), code))
		if _, got, _ := v.message(); got[0] != channel.Error || !strings.Contains(got, want) {
			t.Errorf("status %q", got)
		}
		v.expectClose(code, "bye")
		s.expectGone(v, code)
	}
}

// TestEachFormOfAMessage: clients with and without compression, and with channels,
// get the same.
func TestEachFormOfAMessage(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	plain, packed := s.join(link{}, Options{}), s.join(link{compress: true}, Options{})
	long := strings.Repeat("again ", 1000)
	s.print(t, letter("*", long)+letter("2", "short")+letter([]string{"1", "2"}, "\uFFFD")+"{\"to\":\"*\",\"data\":\"\xff\xe2\x98\"}\n")
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
		if f.first == fin|opText { // else the end of the long one
			got = append(got, string(f.payload))
		}
	}
	if !slices.Equal(got, []string{"short", "\uFFFD", "\uFFFD\uFFFD"}) {
		t.Errorf("got %q", got)
	}
}

// TestBadLinesStopNothing: what comes between them is done.
func TestBadLinesStopNothing(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	v := s.join(link{}, Options{})
	var want []string
	go func(output []string) { // ends when it is read
		for i, bad := range output {
			io.WriteString(s.far[1], bad+"\n"+letter("1", fmt.Sprint(i)))
		}
		io.WriteString(s.far[1], strings.Repeat("x", 3*maxMuxLine)+"\n"+letter("1", "end"))
	}(slices.Collect(maps.Keys(badLines)))
	for i := range len(badLines) {
		want = append(want, fmt.Sprint(i))
	}
	v.expect(append(want, "end")...)
}
