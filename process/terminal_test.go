//go:build unix

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"wspipe/cmd/wspipetest"
)

func init() { helpers["terminals"] = terminals }

// terminalView describes the terminals of a child.
type terminalView struct {
	IsTerminal   [3]bool // stdin, stdout, stderr
	Size         WindowSize
	LeadsSession bool
	Controlling  bool           // /dev/tty can be opened
	Files        map[int]string // as in description
}

// terminals prints its view.
func terminals() {
	v := terminalView{Files: inheritable()}
	for fd := range v.IsTerminal {
		_, err := unix.IoctlGetTermios(fd, getTermios)
		v.IsTerminal[fd] = err == nil
	}
	if ws, err := unix.IoctlGetWinsize(1, unix.TIOCGWINSZ); err == nil {
		v.Size = WindowSize{Rows: ws.Row, Cols: ws.Col}
	}
	sid, _ := unix.Getsid(0)
	v.LeadsSession = sid == os.Getpid()
	if f, err := os.Open("/dev/tty"); err == nil {
		v.Controlling = true
		f.Close()
	}
	json.NewEncoder(os.Stdout).Encode(v)
}

var everyTerminal = []Terminal{NoTerminal, StdoutTerminal, FullTerminal}

// on returns spec with the terminal.
func on(terminal Terminal, spec Spec) Spec {
	spec.Terminal = terminal
	return spec
}

func bash(t *testing.T, args ...string) Spec {
	t.Helper()
	env := []string{"PATH=" + os.Getenv("PATH"), "TERM=dumb", "PS1=$ ", "HISTFILE="}
	return Spec{Path: wspipetest.Need(t, "bash"), Args: append([]string{"--norc", "--noprofile"}, args...), Env: env}
}

// readTTYLine reads the next line from a terminal.
func readTTYLine(t *testing.T, r io.Reader) string {
	t.Helper()
	return strings.TrimSuffix(readLine(t, r), "\r")
}

func wantTTYLine(t *testing.T, c *Child, want string) {
	t.Helper()
	if got := readTTYLine(t, c.Stdout()); got != want {
		t.Fatalf("line %q, want %q", got, want)
	}
}

// keys types s.
func keys(t *testing.T, c *Child, s string) {
	t.Helper()
	if _, err := io.WriteString(c.Stdin(), s); err != nil {
		t.Fatal(err)
	}
}

func TestCheckTerminal(t *testing.T) {
	checkDescriptors(t)
	if err := CheckTerminal(); err != nil {
		t.Error(err)
	}
}

func TestWhichFilesAreTerminals(t *testing.T) {
	t.Parallel()
	for terminal, want := range map[Terminal]terminalView{
		NoTerminal:     {LeadsSession: true},
		StdoutTerminal: {LeadsSession: true, IsTerminal: [3]bool{1: true}, Size: WindowSize{Rows: 24, Cols: 32767}},
		FullTerminal: {LeadsSession: true, IsTerminal: [3]bool{true, true, true},
			Controlling: true, Size: WindowSize{Rows: 24, Cols: 80}},
	} {
		t.Run(fmt.Sprint(terminal), func(t *testing.T) {
			t.Parallel()
			c := start(t, on(terminal, helper("terminals")))
			var got terminalView
			if err := json.Unmarshal([]byte(readAll(t, c.Stdout())), &got); err != nil {
				t.Fatal(err)
			}
			if _, ok := c.Stdin().(syscall.Conn); !ok {
				t.Errorf("Stdin is %T, no syscall.Conn", c.Stdin())
			}
			want.Files = standardFiles
			if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
				t.Errorf("the child sees %s, want %s", g, w)
			}
		})
	}
}

func TestWindowSize(t *testing.T) {
	t.Parallel()
	for _, terminal := range []Terminal{StdoutTerminal, FullTerminal} {
		spec := on(terminal, sh("stty size <&1"))
		spec.Size = WindowSize{Rows: 50, Cols: 132}
		c := start(t, spec)
		wantTTYLine(t, c, "50 132")
	}
	for _, terminal := range []Terminal{NoTerminal, StdoutTerminal} {
		if err := start(t, on(terminal, helper("echo"))).Resize(WindowSize{Rows: 1, Cols: 1}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("terminal %d: Resize: %v, want ErrUnsupported", terminal, err)
		}
	}
}

func TestResize(t *testing.T) {
	t.Parallel()
	c := start(t, on(FullTerminal, sh(`trap 'stty size' WINCH; stty size; sleep 1000 & while :; do wait; done`)))
	wantTTYLine(t, c, "24 80")
	for _, size := range []WindowSize{{Rows: 30, Cols: 100}, {Rows: 1, Cols: 65535}} {
		if err := c.Resize(size); err != nil {
			t.Fatal(err)
		}
		wantTTYLine(t, c, fmt.Sprint(size.Rows, " ", size.Cols))
	}
	c.Stdin().Close()
	<-c.Exited()
	readAll(t, c.Stdout())
	if err := c.Resize(WindowSize{Rows: 24, Cols: 80}); err == nil {
		t.Error("a terminal that is no more was resized")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, script, typed, want string }{
		{"interrupt", `trap 'echo INT' INT; stty -echo; sh -c 'echo ready; exec sleep 100'; echo end`, "\x03", "INT\nend\n"},
		{"end of file", `stty -echo; echo ready; cat; echo end`, "one\n\x04", "one\nend\n"},
		{"stop", `set -m; stty -echo; sh -c 'echo ready; exec sleep 100'; echo $?; kill -9 %1`, "\x1a", "148\n"},
		{"erase", `stty -echo; echo ready; read x; echo "$x"`, "aü€😀\x7f\x7f\x7fb\n", "ab\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := start(t, on(FullTerminal, bash(t, "-c", tt.script)))
			wantTTYLine(t, c, "ready")
			keys(t, c, tt.typed)
			got := strings.ReplaceAll(readAll(t, c.Stdout()), "\r", "")
			if !strings.HasSuffix(got, tt.want) {
				t.Errorf("output %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	c := start(t, on(FullTerminal, sh("exec cat")))
	keys(t, c, "grüße\n")
	wantTTYLine(t, c, "grüße")
	wantTTYLine(t, c, "grüße")
	keys(t, c, "\x04")
	if rest := readAll(t, c.Stdout()); rest != "" {
		t.Errorf("then %q", rest)
	}
	wantExit(t, c, 0, "")
	if got := readAll(t, c.Stderr()); got != "" {
		t.Errorf("stderr %q", got)
	}
}

// allBytes returns n bytes, all byte values in turn.
func allBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i + i/256)
	}
	return b
}

// A raw terminal adds, changes and loses nothing, whatever the size.
func TestRawBytesBothWays(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	c := start(t, on(FullTerminal, sh("stty raw -echo; echo ready; exec head -c $1", strconv.Itoa(size))))
	readLine(t, c.Stdout())
	sent := allBytes(size)
	var writer sync.WaitGroup
	writer.Go(func() { // ends when the child has read all, or is stopped
		if _, err := c.Stdin().Write(sent); err != nil {
			t.Error(err)
		}
	})
	if got := readAll(t, c.Stdout()); got != string(sent) {
		t.Errorf("%d bytes came back, not the %d that were sent", len(got), size)
	}
	writer.Wait()
}

// Input is written without waiting, through the descriptor.
func TestWriteToTerminalDoesNotBlock(t *testing.T) {
	t.Parallel()
	c := start(t, on(FullTerminal, sh("stty raw -echo; echo ready; read x; exec sleep 1000")))
	readLine(t, c.Stdout())
	raw, err := c.Stdin().(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		raw.Write(func(fd uintptr) bool {
			_, err = syscall.Write(int(fd), make([]byte, 1000))
			return true
		})
	}
	if err != syscall.EAGAIN {
		t.Errorf("a full terminal: %v, want EAGAIN", err)
	}
}

func TestCloseEndsPendingWrite(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"child runs":       `stty raw -echo; echo ready; exec sleep 1000`,
		"child has exited": `stty raw -echo; trap '' HUP; sleep 1000 & echo ready`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, on(FullTerminal, sh(script)))
			readLine(t, c.Stdout())
			if name == "child has exited" {
				<-c.Exited()
			}
			failed := make(chan error, 1)
			go func() { // ends with Close
				_, err := c.Stdin().Write(make([]byte, 1<<20))
				failed <- err
			}()
			c.Stdin().Close()
			if err := <-failed; err == nil {
				t.Error("1 MiB was written, and nobody read it")
			}
		})
	}
}

func TestHangUp(t *testing.T) {
	t.Parallel()
	marker := filepath.Join(t.TempDir(), "marker")
	spec := sh(`trap 'echo hup >"$1"; exit 7' HUP; echo ready; while :; do read x; done`, marker)
	spec.Grace = WaitForever // only the kernel sends a signal
	c, _ := startToEnd(t, on(FullTerminal, spec))
	readLine(t, c.Stdout())
	c.Stdin().Close()
	wantExit(t, c, 7, "")
	if got, err := os.ReadFile(marker); string(got) != "hup\n" {
		t.Errorf("marker %q, %v", got, err)
	}
	if got := readAll(t, c.Stdout()); got != "" {
		t.Errorf("after the hang-up %q", got)
	}
	if _, err := c.Stdin().Write([]byte("x")); err == nil {
		t.Error("a terminal that was hung up takes input")
	}
}

func TestStopHangsUp(t *testing.T) {
	t.Parallel()
	c, _ := startToEnd(t, on(FullTerminal, sh(`trap '' INT TERM; echo ready; sleep 1000`)))
	readLine(t, c.Stdout())
	c.Stop()
	wantExit(t, c, 129, "HUP")
}

// A child may close its files and open the terminal again. That is neither EOF nor a hang-up.
func TestChildClosesTerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	closed, reopen := filepath.Join(dir, "closed"), filepath.Join(dir, "reopen")
	for _, fifo := range []string{closed, reopen} {
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := start(t, on(FullTerminal, sh(`echo first; exec </dev/null >/dev/null 2>&1
		echo >"$1"; read x <"$2"; exec >/dev/tty; echo back`, closed, reopen)))
	wantTTYLine(t, c, "first")
	if _, err := os.ReadFile(closed); err != nil {
		t.Fatal(err)
	}
	err := control(c.terminal.ptmx, func(fd int) error {
		_, err := unix.Read(fd, make([]byte, 1))
		return err
	})
	if err != unix.EAGAIN {
		t.Errorf("read while the child has closed its files: %v, want EAGAIN", err)
	}
	if err := os.WriteFile(reopen, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	wantTTYLine(t, c, "back")
	if rest := readAll(t, c.Stdout()); rest != "" {
		t.Errorf("then %q", rest)
	}
	wantExit(t, c, 0, "")
}

// A shell with job control has a process group for each job.
func TestStopEndsWholeSession(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"jobs":                    `set -m; sleep 1000 & sleep 1000 | sleep 1000 & echo ready; read x`,
		"jobs that ignore much":   `set -m; (trap '' HUP INT TERM; echo ready; sleep 1000; sleep 1000) & read x`,
		"stopped job":             `set -m; sh -c 'trap "" HUP INT TERM; echo ready; kill -STOP $$' & read x`,
		"jobs without a terminal": `set -m; nohup sleep 1000 </dev/null >/dev/null 2>&1 & disown; echo ready; read x`,
		"child ignores all":       `set -m; trap '' HUP INT TERM; sleep 1000 & sleep 1000 & echo ready; while :; do wait; done`,
		"foreground job":          `set -m; sh -c 'trap "" HUP INT TERM; echo ready; sleep 1000; sleep 1000'`,
		"timeout":                 `timeout 1000 sh -c 'echo ready; sleep 1000'; echo done`,
	} {
		for _, terminal := range everyTerminal {
			t.Run(fmt.Sprint(name, " ", terminal), func(t *testing.T) {
				t.Parallel()
				c, end := startToEnd(t, on(terminal, bash(t, "-c", script)))
				for readTTYLine(t, c.Stdout()) != "ready" {
				}
				c.Stdin().Close()
				c.Stop()
				if end.alive() {
					t.Error("alive after Stop")
				}
			})
		}
	}
}

func TestStopEndsInteractiveShell(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"jobs":            "sleep 1000 & sleep 1000 & echo rea''dy\n",
		"jobs, then exit": "(trap '' HUP INT TERM; sleep 1000) & echo rea''dy; exit\n",
		"foreground job":  "echo rea''dy; sleep 1000\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, end := startToEnd(t, on(FullTerminal, bash(t, "-i")))
			keys(t, c, line)
			for !strings.HasSuffix(readTTYLine(t, c.Stdout()), "ready") {
			}
			if !end.alive() {
				t.Error("dead before Stop")
			}
			c.Stdin().Close()
			c.Stop()
			if end.alive() {
				t.Error("alive after Stop")
			}
		})
	}
}

func TestJobsEndWithoutStop(t *testing.T) {
	t.Parallel()
	for _, terminal := range everyTerminal {
		t.Run(fmt.Sprint(terminal), func(t *testing.T) {
			t.Parallel()
			c, end := startToEnd(t, on(terminal, bash(t, "-c", `set -m; (trap '' HUP INT TERM; exec sleep 1000) & echo last`)))
			if got := strings.ReplaceAll(readAll(t, c.Stdout()), "\r", ""); !strings.HasSuffix(got, "last\n") {
				t.Errorf("output %q", got)
			}
			<-end.gone
		})
	}
}

func TestSignal(t *testing.T) {
	t.Parallel()
	for _, terminal := range []Terminal{NoTerminal, FullTerminal} {
		t.Run(fmt.Sprint(terminal), func(t *testing.T) {
			t.Parallel()
			c := start(t, on(terminal, helper("record", "HUP")))
			wantTTYLine(t, c, "ready")
			for _, name := range []string{"INT", "SIGTERM", "QUIT", "HUP"} {
				if err := c.Signal(name); err != nil {
					t.Error(err)
				}
				wantTTYLine(t, c, strings.TrimPrefix(name, "SIG"))
			}
			for _, name := range []string{"", "SIG", "NONE", "9", "int", "SIGSIGINT"} {
				if err := c.Signal(name); err == nil {
					t.Errorf("there is a signal %q", name)
				}
			}
			c.Stop()
			if err := c.Signal("INT"); err != nil {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

// A signal is sent to the job in the foreground, not to its shell.
func TestSignalIsForForeground(t *testing.T) {
	t.Parallel()
	c := start(t, on(FullTerminal, bash(t, "-c", `set -m; trap 'echo shell' TERM; sh -c 'echo ready; exec sleep 1000'; echo $?`)))
	for readTTYLine(t, c.Stdout()) != "ready" {
	}
	if err := c.Signal("TERM"); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, c.Stdout()); strings.Contains(got, "shell") || !strings.Contains(got, "143") {
		t.Errorf("output %q, want status 143 of the job alone", got)
	}
}

func TestManyTerminals(t *testing.T) {
	checkDescriptors(t)
	for _, terminal := range []Terminal{StdoutTerminal, FullTerminal} {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				c, err := Start(on(terminal, sh("echo hello; read x")))
				if err != nil {
					t.Error(err)
					return
				}
				if got := readTTYLine(t, c.Stdout()); got != "hello" {
					t.Errorf("got %q", got)
				}
				c.Stdin().Close()
				c.Stop()
				readAll(t, c.Stdout())
				readAll(t, c.Stderr())
			})
		}
		wg.Wait()
	}
}

// A child that runs as another user can open its files by name.
func TestFilesAreTheUsers(t *testing.T) {
	if os.Getuid() != 0 {
		wspipetest.Lack(t, "only root can switch user")
	}
	spec := sh(`echo out >/dev/stdout && echo err >/dev/stderr && read line </dev/stdin && echo "$line" | tr a-z A-Z`)
	spec.Dir, spec.User = "/", must(LookupUser("nobody"))
	for _, terminal := range everyTerminal {
		c := start(t, on(terminal, spec))
		keys(t, c, "in\n")
		got := readAll(t, c.Stdout()) + readAll(t, c.Stderr())
		for _, want := range []string{"out", "err", "IN"} {
			if !strings.Contains(got, want) {
				t.Errorf("terminal %d: output %q, want %q", terminal, got, want)
			}
		}
	}
}

func TestTerminalIsTheUsers(t *testing.T) {
	if os.Getuid() != 0 {
		wspipetest.Lack(t, "only root can switch user")
	}
	nobody := must(LookupUser("nobody"))
	for _, terminal := range []Terminal{StdoutTerminal, FullTerminal} {
		spec := on(terminal, sh(`exec 3>&1; tty=$(tty <&3) && stat -c '%u %a' "$tty" && echo by name >"$tty"`))
		spec.Dir, spec.User = "/", nobody
		c := start(t, spec)
		wantTTYLine(t, c, fmt.Sprint(nobody.UID, " 620"))
		wantTTYLine(t, c, "by name")
	}
}
