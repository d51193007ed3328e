//go:build unix

package bridge

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// resumableChild is a running Resumable, and the address at which its clients connect.
type resumableChild struct {
	*resumable
	t     testing.TB
	link  link
	addr  string
	conns <-chan accepted
	ended chan string // the result of Run
}

// startResumable runs a session, which is ended when the test ends.
func startResumable(t testing.TB, child Child, opt Options) *resumableChild {
	t.Helper()
	return startResumableOver(t, link{network: "tcp"}, child, opt)
}

func startResumableOver(t testing.TB, l link, child Child, opt Options) *resumableChild {
	t.Helper()
	if opt.Buffer == 0 {
		opt.Buffer = 1 << 20
	}
	if opt.Grace == 0 {
		opt.Grace = time.Hour
	}
	opt.Kind = Resumable
	r := &resumableChild{resumable: New(child, opt).kind.(*resumable), t: t, link: l, ended: make(chan string, 1)}
	_, r.addr, r.conns = serve(t, l)
	go func() { // ends with the session
		code, signal := r.Run()
		r.ended <- fmt.Sprint(code, signal)
	}()
	t.Cleanup(func() {
		r.Shutdown()
		wspipetest.Wait(t, "the end of Resumable.Run", r.ended)
	})
	return r
}

// resumeConn is a client of a resumableChild.
type resumeConn struct {
	*client
	*resumedClient
	ended chan Summary
}

// dial connects a client that is not attached yet. It must not be called concurrently.
func (r *resumableChild) dial() (*client, accepted) {
	r.t.Helper()
	conn, err := net.Dial(r.link.network, r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	var header []string
	if r.link.protocol != "" {
		header = append(header, "Sec-WebSocket-Protocol: "+r.link.protocol+"\r\n")
	}
	return handshake(r.t, conn, nil, header...), wspipetest.Wait(r.t, "opening handshake", r.conns)
}

// reattach attaches a client that has counted after messages. When the test ends, the client
// disconnects and Run must return.
func (r *resumableChild) reattach(after int64) *resumeConn {
	r.t.Helper()
	c, on := r.dial()
	a, err := r.Attach(NewWebSocket(on.ws, on.wire, false), ClientOptions{After: after, ID: testID, Log: r.opt.Log})
	if err != nil {
		r.t.Fatalf("after %d: %v", after, err)
	}
	at := &resumeConn{client: c, resumedClient: a.attachment.(*resumedClient), ended: make(chan Summary, 1)}
	go func() { at.ended <- a.Run() }() // ends when the client disconnects
	r.t.Cleanup(func() {
		c.Close()
		at.summary()
	})
	return at
}

func (a *resumeConn) summary() Summary {
	a.client.t.Helper()
	sum := wspipetest.Wait(a.client.t, "the end of Attachment.Run", a.ended)
	a.ended <- sum
	return sum
}

// loseConnection resets the connection and waits for the end of Run.
func (a *resumeConn) loseConnection() {
	a.client.t.Helper()
	a.client.Close()
	a.summary()
}

// expectHistoryLost expects that no client can attach with after.
func (r *resumableChild) expectHistoryLost(after int64) {
	r.t.Helper()
	_, on := r.dial()
	defer on.wire.Abort()
	if _, err := r.Attach(NewWebSocket(on.ws, on.wire, false), ClientOptions{After: after}); err != ErrHistoryLost {
		r.t.Errorf("after %d: %v, want %v", after, err, ErrHistoryLost)
	}
}

func numbers(from, to int) (lines []string) {
	for i := from; i <= to; i++ {
		lines = append(lines, strconv.Itoa(i))
	}
	return lines
}

func TestResumeContinues(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	r := startResumable(t, child, Options{})
	a := r.reattach(-1)
	child.print(t, "1\n2\n3\n")
	a.expect(numbers(1, 3)...)
	a.loseConnection()
	child.print(t, "4\n5\n")
	r.expire()        // has no effect
	a = r.reattach(2) // the client has not read the third message, though its host may have
	a.expect(numbers(3, 5)...)
	a.loseConnection()
	a = r.reattach(5)
	child.print(t, "6\n")
	a.expect("6")
	a.send("still there")
	if got := child.read(t, len("still there\n")); got != "still there\n" {
		t.Errorf("the child reads %q", got)
	}
	child.exit(3, "")
	a.expectClose(1000, "exit 3")
	if sum := a.summary(); sum.ExitCode != 3 || sum.Out.Messages != 1 || sum.In.Messages != 1 {
		t.Errorf("summary %+v", sum)
	}
	if got := wspipetest.Wait(t, "the end of the session", r.ended); got != "3" {
		t.Errorf("Run returns %q", got)
	}
	r.ended <- "" // for the cleanup
}

func TestResumeWithoutACount(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	r := startResumable(t, child, Options{Buffer: 10 * (1 + entryOverhead)})
	a := r.reattach(-1)
	child.print(t, strings.Repeat("x\n", 20)+strings.Repeat("y\n", 10))
	for range 20 {
		a.expect("x")
	}
	for range 10 {
		a.expect("y")
	}
	wspipetest.Eventually(t, "only what may be held is held", func() bool { return !r.history.full() })
	a.loseConnection()
	r.expectHistoryLost(19)
	r.expectHistoryLost(31)
	a = r.reattach(20)
	a.expect("y")
	a.loseConnection()
	a = r.reattach(-1) // its first message is now the 21st
	for range 10 {
		a.expect("y")
	}
	a.loseConnection()
	r.expectHistoryLost(11)
	a = r.reattach(10)
	child.exit(0, "")
	a.expectClose(1000, "exit 0")
}

// After a takeover, the rest of the older client's input is dropped.
func TestTakeover(t *testing.T) {
	t.Parallel()
	child := newPuppet(t).readAll()
	r := startResumable(t, child, Options{})
	older := r.reattach(-1)
	older.send("whole")
	wspipetest.Eventually(t, "it is received", func() bool { return older.input.total.total().Messages == 1 })
	older.write(maskedFrame(opText, make([]byte, 3*wire.BlockSize))) // the beginning of a message
	child.print(t, "1\n")
	older.expect("1")
	newer := r.reattach(1)
	older.write(maskedFrame(fin|wire.OpContinuation, []byte("message")), maskedFrame(fin|opText, []byte("late")))
	older.expectClose(4010, "attached elsewhere")
	if sum := older.summary(); sum.End != endTakeover {
		t.Errorf("the older ends with %+v", sum.End)
	}
	newer.send("new")
	child.print(t, "2\n")
	newer.expect("2")
	newer.write(closeFrame(1000, ""))
	if got := string(wspipetest.Wait(t, "the child's input", child.input)); got != "whole\nnew\n" {
		t.Errorf("the child has read %q", got)
	}
}

// Messages of the older client on other channels are dropped, too.
func TestTakeoverWithChannels(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	r := startResumableOver(t, link{network: "tcp", protocol: channel.ProtocolWspipe}, child, Options{Channels: true})
	older := r.reattach(-1)
	newer := r.reattach(-1)
	older.write(maskedFrame(fin|opBinary, []byte("\x05"+`{"type":"signal","signal":"INT"}`)), maskedFrame(fin|opBinary, []byte{channel.Close, channel.Stdin}))
	older.expectClose(4010, "attached elsewhere")
	older.summary()
	newer.write(maskedFrame(fin|opBinary, []byte("\x05"+`{"type":"signal","signal":"HUP"}`)), maskedFrame(fin|opBinary, []byte("\x00text\n")))
	child.read(t, len("text\n"))
	if got := <-child.told; got != "signal HUP" {
		t.Errorf("the child is sent %q", got)
	}
}

// What a lost client has sent, and the child has not read yet, does not follow what the client
// sends once it is attached again.
func TestResumeDoesNotMixInput(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	r := startResumable(t, child, Options{InputTimeout: -1})
	a := r.reattach(-1)
	line := maskedFrame(fin|opText, []byte(strings.Repeat("x", 1000)))
	a.write(bytes.Repeat(line, 2*maxInputBacklog/1000))
	wspipetest.Eventually(t, "the client has to wait", func() bool { return r.stdin.Waiting() > maxInputBacklog })
	a.reset()
	a.summary() // does not wait for the child
	if s := r.stateNow(); s != detached {
		t.Fatalf("%s", stateNames[s])
	}
	r.expire() // has no effect: as if the timer had fired before the client was lost
	b := r.reattach(-1)
	b.send("new")
	child.readAll()
	b.write(closeFrame(1000, ""))
	got := string(wspipetest.Wait(t, "the child's input", child.input))
	if !strings.HasSuffix(got, "\nnew\n") || strings.Trim(got, "x\n") != "new" {
		t.Errorf("the child's input ends with %.2000q", got[max(0, len(got)-2000):])
	}
}

func TestResumeReportsTheExitLate(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	r := startResumable(t, child, Options{})
	r.reattach(-1).loseConnection()
	child.print(t, "last words")
	child.exit(143, "TERM")
	wspipetest.Eventually(t, "the exit is kept", func() bool { return !r.Kept().IsZero() })
	a := r.reattach(0)
	a.expect("last words")
	f, err := a.frame()
	if err != nil || f.first != fin|wire.OpClose {
		t.Fatalf("instead of a close frame: %v, %v", f, err)
	}
	a.loseConnection() // without a reply
	a = r.reattach(1)
	if f, err = a.frame(); err != nil || f.first != fin|wire.OpClose {
		t.Fatalf("instead of a close frame: %v, %v", f, err)
	}
	a.Abort() // the client's host is down
	a.summary()
	a = r.reattach(1)
	a.expectClose(1000, "signal TERM")
	a.summary()
	wspipetest.Wait(t, "the end of the session", r.ended)
	r.ended <- ""
}

// A child that breaks its framing is stopped. Its client gets the reason after the messages
// before that.
func TestResumeReportsBrokenFramingLate(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	r := startResumable(t, child, Options{Framing: framing.LSP})
	r.reattach(-1).loseConnection()
	child.print(t, "Content-Length: 4\r\n\r\ngoodContent-Size: 3\r\n\r\nbad")
	wspipetest.Wait(t, "the child is stopped", child.stopped)
	wspipetest.Eventually(t, "its end is kept", func() bool { return !r.Kept().IsZero() })
	a := r.reattach(0)
	a.expect("good")
	exit, _ := r.exit()
	last := exit.end
	if a.expectClose(1011, last.Reason); !strings.HasPrefix(last.Reason, "bad lsp output: ") {
		t.Errorf("the reason is %q", last.Reason)
	}
}

// TestResumeEndsWithTheClient: a client that closes the connection ends the session, unless it
// may be a page that is being reloaded.
func TestResumeEndsWithTheClient(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		last  []byte
		state resumeState
	}{
		"1000":        {closeFrame(1000, "bye"), ended},
		"empty":       {maskedFrame(fin|wire.OpClose, nil), ended},
		"1001":        {closeFrame(1001, ""), detached},
		"4999":        {closeFrame(4999, ""), detached},
		"none":        {nil, detached},
		"half":        {maskedFrame(fin|opText, []byte("text"))[:3], detached},
		"not UTF-8":   {maskedFrame(fin|opText, []byte("\xff")), ended},
		"not allowed": {[]byte{0xff, 0x80, 0, 0, 0, 0}, detached},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			r := startResumable(t, child, Options{})
			a := r.reattach(-1)
			a.write(test.last)
			a.client.Conn.(*net.TCPConn).CloseWrite()
			a.summary()
			r.mu.Lock()
			state := r.state
			r.mu.Unlock()
			if state != test.state {
				t.Fatalf("%s, want %s", stateNames[state], stateNames[test.state])
			}
			if state == ended {
				wspipetest.Wait(t, "the child is stopped", child.stopped)
			}
		})
	}
}
