package wspipetest_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"wspipe/cmd/wspipetest"
)

// wine has wspipe.exe and child.exe in a directory of its own.
type wine struct {
	t    *testing.T
	path string
	dir  string // with a blank in its name
	env  []string
}

// newWine skips the test unless make test-wine runs it.
func newWine(t *testing.T) *wine {
	t.Helper()
	if os.Getenv("TEST_WINE") == "" {
		t.Skip("make test-wine runs this")
	}
	path, err := exec.LookPath("wine64")
	if err != nil {
		path = wspipetest.Need(t, "/usr/lib/wine/wine64") // Debian's place
	}
	dir := t.TempDir()
	w := &wine{t, path, filepath.Join(dir, "some programs"), append(os.Environ(), "WINEPREFIX="+filepath.Join(dir, "prefix"), "WINEDEBUG=-all", "DISPLAY=", "GOOS=windows", "CGO_ENABLED=0")}
	t.Cleanup(func() {
		for _, flag := range []string{"--kill", "--wait"} {
			c := exec.Command("wineserver", flag)
			c.Env = w.env
			c.Run() // fails if it has ended
		}
	})
	w.run(path, "wineboot", "--init")
	system := filepath.Join(dir, "prefix/drive_c/windows/system32")
	w.run(wspipetest.Need(t, "x86_64-w64-mingw32-gcc"), "-shared", "-o", filepath.Join(system, "bcryptprimitives.dll"), "testdata/windows/bcryptprimitives.c", "-ladvapi32")
	w.run("go", "build", "-o", filepath.Join(w.dir, "wspipe.exe"), "wspipe")
	w.run("go", "build", "-C", "testdata/windows", "-o", filepath.Join(w.dir, "child.exe"), ".")
	for name, text := range map[string]string{
		"greet.bat": "@echo off\r\necho %1\r\nset /p line=\r\necho got %line%\r\nexit /b 5\r\n",
		"script.sh": "#!/bin/sh\necho hello\n",
		"text.ps1":  "Write-Host hello\r\n",
	} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// run runs a command, which must succeed.
func (w *wine) run(name string, args ...string) {
	w.t.Helper()
	c := exec.Command(name, args...)
	c.Env = w.env
	if out, err := c.CombinedOutput(); err != nil {
		w.t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

// command returns a command that runs under Wine in w.dir.
func (w *wine) command(args ...string) *exec.Cmd {
	c := exec.Command(w.path, args...)
	c.Dir, c.Env = w.dir, w.env
	return c
}

func (w *wine) start(t *testing.T, args ...string) *wspipetest.Server {
	t.Helper()
	return startAndKill(t, w.command(append([]string{"wspipe.exe", "--address=127.0.0.1", "--port=0"}, args...)...))
}

// startAndKill starts wspipe, which does not get SIGTERM in Wine, and kills it when the test ends.
func startAndKill(t *testing.T, c *exec.Cmd) *wspipetest.Server {
	t.Helper()
	s := wspipetest.StartCommand(t, c)
	t.Cleanup(func() {
		c.Process.Kill() // fails if it has ended
		s.Wait()
	})
	return s
}

// TestWine runs the program for Windows.
func TestWine(t *testing.T) {
	w := newWine(t)
	t.Run("messages", w.testMessages)
	t.Run("cannot run", w.testCannotRun)
	t.Run("stop", w.testStop)
	t.Run("descendants", w.testDescendants)
	t.Run("Ctrl-C", w.testCtrlC)
	t.Run("connect", w.testConnect)
}

func (w *wine) testMessages(t *testing.T) {
	for name, test := range map[string]struct {
		args   string // separated by |
		input  []string
		want   string // the messages, each followed by |
		reason string
		stderr string
	}{
		"line ends":       {args: `cmd|/c|echo hello& exit 3`, want: "hello|", reason: "exit 3"},
		"bytes":           {args: `--framing=bytes|C:\windows\system32\cmd.exe|/c|echo hello`, want: "hello\r\n|", reason: "exit 0"},
		"input":           {args: `.\child.exe|echo`, input: []string{"a", "b"}, want: "a|b|"},
		"arguments":       {args: `./child.exe|args|a b|c"d|e\||%PATH%|é`, want: `["a b" "c\"d" "e\\" "" "%PATH%" "é"] in ` + windowsPath(w.dir) + "|", reason: "exit 0", stderr: `line="on stderr"`},
		"a large status":  {args: `.\child.exe|exit|0xC0000005`, reason: "exit 3221225477"},
		"a batch file":    {args: `.\greet.bat|hello`, input: []string{"line"}, want: "hello|got line|", reason: "exit 5"},
		"without its ext": {args: `.\greet|hello`, input: []string{"line"}, want: "hello|got line|", reason: "exit 5"},
		"a shared child":  {args: `--share=broadcast|.\greet.bat|hello`, input: []string{"line"}, want: "hello|got line|", reason: "exit 5"},
		"a batch file and a parameter": {args: `--param=x:text=hello|.\greet.bat|{x}`, input: []string{"line"}, want: "hello|got line|", reason: "exit 5",
			stderr: "warning: {x} becomes part of a command line of cmd.exe"},
	} {
		t.Run(name, func(t *testing.T) {
			s := w.start(t, strings.Split(test.args, "|")...)
			c := dial(t, s.WS)
			c.Send(test.input...)
			if test.reason == "" {
				c.Expect(strings.Split(strings.TrimSuffix(test.want, "|"), "|")...)
				return
			}
			got := strings.Join(append(c.ExpectEnd(1000, test.reason), ""), "|")
			if got = strings.Replace(got, "|\r\n", "\r\n", 1); got != test.want { // cmd.exe writes twice
				t.Errorf("got %q, want %q", got, test.want)
			}
			s.AwaitStderr(test.stderr)
		})
	}
}

// windowsPath returns the name of a file in Wine.
func windowsPath(path string) string { return `Z:` + strings.ReplaceAll(path, "/", `\`) }

func (w *wine) testCannotRun(t *testing.T) {
	for args, want := range map[string]string{
		`.\text.ps1`:  "neither an executable for this machine nor a .bat or .cmd file",
		`.\script.sh`: "neither an executable for this machine nor a .bat or .cmd file",
		`child.exe`:   `did you mean '.\child.exe'?`,
		`.\none.exe`:  "no such file",
		`--pty|cmd`:   "not supported on this platform",
	} {
		c := w.command(append([]string{"wspipe.exe", "--port=0"}, strings.Split(args, "|")...)...)
		out, err := c.CombinedOutput()
		if c.ProcessState.ExitCode() != 1 && c.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %s, want %q", args, err, out, want)
		}
	}
}

// testStop: a child may end by itself at the end of its input; else its job is terminated, with
// status 1. Wine 8 has no Ctrl-Break.
func (w *wine) testStop(t *testing.T) {
	for child, want := range map[string]string{"echo": "exit=0", "sleep": "exit=1"} {
		s := w.start(t, `.\child.exe`, child)
		dial(t, s.WS).Close(1000, "")
		s.AwaitStderr(want)
	}
}

// testDescendants: they end with the client, and with wspipe if it is killed.
func (w *wine) testDescendants(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, stop := range map[string]func(*wspipetest.Server, *wspipetest.Client){
		"disconnect": func(_ *wspipetest.Server, c *wspipetest.Client) { c.Close(1000, "") },
		"kill":       func(s *wspipetest.Server, _ *wspipetest.Client) { s.Signal(os.Kill) },
	} {
		t.Run(name, func(t *testing.T) {
			s := w.start(t, `.\child.exe`, "parent", listener.Addr().String())
			c := dial(t, s.WS)
			descendant, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer descendant.Close()
			c.Expect("connected")
			stop(s, c)
			descendant.Read(make([]byte, 1)) // returns once the descendant has ended
		})
	}
}

// testCtrlC presses Ctrl-C in the console of wspipe.
func (w *wine) testCtrlC(t *testing.T) {
	keyboard, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer keyboard.Close()
	go io.Copy(io.Discard, keyboard) // ends with the terminal
	c := w.command("wspipe.exe", "--address=127.0.0.1", "--port=0", `.\child.exe`, "sleep")
	c.Stdin, c.Stdout, c.SysProcAttr = tty, tty, &syscall.SysProcAttr{Setsid: true, Setctty: true}
	s := startAndKill(t, c)
	tty.Close()
	client := dial(t, s.WS)
	client.Expect("ready")
	keyboard.WriteString("\x03")
	client.ExpectEnd(1001, "server shutting down")
	if status := s.Wait(); status != 0 {
		t.Errorf("exit status %d:\n%s", status, s.Stderr())
	}
}

func (w *wine) testConnect(t *testing.T) {
	s := wspipetest.Start(t, "sh", "-c", `read -r line; echo "got $line"; echo problem >&2; exit 4`)
	c := w.command("wspipe.exe", "connect", s.WS)
	c.Stdin = strings.NewReader("hello\n")
	out, err := c.Output()
	if c.ProcessState.ExitCode() != 4 || string(out) != "got hello\n" {
		t.Errorf("%v: %q", err, out)
	}
}
