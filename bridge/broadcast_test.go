//go:build unix

package bridge

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// broadcastChild is a running Broadcast child.
type broadcastChild struct {
	*broadcast
	t     testing.TB
	ended chan string
}

// startBroadcast runs a broadcast, whose child is stopped when the test ends.
func startBroadcast(t testing.TB, child Child, opt Options) *broadcastChild {
	t.Helper()
	opt.Kind = Broadcast
	a := &broadcastChild{broadcast: New(child, opt).kind.(*broadcast), t: t, ended: make(chan string, 1)}
	go func() { // ends with the child
		code, signal := a.Run()
		a.ended <- fmt.Sprint(code, signal)
	}()
	t.Cleanup(func() {
		a.Stop()
		wspipetest.Wait(t, "the end of the broadcast", a.ended)
	})
	return a
}

// broadcastConn is a client of a broadcastChild.
type broadcastConn struct {
	*client
	*broadcastClient
	ended chan Summary
}

// join connects a client, and returns once it is attached.
func (a *broadcastChild) join(l link, opt Options) *broadcastConn {
	a.t.Helper()
	c, ws, conn := connect(a.t, l)
	v := &broadcastConn{client: c, broadcastClient: attach(a.t, a.Bridge, opt, NewWebSocket(ws, conn, l.compress), ClientOptions{}).attachment.(*broadcastClient), ended: make(chan Summary, 1)}
	go func() { v.ended <- v.Run() }() // ends when the client disconnects
	a.t.Cleanup(func() {
		c.Close()
		v.summary()
	})
	wspipetest.Eventually(a.t, "the client has joined", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, other := range a.attached {
			if other == v.broadcastClient {
				return true
			}
		}
		return a.exited
	})
	return v
}

func (v *broadcastConn) summary() Summary {
	v.t.Helper()
	sum := wspipetest.Wait(v.t, "the end of a client", v.ended)
	v.ended <- sum
	return sum
}

func TestEveryClientGetsEverything(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{})
	var clients []*broadcastConn
	for range 5 {
		clients = append(clients, b.join(link{}, Options{}))
	}
	long := strings.Repeat("x", 300_000)
	go io.WriteString(child.far[1], "one\ntwo\n"+long+"\nlast") // ends when it was read
	for _, v := range clients[:4] {
		v.expect("one", "two", long)
	}
	child.exit(3, "")
	for _, v := range clients[:4] {
		v.expect("last")
		v.expectClose(1000, "exit 3")
		if sum := v.summary(); sum.ExitCode != 3 || sum.Out.Messages != 4 {
			t.Errorf("summary %+v", sum)
		}
	}
	clients[4].expect("one", "two", long, "last") // it reads late
	clients[4].expectClose(1000, "exit 3")
}

func TestNewClientsGetTheLastMessages(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{Replay: 3})
	first := b.join(link{}, Options{})
	child.print(t, "1\n2\n3\n4\n5\nhalf")
	first.expect("1", "2", "3", "4", "5")
	second := b.join(link{}, Options{})
	second.expect("3", "4", "5")
	child.print(t, " a line\n6\n")
	second.expect("half a line", "6")
	first.expect("half a line", "6")
	third := b.join(link{compress: true}, Options{})
	third.expect("5", "half a line", "6")
}

// TestJoinWhileItFloods: a new client gets consecutive numbers, beginning with the replay,
// however the child writes.
func TestJoinWhileItFloods(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]struct {
		opt   Options
		width int
	}{"short lines": {Options{Replay: 10, Slow: SlowBlock}, 0}, "long lines": {Options{Replay: 2, Slow: SlowBlock}, 100_000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := startShell(t, fmt.Sprintf(`i=0; while :; do printf '%%d %%0%dd\n' $i 0; i=$((i+1)); done`, max(1, options.width)))
			b := startBroadcast(t, child, options.opt)
			for range 20 {
				v := b.join(link{}, Options{})
				before := -1
				for n := range 30 {
					_, message, _ := v.message()
					var number int
					fmt.Sscan(message, &number)
					if n > 0 && number != before+1 {
						t.Fatalf("%d comes after %d", number, before)
					}
					before = number
				}
				v.Close()
			}
		})
	}
}

func TestClientsWithChannels(t *testing.T) {
	t.Parallel()
	child := newPuppet(t).readAll()
	b := startBroadcast(t, child, Options{Replay: 2})
	plain := b.join(link{}, Options{})
	child.print(t, "1\r\n2\n3\nhalf")
	plain.expect("1", "2", "3")
	v := b.join(link{protocol: channel.ProtocolWspipe}, Options{})
	stream := func(channel byte, n int) string {
		t.Helper()
		var got string
		for len(got) < n {
			_, message, _ := v.message()
			if message[0] != channel {
				t.Fatalf("instead of channel %d: %q", channel, message)
			}
			got += message[1:]
		}
		return got
	}
	if hello := stream(channel.Control, 1); !strings.Contains(hello, `"hello"`) {
		t.Errorf("hello %q", hello)
	}
	v.message() // the empty message that follows hello
	if got := stream(channel.Stdout, 8); got != "2\n3\nhalf" {
		t.Errorf("replay %q", got)
	}
	child.print(t, " a line\n")
	if got := stream(channel.Stdout, 8); got != " a line\n" {
		t.Errorf("stdout %q", got)
	}
	io.WriteString(child.far[2], "oops\n")
	if got := stream(channel.Stderr, 5); got != "oops\n" {
		t.Errorf("stderr %q", got)
	}
	v.send("\x00from v\n")
	plain.send("from plain")
	wspipetest.Eventually(t, "both have sent", func() bool { return plain.input.total.messages.Load()+v.input.total.messages.Load() == 2 })
	v.write(maskedFrame(fin|opBinary, []byte{channel.Close, channel.Stdin})) // does not end the input of others
	plain.send("more")
	child.exit(0, "")
	if got := stream(channel.Control, 1); got != `{"type":"exit","code":0}` {
		t.Errorf("exit %q", got)
	}
	stream(channel.Error, 1)
	v.expectClose(1000, "exit 0")
}

func TestSlowClients(t *testing.T) {
	t.Parallel()
	const lines, width, chunk = 40_000, 200, 1000
	line := func(i int) string { return fmt.Sprintf("%0*d", width, i) }
	for name, policy := range map[string]SlowPolicy{"disconnect": SlowDisconnect, "drop": SlowDrop, "block": SlowBlock} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			b := startBroadcast(t, child, Options{Slow: policy})
			slow, fast := b.join(link{}, Options{}), b.join(link{}, Options{})
			mayPrint := make(chan bool, 2) // so that the fast client keeps up on a busy machine, too
			printed := make(chan bool)
			go func() { // ends when the clients have read, or need not
				defer close(printed)
				for i := range lines {
					if i%chunk == 0 && policy != SlowBlock {
						mayPrint <- true
					}
					io.WriteString(child.far[1], line(i)+"\n")
				}
			}()
			read := func(v *broadcastConn) (got []string) {
				for {
					f, err := v.frame()
					if err != nil || f.first&^fin == wire.OpClose {
						return append(got, fmt.Sprintf("%q %v", f.payload, err))
					}
					got = append(got, string(f.payload))
				}
			}
			if policy == SlowBlock {
				wspipetest.Eventually(t, "the slow one holds everybody", func() bool { return slow.wire.Out.Waiting() > 0 })
				go read(slow)
			}
			for i := range lines {
				if _, got, _ := fast.message(); got != line(i) {
					t.Fatalf("line %d is %.20q", i, got)
				}
				if i%chunk == chunk-1 && policy != SlowBlock {
					<-mayPrint
				}
			}
			wspipetest.Wait(t, "all is printed", printed)
			child.exit(0, "")
			if policy == SlowBlock {
				return
			}
			got := read(slow)
			last := got[len(got)-1]
			switch {
			case policy == SlowDisconnect && !strings.Contains(last, "too slow: "):
				t.Errorf("the slow client ends with %s after %d messages", last, len(got))
			case policy == SlowDrop && (len(got) >= lines || !strings.Contains(last, "exit 0") || got[len(got)-2] != line(lines-1)):
				t.Errorf("the slow client ends with %s after %d messages", last, len(got))
			case policy == SlowDrop && slow.summary().Out.Messages == 0:
				t.Error("nothing counted")
			}
		})
	}
}

// attach attaches a client to b, with the options opt, or those of b if opt is zero.
func attach(t testing.TB, b *Bridge, opt Options, to Transport, of ClientOptions) *Client {
	t.Helper()
	if reflect.ValueOf(opt).IsZero() {
		opt = b.opt
	}
	opt.Kind, opt.Slow, opt.ReadOnly, of.Log, of.ID = b.opt.Kind, b.opt.Slow, b.opt.ReadOnly, opt.Log, testID
	c, err := b.attach(&opt, to, of)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
