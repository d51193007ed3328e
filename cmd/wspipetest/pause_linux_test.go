package wspipetest_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// pauser is a client that reads everything as it comes, as a page does, and pauses.
type pauser struct {
	*wspipetest.Client
	t     *testing.T
	pid   int // the child's
	ended chan struct{}

	mu       sync.Mutex
	output   strings.Builder
	messages int      // of output
	controls []string // but the first
	end      error
}

// dialPauser connects to url and waits for what comes first.
func dialPauser(t *testing.T, url string) *pauser {
	t.Helper()
	c := &pauser{Client: wspipetest.Dial(t, url, &websocket.DialOptions{Subprotocols: []string{"v1.wspipe"}}), t: t, ended: make(chan struct{})}
	var hello struct{ Pid int }
	if m := c.Next(); json.Unmarshal([]byte(m[1:]), &hello) != nil || hello.Pid == 0 {
		t.Fatalf("instead of hello: %s", m)
	}
	c.pid = hello.Pid
	c.Next()
	go c.read() // ends with the connection, which ends with the test
	return c
}

func (c *pauser) read() {
	defer close(c.ended)
	for {
		_, m, err := c.Read(c.Ctx)
		c.mu.Lock()
		switch {
		case err != nil:
			c.end = err
		case m[0] == 5:
			c.controls = append(c.controls, string(m[1:]))
		case m[0] != 3:
			c.output.Write(m[1:])
			c.messages++
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// had tells how much has come, and of what last.
func (c *pauser) had() (output string, messages int, controls []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.output.String(), c.messages, c.controls
}

// control sends a message on channel 5; it fails if the connection has ended.
func (c *pauser) control(typ string) {
	c.Write(c.Ctx, websocket.MessageBinary, []byte("\x05"+`{"type":"`+typ+`"}`))
}

// say sends input.
func (c *pauser) say(line string) {
	c.t.Helper()
	if err := c.Write(c.Ctx, websocket.MessageBinary, []byte("\x00"+line)); err != nil {
		c.t.Fatal(err)
	}
}

// untilQuiet waits until f gives the same for a good while, measured in pongs.
func (c *pauser) untilQuiet(f func() int) {
	c.t.Helper()
	until(c.t, "all is quiet", func() bool {
		before := f()
		for range 50 {
			if err := c.Ping(c.Ctx); err != nil {
				if <-c.ended; c.Ctx.Err() != nil { // else the connection has
					c.t.Fatalf("no pong: %v", err)
				}
			}
			if f() != before {
				return false
			}
		}
		return true
	})
}

// size is how many bytes of output have come.
func (c *pauser) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.output.Len()
}

// pause pauses and waits until nothing more is under way.
func (c *pauser) pause() {
	c.t.Helper()
	c.control("pause")
	c.untilQuiet(c.size)
}

// closed waits for the close frame.
func (c *pauser) closed() websocket.CloseError {
	c.t.Helper()
	<-c.ended
	end, ok := errors.AsType[websocket.CloseError](c.end)
	if !ok {
		c.t.Fatalf("the connection ended without a close frame: %v", c.end)
	}
	return end
}

// written is how many bytes a process has written so far.
func written(t *testing.T, pid int) (n int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "wchar: ")
	fmt.Sscan(rest, &n)
	return n
}

// sessionURL is url with a session of its own.
func sessionURL(url string) string { return url + "?wspipe_session=" + rand.Text() }

// TestPauseStopsYes: the child writes no more in a pause, no memory fills, and it
// goes on.
func TestPauseStopsYes(t *testing.T) {
	for name, flags := range map[string][]string{
		"pipes":    nil,
		"terminal": {"--pty"},
		"session":  {"--resume=1m"},
		"shared":   {"--share=broadcast", "--slow=block"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startPlain(t, append(flags, "yes")...)
			c := dialPauser(t, sessionURL(s.WS))
			until(t, "it floods", func() bool { return c.size() > mb })
			settled := memory(t, s.Pid(), "VmRSS")
			for range 5 {
				c.pause()
				c.untilQuiet(func() int { return written(t, c.pid) })
				before := c.size()
				c.control("continue")
				until(t, "it goes on", func() bool { return c.size() > before+mb })
			}
			c.pause()
			if grown := memory(t, s.Pid(), "VmRSS") - settled; grown > 20*mb {
				t.Errorf("memory has grown by %d MB", grown/mb)
			}
			if got, _, _ := c.had(); strings.Trim(got, "y\r\n") != "" {
				t.Errorf("got %.100q", strings.Trim(got, "y\r\n"))
			}
		})
	}
}

// TestPausesLoseNothing: with pauses at random each byte comes once, and the exit
// behind them.
func TestPausesLoseNothing(t *testing.T) {
	t.Parallel()
	const last = 500_000
	for name, test := range map[string]struct {
		flags []string
		end   string
	}{
		"pipes":    {nil, "\n"},
		"terminal": {[]string{"--pty"}, "\r\n"},
		"session":  {[]string{"--resume=1m", "--resume-buffer=128KiB"}, "\n"},
		"shared":   {[]string{"--share=broadcast", "--slow=block"}, "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := wspipetest.Start(t, append(test.flags, "/bin/sh", "-c", fmt.Sprintf("read go; seq %d; exit 3", last))...)
			c := dialPauser(t, sessionURL(s.WS))
			c.say("go\n")
			for pauses := 0; pauses < 30; pauses++ {
				c.control("pause")
				for range mathrand.IntN(20) {
					c.Ping(c.Ctx)
				}
				if pauses%10 == 0 {
					c.untilQuiet(c.size)
				}
				before := c.size()
				c.control("continue")
				until(t, "it goes on", func() bool { return c.size() > before || closed(c.ended) })
			}
			if end := c.closed(); end.Code != 1000 || end.Reason != "exit 3" {
				t.Errorf("closed with %v", end)
			}
			got, _, controls := c.had()
			want := counted(last, test.end)
			if name == "terminal" {
				want = "go\r\n" + want // its echo
			}
			if got != want {
				t.Errorf("%d bytes came, want %d", len(got), len(want))
			}
			if len(controls) != 1 || controls[0] != `{"type":"exit","code":3}` {
				t.Errorf("told %q", controls)
			}
		})
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestKilledInAPause: what the child wrote, and how it ended, comes after the pause,
// over the same connection or the next one of the session.
func TestKilledInAPause(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"pipes":    nil,
		"terminal": {"--pty"},
		"session":  {"--resume=1m"},
		"lost":     {"--resume=1m"},
		"shared":   {"--share=broadcast"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := wspipetest.Start(t, append(flags, "/bin/sh", "-c", "stty -echo 2>/dev/null; read go; seq 1000; exec sleep 1000")...)
			url := sessionURL(s.WS)
			c := dialPauser(t, url)
			c.pause()
			c.say("go\n")
			until(t, "the child sleeps", func() bool {
				name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c.pid))
				return string(name) == "sleep\n"
			})
			syscall.Kill(c.pid, syscall.SIGKILL)
			until(t, "the child is gone", func() bool { return gone(c.pid) })
			c.untilQuiet(c.size)
			if got, _, controls := c.had(); strings.Contains(got, "1\n") || len(controls) > 0 {
				t.Errorf("in a pause %.100q %q", got, controls)
			}
			if name == "lost" {
				c.CloseNow()
				c = dialPauser(t, url) // begins without a pause
			}
			c.control("continue")
			if end := c.closed(); end.Code != 1000 || end.Reason != "signal KILL" {
				t.Errorf("closed with %v", end)
			}
			got, _, controls := c.had()
			if !strings.HasSuffix(strings.ReplaceAll(got, "\r", ""), counted(1000, "\n")) {
				t.Errorf("%d bytes came: %.100q", len(got), got)
			}
			if len(controls) != 1 || controls[0] != `{"type":"exit","signal":"KILL"}` {
				t.Errorf("told %q", controls)
			}
		})
	}
}

// TestEndsInAPause: none of them waits for the client to go on.
func TestEndsInAPause(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flags []string
		end   func(*wspipetest.Server, *pauser)
		want  websocket.CloseError
	}{
		"shutdown":         {nil, func(s *wspipetest.Server, _ *pauser) { s.Signal(syscall.SIGTERM) }, websocket.CloseError{Code: 1001, Reason: "server shutting down"}},
		"shutdown, resume": {[]string{"--resume=1m"}, func(s *wspipetest.Server, _ *pauser) { s.Signal(syscall.SIGTERM) }, websocket.CloseError{Code: 1001, Reason: "server shutting down"}},
		"shutdown, share":  {[]string{"--share=broadcast", "--slow=block"}, func(s *wspipetest.Server, _ *pauser) { s.Signal(syscall.SIGTERM) }, websocket.CloseError{Code: 1001, Reason: "server shutting down"}},
		"max runtime":      {[]string{"--max-runtime=5s"}, nil, websocket.CloseError{Code: 4001, Reason: "max runtime"}},
		"idle":             {[]string{"--idle-timeout=5s"}, nil, websocket.CloseError{Code: 4002, Reason: "idle timeout"}},
		"close frame":      {nil, func(_ *wspipetest.Server, c *pauser) { c.Close(1000, "bye") }, websocket.CloseError{}},
		"lost":             {nil, func(_ *wspipetest.Server, c *pauser) { c.CloseNow() }, websocket.CloseError{}},
		"lost, share":      {[]string{"--share=broadcast", "--slow=block"}, func(_ *wspipetest.Server, c *pauser) { c.CloseNow() }, websocket.CloseError{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := wspipetest.Start(t, append(test.flags, "/bin/sh", "-c", "read go; exec yes")...)
			c := dialPauser(t, sessionURL(s.WS))
			c.control("pause")
			c.say("go\n")
			if test.end != nil {
				c.untilQuiet(c.size)
				test.end(s, c)
			}
			if test.want.Code != 0 {
				if end := c.closed(); end != test.want {
					t.Errorf("closed with %v, want %v", end, test.want)
				}
			}
			until(t, "the child is gone", func() bool { return gone(c.pid) })
			if test.want.Code == 1001 && s.Wait() != 0 {
				t.Error("wspipe did not end with status 0")
			}
		})
	}
}

// TestPausedSessionIsLost: who was lost in a pause gets all messages that it has not
// counted, without asking.
func TestPausedSessionIsLost(t *testing.T) {
	t.Parallel()
	const last = 500_000
	s := wspipetest.Start(t, "--resume=1m", "--resume-buffer=64KiB", "seq", fmt.Sprint(last))
	url, after := sessionURL(s.WS), 0
	var got string
	for round := 0; ; round++ {
		c := dialPauser(t, fmt.Sprintf("%s&wspipe_after=%d", url, after))
		if round < 5 {
			until(t, "some has come", func() bool { return c.size() > 10_000 })
			c.pause()
			c.CloseNow()
		}
		<-c.ended
		output, messages, _ := c.had()
		got += output
		after += messages
		if round == 5 {
			break
		}
	}
	if got != counted(last, "\n") {
		t.Errorf("%d bytes came, want %d", len(got), len(counted(last, "\n")))
	}
}

// TestPauseBesideConnect: one viewer's pause is nothing to another, such as wspipe
// connect.
func TestPauseBesideConnect(t *testing.T) {
	t.Parallel()
	for _, slow := range []string{"disconnect", "drop"} {
		t.Run(slow, func(t *testing.T) {
			t.Parallel()
			const last = 1_000_000 // much more than may wait for the paused one
			s := wspipetest.Start(t, "--share=broadcast", "--slow="+slow, "/bin/sh", "-c", fmt.Sprintf("read go; seq %d; exit 3", last))
			c := dialPauser(t, s.WS)
			c.pause()
			if status, out, errs := connected(t, "go\n", s.WS); status != 3 || out != counted(last, "\n") {
				t.Errorf("status %d, %d bytes, want %d: %s", status, len(out), len(counted(last, "\n")), errs)
			}
			if slow == "disconnect" {
				if end := c.closed(); end.Code != 1013 {
					t.Errorf("the paused one was closed with %v", end)
				}
				return
			}
			c.untilQuiet(c.size)
			c.control("continue")
			c.closed()
			if got, _, _ := c.had(); len(got) < mb/2 || len(got) > 2*mb || !strings.HasSuffix(counted(last, "\n"), got) {
				t.Errorf("the paused one got %d bytes, from %.20q on", len(got), got)
			}
		})
	}
}
