//go:build unix

package bridge

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// muxChild is a running Mux child.
type muxChild struct {
	*mux
	*puppet
	t      testing.TB
	events *bufio.Reader
	ended  chan bool
}

// startMux runs a mux, whose child is stopped when the test ends.
func startMux(t testing.TB, opt Options) *muxChild {
	t.Helper()
	child := newPuppet(t)
	opt.Kind = Mux
	b := New(child, opt)
	return &muxChild{b.kind.(*mux), child, t, bufio.NewReader(child.far[0]), run(t, b)}
}

// dial connects a client.
func (m *muxChild) dial(l link) *attachedClient {
	m.t.Helper()
	return attach(m.t, m.Bridge, l, ClientOptions{Env: []string{"NAME=" + l.protocol}})
}

// join connects a client and reads its open event.
func (m *muxChild) join(l link) *attachedClient {
	m.t.Helper()
	c := m.dial(l)
	if e := m.event(); e.Event != "open" || e.Client != c.MuxID() || e.Env["NAME"] != l.protocol {
		m.t.Fatalf("instead of an open event for %s: %+v", c.MuxID(), e)
	}
	return c
}

// event is an event that a Mux child reads.
type event struct {
	Event, Client string
	Env           map[string]string
	Data, Base64  *string
	Code          int
}

// event reads the next event.
func (m *muxChild) event() (e event) {
	m.t.Helper()
	line, err := m.events.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &e)
	}
	if err != nil {
		m.t.Fatalf("no event: %.200q, %v", line, err)
	}
	return e
}

// expectMessages reads message events of c, which must be these.
func (m *muxChild) expectMessages(c *attachedClient, messages ...string) {
	m.t.Helper()
	for _, want := range messages {
		if e := m.event(); e.Event != "message" || e.Client != c.MuxID() || e.Data == nil || *e.Data != want {
			m.t.Fatalf("instead of %.50q from %s: %.200s", want, c.MuxID(), fmt.Sprintf("%+v", e))
		}
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

// TestRecipients: each recipient of a message gets it once, in its encoding.
func TestRecipients(t *testing.T) {
	t.Parallel()
	m := startMux(t, Options{})
	a, b, c := m.join(link{}), m.join(link{compress: true}), m.join(onWspipe)
	c.greeted()
	long := strings.Repeat("again ", 1000)
	go m.print(muxMessage("1", "to a") + muxMessage("2", "to b") + muxMessage("*", "to all") + muxMessage([]string{"3", "1", "3", "nobody"}, "to a and c") +
		muxMessage("", "to nobody") + muxMessage("77", "to nobody") + muxMessage([]string{}, "to nobody") + "invalid\n" + `{"to":["1","3"],"base64":"AP8="}` + "\n" +
		muxMessage("*", long) + "{\"to\":\"*\",\"data\":\"\xff\xe2\x98\"}\n" + strings.TrimSpace(muxMessage("*", "last without newline"))) // ends when it was read
	a.expect("to a", "to all", "to a and c")
	if opcode, got := a.message(); opcode != opBinary || got != "\x00\xff" {
		t.Errorf("opcode %d, %q instead of a binary message", opcode, got)
	}
	a.expect(long, "\uFFFD\uFFFD")
	b.expect("to b", "to all")
	if f, err := b.frame(); err != nil || f.first != fin|0x40|opText || len(f.payload) > len(long)/10 {
		t.Errorf("%#x, %d bytes, %v: not compressed", f.first, len(f.payload), err)
	}
	b.expect("\uFFFD\uFFFD")
	c.expectOn(channel.Stdout, "to all\n", "to a and c\n", "\x00\xff", long+"\n", "\uFFFD\uFFFD\n")
	m.puppet.exit(3, "")
	for _, v := range []*attachedClient{a, b} {
		v.expect("last without newline")
		v.expectClose(1000, "exit 3")
	}
	if sum := b.summary(); sum.ExitCode != 3 || sum.Out.Messages != 5 {
		t.Errorf("summary %+v", sum)
	}
	m.dial(link{}).expectClose(1000, "exit 3") // after the exit
}

// TestCloseCommand: a child closes a client's connection, with any code and reason, after the messages
// written before and before those written after, and even during a pause.
func TestCloseCommand(t *testing.T) {
	t.Parallel()
	m := startMux(t, Options{})
	long := x(300_000)
	for order, want := range map[string]struct {
		code   int
		reason string
	}{
		`{"close":"%s"}`: {1000, ""}, `{"close":"%s","code":3001,"reason":"bye"}`: {3001, "bye"},
		`{"close":"%s","code":1013,"reason":"` + strings.Repeat("é", 61) + `"}`: {1013, strings.Repeat("é", 61)},
	} {
		c, other, paused := m.join(link{}), m.join(link{}), m.join(onWspipe)
		paused.pause()
		to := []string{c.MuxID(), paused.MuxID()}
		go m.print(muxMessage(to, long) + muxMessage("*", "before") + fmt.Sprintf(order+"\n"+order+"\n", to[0], to[1]) + muxMessage("*", "after") + muxMessage(to, "after")) // ends when it was read
		c.expect(long, "before")
		other.expect("before", "after")
		c.expectClose(want.code, want.reason)
		if got := paused.stream(channel.Stdout, len(long+"\nbefore\n")); got != long+"\nbefore\n" {
			t.Errorf("the paused client got %d bytes", len(got))
		}
		success := want.code == 1000
		if _, status := paused.message(); status[0] != channel.Error || strings.Contains(status, `"Success"`) != success {
			t.Errorf("code %d: status %s", want.code, status)
		}
		paused.expectClose(want.code, want.reason)
		other.write(closeFrame(1000, ""))
		for range 3 {
			if e := m.event(); e.Event != "close" || e.Code != map[bool]int{true: 1000, false: want.code}[e.Client == other.MuxID()] {
				t.Errorf("event %+v", e)
			}
		}
	}
}

// TestCloseEvent is sent once, after everything that the client has sent.
func TestCloseEvent(t *testing.T) {
	t.Parallel()
	half := maskedFrame(opText, []byte("half"))
	for name, test := range map[string]struct {
		link link
		end  func(c *attachedClient)
		code int
	}{
		"close frame":    {link{}, func(c *attachedClient) { c.write(closeFrame(3999, "bye")) }, 3999},
		"without a code": {link{}, func(c *attachedClient) { c.write(maskedFrame(fin|wire.OpClose, nil)) }, 1005},
		"mid-message":    {link{}, func(c *attachedClient) { c.write(half, closeFrame(1001, "")) }, 1001},
		"FIN":            {link{}, func(c *attachedClient) { c.client.Close() }, 1006},
		"half and FIN":   {link{}, func(c *attachedClient) { c.write(half); c.Conn.(*net.TCPConn).CloseWrite() }, 1006},
		"protocol error": {link{}, func(c *attachedClient) { c.write(maskedFrame(fin|0x40|opText, nil)) }, 1002},
		"too big":        {link{}, func(c *attachedClient) { c.send(x(1001)) }, 1009},
		"line too big":   {onWspipe, func(c *attachedClient) { c.say(channel.Stdin, x(900)); c.say(channel.Stdin, x(101)+"\nlast\n") }, 1009},
		"not UTF-8":      {link{}, func(c *attachedClient) { c.send("\xff") }, 1007},
		"shutdown":       {link{}, func(c *attachedClient) { c.Shutdown() }, 1001},
		"slow":           {link{}, func(c *attachedClient) { c.finish(endSlow(7)) }, 1013},
		"silence":        {link{}, func(c *attachedClient) { c.finish(endSilent) }, 1008},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMux(t, Options{MaxMessage: 1000})
			c := m.join(test.link)
			for i := range 50 {
				if test.link.protocol == "" {
					c.send(fmt.Sprint(i))
				} else {
					c.say(channel.Stdin, fmt.Sprint(i, "\n"))
				}
			}
			if test.code == 1013 || name == "shutdown" || test.code == 1008 {
				wspipetest.Eventually(t, "all has come", func() bool { return c.input.total.messages.Load() == 50 })
				c.send("\x00") // may or may not arrive
			}
			test.end(c)
			for i := range 50 {
				m.expectMessages(c, fmt.Sprint(i))
			}
			e := m.event()
			for e.Event == "message" && *e.Data == "\x00" {
				e = m.event()
			}
			if e.Event != "close" || e.Client != c.MuxID() || e.Code != test.code {
				t.Errorf("the child got %+v, want code %d", e, test.code)
			}
			c.client.Close()
			if sum := c.summary(); int(sum.Code) != test.code {
				t.Errorf("summary %+v", sum.End)
			}
			m.join(link{}) // its open event is the next event
		})
	}
}

// TestManyConnects: while much is queued for a child, it gets no more open events, and never one of a client
// that has disconnected meanwhile.
func TestManyConnects(t *testing.T) {
	t.Parallel()
	m := startMux(t, Options{})
	first := m.join(link{})
	first.send(x(maxInputBacklog + 200_000)) // more than the pipe takes
	wspipetest.Eventually(t, "much waits", func() bool { return m.stdin.Waiting() > maxInputBacklog })
	before := m.stdin.Waiting()
	var all, stay []*attachedClient
	for range 30 {
		all = append(all, m.dial(link{}))
	}
	for i, c := range all {
		c.send("hello")
		switch i % 3 {
		case 0:
			stay = append(stay, c)
		case 1:
			c.Reset()
			c.summary() // while the child does not read
		case 2:
			c.Shutdown()
			c.expectClose(1001, "server shutting down")
			c.summary()
		}
	}
	if now := m.stdin.Waiting(); now != before {
		t.Errorf("%d bytes queued, %d before", now, before)
	}
	m.print(muxMessage("*", "from the child")) // which does not know them
	first.expect("from the child")
	if e := m.event(); e.Event != "message" || e.Client != first.MuxID() {
		t.Fatalf("%s of %s", e.Event, e.Client)
	}
	opened := map[string]bool{}
	for range 2 * len(stay) {
		switch e := m.event(); {
		case e.Event == "open" && !opened[e.Client]:
			opened[e.Client] = true
		case e.Event == "message" && opened[e.Client] && *e.Data == "hello":
		default:
			t.Fatalf("%+v", e)
		}
	}
	for _, c := range stay {
		m.print(muxMessage(c.MuxID(), "for one"))
		c.expect("for one")
	}
}

// TestMuxAtRandom: clients attach, send and disconnect in every way, while the child sends, closes
// connections and exits. Its events are always in order.
func TestMuxAtRandom(t *testing.T) {
	t.Parallel()
	for _, policy := range []SlowPolicy{SlowDisconnect, SlowDrop, SlowBlock} {
		m := startMux(t, Options{Slow: policy, InputTimeout: -1})
		m.reader = true // to the end
		states := make(chan map[string]string)
		go func() { states <- m.play() }() // ends with the mux, or with the child's last line
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { // ends with its visits
				for range 10 {
					m.visit()
				}
			})
		}
		all.Wait()
		if m.mu.Lock(); len(m.open)+len(m.byID) > 0 {
			t.Errorf("%d clients that have disconnected are still attached", len(m.byID))
		}
		m.mu.Unlock()
		m.mux.Stop()
		last := wspipetest.Wait(t, "the end of the events", states)
		for id, state := range last {
			if state != "closed" {
				t.Errorf("client %s is %s", id, state)
			}
		}
		if len(last) < 4*10/2 { // some clients have disconnected before
			t.Errorf("events of %d clients", len(last))
		}
	}
}

// visit attaches a client that does a few random things.
func (m *muxChild) visit() {
	l := link{compress: rand.N(3) == 0}
	if rand.N(4) == 0 {
		l.protocol = channel.ProtocolWspipe
	}
	c := m.dial(l)
	var f frame
	for range 1 + rand.N(5) {
		if f.first != fin|wire.OpClose {
			c.Write(maskedFrame(fin|opText, []byte(strings.Repeat("\x00a", rand.N(2000))+"\n")))
		}
		if f.first != fin|wire.OpClose && rand.N(3) == 0 {
			f, _ = c.frame()
		}
	}
	if f.first != fin|wire.OpClose {
		f, _ = c.frame()
	}
	switch rand.N(4) {
	case 0:
		c.Reset()
	case 1:
		c.Write(closeFrame(1000, ""))
	case 2:
		c.Shutdown()
	}
	c.client.Close()
	c.summary()
}

// play replies to events at random until they end, and returns the state of each client.
func (m *muxChild) play() map[string]string {
	states := map[string]string{}
	for {
		line, err := m.events.ReadBytes('\n')
		if err != nil {
			m.puppet.exit(0, "")
			return states
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			m.t.Errorf("%.100q: %v", line, err)
		}
		switch was := states[e.Client]; {
		case e.Event == "open" && was == "":
			states[e.Client] = "open"
		case e.Event == "message" && was == "open":
		case e.Event == "close" && was == "open":
			states[e.Client] = "closed"
		default:
			m.t.Errorf("%s of client %s, which is %q", e.Event, e.Client, was)
		}
		answer := muxMessage(e.Client, "to one")
		switch rand.N(10) {
		case 0:
			answer = fmt.Sprintf(`{"close":%q,"code":3000}`+"\n", e.Client)
		case 1:
			answer = muxMessage(slices.Collect(maps.Keys(states)), strings.Repeat("to some", rand.N(20_000)))
		case 2, 3:
			answer = muxMessage("*", "to all") + "no order\n"
		}
		io.WriteString(m.far[1], answer) // fails if it has ended
	}
}
