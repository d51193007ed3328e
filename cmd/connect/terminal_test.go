//go:build unix

package connect

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"wspipe/bridge/channel"

	"github.com/coder/websocket"
	"github.com/creack/pty"
	"golang.org/x/term"
)

const (
	resized = "\x04" + `{"Width":91,"Height":17}`
	redrawn = "\x05" + `{"type":"signal","signal":"WINCH"}`
)

// startRaw starts a client whose program has a terminal.
func startRaw(t *testing.T, args ...string) (*process, *peer) {
	t.Helper()
	s := serve(t, nil, channel.ProtocolWspipe)
	c := startOnTerminal(t, append(args, s.url().String())...)
	p := s.peer(t).hello(true)
	p.expect(resized)
	c.awaitRaw(true)
	return c, p
}

// Each key is sent at once, output is unchanged, size changes are sent, and the terminal is restored
// at the end.
func TestTerminal(t *testing.T) {
	c, p := startRaw(t)
	c.press("\x03")
	p.expect("\x00\x03")
	c.press("\x04")
	p.expect("\x00\x04")
	p.send(channel.Stdout, "one\ntwo\n")
	c.awaitOutput("one\ntwo\n") // a cooked terminal would add \r
	if err := pty.Setsize(c.keyboard.(*os.File), &pty.Winsize{Cols: 100, Rows: 30}); err != nil {
		t.Fatal(err)
	}
	p.expect("\x04" + `{"Width":100,"Height":30}`)
	p.send(channel.Control, `{"type":"exit","code":3}`)
	p.Close(1000, "exit 3")
	c.expectStatus(3)
}

// A sequence that sets modes, and the one that resets them.
const (
	modesSet   = "\x1b[?1049h\x1b[>4;2m\x1b[?1h\x1b=\x1b[?1000;1006;2004;1004h\x1b[1;17r\x1b[?25l\x1b[7m"
	modesReset = "\x1b7\x1b[r\x1b8\x1b[?1l\x1b[?25h\x1b[?1000l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b>\x1b[m\x1b[?1049l\x1b[>4m"
)

// However the client ends, the terminal is restored and the modes are reset. Messages begin on a new
// line after that.
func TestTerminalIsRestored(t *testing.T) {
	for name, test := range map[string]struct {
		end     func(*process, *peer)
		status  int
		message string
	}{
		"exit":     {func(_ *process, p *peer) { p.Close(1000, "exit 0") }, 0, ""},
		"signal":   {func(_ *process, p *peer) { p.Close(1000, "signal HUP") }, 129, ""},
		"shutdown": {func(_ *process, p *peer) { p.Close(1001, "server shutting down") }, 255, "\r\nwspipe: connection closed by the server: code 1001 (going away): server shutting down\r\n"},
		"lost":     {func(_ *process, p *peer) { p.drop() }, 255, "\r\nwspipe: connection lost\r\n"},
		"escape":   {func(c *process, p *peer) { c.press("x\r~."); p.expectClose(1000) }, 255, "\r\nwspipe: connection closed by ~.\r\n"},
		"SIGTERM":  {func(c *process, p *peer) { c.signal(syscall.SIGTERM); p.expectClose(1000) }, 143, ""},
		"SIGHUP":   {func(c *process, p *peer) { c.signal(syscall.SIGHUP); p.expectClose(1000) }, 129, ""},
		"SIGTERM while nobody answers": {func(c *process, _ *peer) {
			c.signal(syscall.SIGTERM)
			c.awaitRaw(false)
			c.signal(syscall.SIGTERM)
		}, 143, ""},
		"SIGINT, for the program":  {func(c *process, p *peer) { obeys(c, p, syscall.SIGINT, "INT") }, 130, ""},
		"SIGQUIT, for the program": {func(c *process, p *peer) { obeys(c, p, syscall.SIGQUIT, "QUIT") }, 131, ""},
	} {
		for set, reset := range map[string]string{"": "", modesSet: modesReset} {
			t.Run(fmt.Sprintf("%s, modes %t", name, set != ""), func(t *testing.T) {
				t.Parallel()
				c, p := startRaw(t)
				p.send(channel.Stdout, "$ "+set)
				c.awaitOutput("$ " + set)
				test.end(c, p)
				c.expectStatus(test.status)
				c.awaitOutput("$ " + set + reset + test.message)
				if got := c.output(); !strings.HasSuffix(got, reset+test.message) {
					t.Errorf("it wrote %q", got)
				}
			})
		}
	}
}

// obeys forwards a signal to a program that exits because of it.
func obeys(c *process, p *peer, sig os.Signal, name string) {
	c.signal(sig)
	p.expect("\x05" + `{"type":"signal","signal":"` + name + `"}`)
	p.Close(1000, "signal "+name)
}

// The modes are reset between two connections. If the same program continues, they are set again and
// the program redraws its screen.
func TestModesBetweenConnections(t *testing.T) {
	const again = "\x1b[?1049h\x1b[1;17r\x1b[?1h\x1b[?25l\x1b[?1000h\x1b[?1004h\x1b[?1006h\x1b[?2004h\x1b=\x1b[7m\x1b[>4;2m"
	for flag, set := range map[string]string{"--reconnect": "", "--resume": again} {
		s := serve(t, nil, channel.ProtocolWspipe)
		c := startOnTerminal(t, flag, s.url().String())
		p := s.peer(t).hello(true)
		p.expect(resized)
		p.send(channel.Stdout, "one"+modesSet)
		c.awaitOutput("one" + modesSet)
		p.drop()
		c.awaitOutput(modesReset + "\r\nwspipe: connection lost; reconnecting in ")
		p = s.peer(t).hello(true)
		p.expect(resized)
		if set != "" {
			p.expect(redrawn)
		}
		p.send(channel.Stdout, "two")
		c.awaitOutput("ms\r\n" + set + "two")
		p.Close(1000, "exit 0")
		c.expectStatus(0)
	}
}

// A stopped client restores the terminal, and makes it raw again when it continues.
func TestTerminalIsRestoredWhileStopped(t *testing.T) {
	c, p := startRaw(t)
	p.send(channel.Stdout, modesSet)
	c.awaitOutput(modesSet)
	c.signal(syscall.SIGTSTP)
	c.awaitRaw(false)
	c.awaitOutput(modesReset)
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(c.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("status %v, %v", status, err)
	}
	c.signal(syscall.SIGCONT)
	c.awaitRaw(true)
	p.expect(resized, redrawn)
	p.send(channel.Stdout, "again")
	c.awaitOutput("again")
	if err := term.Restore(int(c.tty.Fd()), c.before); err != nil { // as a shell does after SIGSTOP
		t.Fatal(err)
	}
	c.signal(syscall.SIGCONT)
	c.awaitRaw(true)
	p.expect(resized)
	p.Close(1000, "exit 0")
	c.expectStatus(0)
}

// A program without a terminal gets lines, and signals instead of keys.
func TestCookedTerminal(t *testing.T) {
	for _, test := range []struct {
		args []string
		pty  bool
	}{{nil, false}, {[]string{"--pty=false"}, true}} {
		s := serve(t, nil, channel.ProtocolWspipe)
		c := startOnTerminal(t, append(test.args, s.url().String())...)
		p := s.peer(t).hello(test.pty)
		c.press("lin\x7fne\r")
		p.expect("\x00line\n")
		if c.isRaw() {
			t.Error("the terminal is raw")
		}
		c.press("\x03")
		p.expect("\x05" + `{"type":"signal","signal":"INT"}`)
		c.press("\x04")
		p.expect("\xff\x00")
		p.Close(1000, "exit 0")
		c.expectStatus(0)
	}
}

// Ctrl-Z does not stop a client that no shell could continue: it leads its session, so its process
// group is orphaned.
func TestCtrlZWithoutShell(t *testing.T) {
	s := serve(t, nil, channel.ProtocolWspipe)
	c := startOnTerminal(t, s.url().String())
	p := s.peer(t).hello(false)
	c.press("before\r")
	p.expect("\x00before\n")
	c.press("\x1a")
	c.press("after\r")
	p.expect("\x00after\n")
	p.Close(1000, "exit 0")
	c.expectStatus(0)
}

func TestProgramHasNoTerminal(t *testing.T) {
	s := serve(t, nil, channel.ProtocolWspipe)
	c := startOnTerminal(t, "--pty", s.url().String())
	s.peer(t).hello(false).expectClose(1000)
	c.expectStatus(255)
	c.awaitOutput("wspipe: the server's program has no terminal; start the server with wspipe --pty\r\n")
}

func TestPTYWithoutTerminal(t *testing.T) {
	pty := true
	start(t, Config{PTY: &pty}).expect(255, "--pty requires stdin and stdout to be a terminal")
}

// With --pty, the server of any WebSocket may have a terminal.
func TestPlainTerminal(t *testing.T) {
	s := serve(t, nil)
	c := startOnTerminal(t, "--pty", s.url().String())
	p := s.peer(t)
	c.awaitRaw(true)
	c.press("a")
	if typ, got, err := p.Read(p.ctx); typ != websocket.MessageBinary || string(got) != "a" {
		t.Errorf("got %v %q, %v", typ, got, err)
	}
	p.sendRaw(websocket.MessageText, "b")
	c.awaitOutput("b")
	p.Close(1000, "")
	c.expectStatus(0)
	if c.output() != "b" {
		t.Errorf("it wrote %q", c.output())
	}
}

// A panic restores the terminal, too.
func TestPanicRestores(t *testing.T) {
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer ptmx.Close()
	defer tty.Close()
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	terminal := newLocalTerminal(tty, tty)
	if err := terminal.makeRaw(); err != nil {
		t.Fatal(err)
	}
	during, _ := term.GetState(int(tty.Fd())) // it succeeded before
	said := make(chan any)
	go func() { // ends with its panic
		defer func() { said <- recover() }()
		defer (&client{terminal: terminal}).restoreOnPanic()
		panic("on purpose")
	}()
	if got := wait(t, "the panic", said); got != "on purpose" {
		t.Errorf("the panic became %v", got)
	}
	after, _ := term.GetState(int(tty.Fd()))
	if reflect.DeepEqual(before, during) || !reflect.DeepEqual(before, after) {
		t.Errorf("before %v, raw %v, after %v", before, during, after)
	}
}

// Every goroutine of the package restores the terminal if it panics.
func TestEveryGoroutineRestoresTerminal(t *testing.T) {
	for _, file := range []string{"connect.go", "conn.go", "input.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(source), "\tgo func()")[1:] {
			if lines := strings.SplitN(part, "\n", 3); !strings.Contains(lines[1], "restoreOnPanic()") && !strings.Contains(lines[1], "guard()") {
				t.Errorf("%s: %s", file, lines[0])
			}
		}
	}
}
