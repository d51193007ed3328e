//go:build unix

package bridge

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// broadcastChild is a running Broadcast child.
type broadcastChild struct {
	*broadcast
	*puppet
	t     testing.TB
	ended chan bool
}

// startBroadcast runs a broadcast, whose child is stopped when the test ends.
func startBroadcast(t testing.TB, opt Options) *broadcastChild {
	t.Helper()
	child := newPuppet(t)
	opt.Kind = Broadcast
	b := New(child, opt)
	return &broadcastChild{b.kind.(*broadcast), child, t, run(t, b)}
}

// dial connects a client, which may have to wait for the end of a message.
func (b *broadcastChild) dial(l link) *attachedClient {
	b.t.Helper()
	return attach(b.t, b.Bridge, l, ClientOptions{})
}

// join connects a client, and returns once it is attached.
func (b *broadcastChild) join(l link) *attachedClient {
	b.t.Helper()
	c := b.dial(l)
	wspipetest.Eventually(b.t, "the client has joined", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.exited || slices.Contains(b.attached, c.attachment.(*broadcastClient))
	})
	return c
}

// idle waits until this many messages were sent.
func (b *broadcastChild) idle(messages int64) {
	b.t.Helper()
	wspipetest.Eventually(b.t, "everything is sent", func() bool { return b.sequencer.total.messages.Load() == messages })
	b.sequencer.mu.Lock() // until all clients have them
	defer b.sequencer.mu.Unlock()
}

var onWspipe = link{protocol: channel.ProtocolWspipe}

// TestNewClients: a new client gets the last messages, and then whole messages. One with channels gets
// all of the line that is being sent.
func TestNewClients(t *testing.T) {
	t.Parallel()
	b := startBroadcast(t, Options{Replay: 3})
	first, streamed := b.join(link{}), b.join(onWspipe)
	long := x(300_000)
	b.print("1\n2\n3\n4\nhalf")
	first.expect("1", "2", "3", "4")
	b.join(link{}).expect("2", "3", "4")
	b.print(" a line\n5\n" + long)
	first.expect("half a line", "5")
	streamed.stream(channel.Stdout, len("1\n2\n3\n4\nhalf a line\n5\n"+long))
	late, second := b.dial(link{compress: true}), b.join(onWspipe)
	b.print("y\nlast\n")
	if got, want := second.stream(channel.Stdout, len("4\nhalf a line\n5\n"+long+"y\nlast\n")), "4\nhalf a line\n5\n"+long+"y\nlast\n"; got != want {
		t.Errorf("a client with channels got %d bytes: %.20q", len(got), got)
	}
	first.expect(long+"y", "last")
	for _, want := range []string{"half a line", "5"} {
		late.expect(want)
	}
}

// TestNewClientsOfTwoStreams: with JSON, a line that another stream has interrupted is not complete, so
// that a new client waits. One with channels gets the incomplete lines of both streams.
func TestNewClientsOfTwoStreams(t *testing.T) {
	t.Parallel()
	b := startBroadcast(t, Options{Framing: framing.JSON, Replay: 5})
	first := b.join(link{})
	long := x(300_000)
	b.print(long)
	wspipetest.Eventually(t, "the line has begun", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.midMessage })
	b.alert("oops\nha")
	first.message()
	first.expect(`{"stream":"stderr","data":"oops"}`)
	second, streamed := b.dial(link{}), b.join(onWspipe)
	b.alert("lf\n")
	b.print("y\nnext\n")
	if got := streamed.stream(channel.Stderr, 10); got != "oops\nhalf\n" {
		t.Errorf("stderr %q", got)
	}
	var got []string
	for range 4 {
		_, m := second.message()
		got = append(got, m)
	}
	stderr := func(m string) bool { return strings.HasPrefix(m, `{"stream":"stderr"`) } // in any order
	want := []string{fmt.Sprintf(`{"stream":"stdout","data":"%sy"}`, long), `{"stream":"stdout","data":"next"}`}
	if same(t, slices.DeleteFunc(got, stderr), want); t.Failed() {
		t.Error("in the second client's stdout")
	}
}

// TestNewClientsAfterTheExit get the replay and the exit, in any encoding.
func TestNewClientsAfterTheExit(t *testing.T) {
	t.Parallel()
	b := startBroadcast(t, Options{Replay: 2})
	b.print("1\n2\n3")
	b.puppet.exit(3, "")
	<-b.ended
	c := b.join(link{})
	c.expect("2", "3")
	c.expectClose(1000, "exit 3")
	if sum := c.summary(); sum.ExitCode != 3 {
		t.Errorf("summary %+v", sum)
	}
	c = b.join(onWspipe)
	if got := c.stream(channel.Stdout, 4); got != "2\n3\n" {
		t.Errorf("stdout %q", got)
	}
	c.expectClose(1000, "exit 3")
}

// TestExitWaitsForNoClient: clients get the exit although another one does not read, which still gets
// everything when it does.
func TestExitWaitsForNoClient(t *testing.T) {
	t.Parallel()
	b := startBroadcast(t, Options{})
	stuck, other := b.join(link{buffers: 64 << 10}), b.join(link{})
	line := x(10_000)
	const lines = 50 // fewer than may be queued, and more than the kernel accepts
	for range lines {
		b.print(line + "\n")
		other.expect(line)
	}
	b.puppet.exit(3, "")
	other.expectClose(1000, "exit 3")
	<-b.ended
	if stuck.wire.Out.Waiting() == 0 {
		t.Fatal("nothing is queued for the client that does not read")
	}
	for range lines {
		stuck.expect(line)
	}
	stuck.expectClose(1000, "exit 3")
}

// TestBrokenFraming reaches all clients, and those that wait for the end of a message. The child may
// keep writing.
func TestBrokenFraming(t *testing.T) {
	t.Parallel()
	for mode, test := range map[framing.Framing]struct{ wrong, cause string }{
		framing.Length: {"\x00\x00\x00\x09half", "truncated record: 5 bytes missing"},
		framing.LSP:    {"Content-Type\r\n", "header line without a colon"},
	} {
		b := startBroadcast(t, Options{Framing: mode})
		b.reader = true // keeps running after Stop
		clients := []*attachedClient{b.join(link{}), b.join(onWspipe), b.join(link{compress: true})}
		record := encoded(mode, x(300_000))
		b.print(record[:200_000])
		clients[1].stream(channel.Stdout, 200_000)
		clients = append(clients, b.dial(link{}))
		b.print(record[200_000:] + test.wrong)
		if mode == framing.Length {
			b.far[1].Close()
		} else {
			b.print(strings.Repeat(record, 5))
		}
		b.puppet.exit(3, "")
		for _, c := range clients {
			c.expectClose(1011, fmt.Sprintf("bad %s output: %s", mode, test.cause))
		}
	}
}

// TestStoppedWithinARecord: an incomplete record of a child that we stop does not break its framing.
func TestStoppedWithinARecord(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Single, Broadcast, Resumable} {
		var log strings.Builder
		child := newPuppet(t)
		b := New(child, Options{Kind: kind, Framing: framing.LSP, Log: jsonLog(&log), Buffer: 1 << 20, Grace: time.Hour})
		c := attach(t, b, link{}, ClientOptions{After: -1})
		ended := run(t, b)
		child.print(encoded(framing.LSP, "first") + "Content-Length: 5\r\n\r\nabc")
		c.expect("first")
		b.Shutdown()
		c.expectClose(1001, "server shutting down")
		<-ended
		if got := log.String(); got != "" {
			t.Errorf("kind %d: logged %q", kind, got)
		}
	}
}

// TestNothingAfterACloseFrame: a batch for all clients that is sent while one of them is disconnected does
// not follow its close frame.
func TestNothingAfterACloseFrame(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *attachedClient){
		"client":         func(c *attachedClient) { c.write(closeFrame(1000, "")) },
		"us":             func(c *attachedClient) { c.Shutdown() },
		"protocol error": func(c *attachedClient) { c.write(maskedFrame(fin|0x40|opText, nil)) },
	} {
		c := startBroadcast(t, Options{}).join(link{})
		end(c)
		if f, err := c.frame(); f.first != fin|wire.OpClose {
			t.Fatalf("%s: no close frame: %#x, %v", name, f.first, err)
		}
		c.attachment.(*broadcastClient).deliver(&wire.Batch{Frames: []byte("\x81\x04late"), Messages: 1}) // as to a client that has just disconnected
		c.Write(maskedFrame(fin|wire.OpClose, nil))                                                       // fails if it was a reply
		if f, err := c.frame(); err == nil {
			t.Errorf("%s: after the close frame: %#x %q", name, f.first, f.payload)
		}
	}
}

// TestMessagesStayWhole: what a client has begun does not reach the child while others send, and is one
// line when it is complete.
func TestMessagesStayWhole(t *testing.T) {
	t.Parallel()
	b := startBroadcast(t, Options{})
	slow, quick := b.join(link{}), b.join(link{})
	half := strings.Repeat("a", 300_000)
	slow.write(maskedFrame(opText, []byte(half)), maskedFrame(fin|opPing, []byte("all read")))
	if f, err := slow.frame(); err != nil || f.first != fin|opPong {
		t.Fatalf("instead of a pong: %v, %v", f, err)
	}
	quick.send("b")
	if got := b.read(t, 2); got != "b\n" {
		t.Errorf("the child read %q", got)
	}
	slow.write(maskedFrame(fin|wire.OpContinuation, []byte(half)))
	if got := b.read(t, 600_001); got != half+half+"\n" {
		t.Errorf("the child read %.10q", got)
	}
}

// TestTrafficOfAClient: messages and payload are counted in the replay and live, in each encoding.
func TestTrafficOfAClient(t *testing.T) {
	t.Parallel()
	long := x(100_000)
	for name, test := range map[string]struct {
		link
		framing.Framing
		newlines int64 // in the payload
	}{
		"lines":      {link{}, framing.Lines, 0},
		"compressed": {link{compress: true}, framing.Lines, 0},
		"json":       {link{}, framing.JSON, 0},
		"channels":   {link{protocol: channel.ProtocolV5}, framing.Lines, 4},
	} {
		b := startBroadcast(t, Options{Framing: test.Framing, Replay: 10})
		b.print("one\ntwo\n")
		b.idle(2)
		c := b.join(test.link)
		b.print("\n" + long + "\n")
		b.idle(4)
		b.puppet.exit(0, "")
		c.expectClose(1000, "exit 0")
		got := c.summary().Out
		if got.Bytes != 6+int64(len(long))+test.newlines || got.Messages != 4 && test.protocol == "" {
			t.Errorf("%s: counted %+v", name, got)
		}
	}
}
