//go:build unix

package connect

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/term"

	"wspipe/cmd/wspipetest"
)

// process is "wspipe connect" in its own process, for tests of signals and terminals.
type process struct {
	*exec.Cmd
	t        testing.TB
	keyboard io.Writer // its stdin
	ended    chan error

	mu  sync.Mutex
	out bytes.Buffer // its output so far

	tty    *os.File // its terminal, or nil
	before *term.State
}

// startBinary runs "wspipe connect" with args, on pipes.
func startBinary(t testing.TB, args ...string) *process {
	t.Helper()
	p := newProcess(t, args)
	p.Stdout, p.Stderr = p, p
	stdin, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.keyboard = stdin
	p.launch()
	return p
}

// startOnTerminal runs it as the leader of a session on a terminal.
func startOnTerminal(t testing.TB, args ...string) *process {
	t.Helper()
	p := newProcess(t, args)
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(ptmx, &pty.Winsize{Cols: 91, Rows: 17}); err != nil {
		t.Fatal(err)
	}
	p.tty, p.keyboard = tty, ptmx
	p.before = p.state()
	p.Stdin, p.Stdout, p.Stderr = tty, tty, tty
	p.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	var reading sync.WaitGroup
	reading.Go(func() { io.Copy(p, ptmx) }) // ends when tty is closed
	t.Cleanup(func() {
		tty.Close()
		reading.Wait()
		ptmx.Close()
	})
	p.launch()
	return p
}

func newProcess(t testing.TB, args []string) *process {
	p := &process{t: t, ended: make(chan error, 1), Cmd: exec.Command(wspipetest.Binary(t), append([]string{"connect"}, args...)...)}
	p.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	return p
}

func (p *process) launch() {
	p.t.Helper()
	if err := p.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { // ends with the process
		p.ended <- p.Cmd.Wait()
		close(p.ended)
	}()
	p.t.Cleanup(func() {
		p.Process.Kill()
		wait(p.t, "the end of the process", p.ended)
	})
}

// Write records output of the process.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(text)
}

// output returns the output so far.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func (p *process) awaitOutput(text string) {
	p.t.Helper()
	eventually(p.t, "it writes "+text, func() bool { return strings.Contains(p.output(), text) })
}

func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) press(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p.keyboard, keys); err != nil {
		p.t.Fatal(err)
	}
}

// expectStatus waits for the exit, and checks the status and that the terminal is restored.
func (p *process) expectStatus(status int) {
	p.t.Helper()
	err := wait(p.t, "the end of the process", p.ended)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
		if by := exit.Sys().(syscall.WaitStatus); by.Signaled() { // as in a shell
			got = 128 + int(by.Signal())
		}
	} else if err != nil {
		p.t.Fatal(err)
	}
	if got != status {
		p.t.Errorf("status %d, want %d: %s", got, status, p.output())
	}
	if p.tty != nil && p.isRaw() {
		p.t.Error("the terminal is not as it was")
	}
}

// state returns the state of the terminal.
func (p *process) state() *term.State {
	p.t.Helper()
	state, err := term.GetState(int(p.tty.Fd()))
	if err != nil {
		p.t.Fatal(err)
	}
	return state
}

// isRaw reports whether the state of the terminal has changed.
func (p *process) isRaw() bool {
	p.t.Helper()
	return !reflect.DeepEqual(p.state(), p.before)
}

func (p *process) awaitRaw(want bool) {
	p.t.Helper()
	eventually(p.t, "the terminal changes", func() bool { return p.isRaw() == want })
}
