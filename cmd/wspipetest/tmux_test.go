//go:build unix

package wspipetest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// tmux is a terminal with a screen and keys.
type tmux struct {
	t      testing.TB
	socket string
}

// newTmux runs a command line of a shell in a terminal of cols times rows.
func newTmux(t testing.TB, cols, rows int, command string) *tmux {
	t.Helper()
	wspipetest.Need(t, "tmux")
	m := &tmux{t: t, socket: filepath.Join(t.TempDir(), "tmux")}
	m.do("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(cols), "-y", fmt.Sprint(rows), command)
	t.Cleanup(func() { exec.Command("tmux", "-S", m.socket, "kill-server").Run() })
	return m
}

// connectIn runs wspipe connect in a terminal. When that ends, the screen says
// with which status, and whether the terminal is as it was.
func connectIn(t testing.TB, cols, rows int, url string) *tmux {
	t.Helper()
	return newTmux(t, cols, rows, fmt.Sprintf(`before=$(stty -g); %s connect '%s'; echo "status $?"; [ "$(stty -g)" = "$before" ] && echo restored; cat`, wspipetest.Binary(t), url))
}

func (m *tmux) do(args ...string) string {
	m.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-S", m.socket}, args...)...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("tmux %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// press presses keys: names of tmux, or text.
func (m *tmux) press(keys ...string) {
	m.t.Helper()
	m.do(append([]string{"send-keys"}, keys...)...)
}

func (m *tmux) resize(cols, rows int) {
	m.t.Helper()
	m.do("resize-window", "-x", fmt.Sprint(cols), "-y", fmt.Sprint(rows))
}

func (m *tmux) screen() string {
	m.t.Helper()
	return m.do("capture-pane", "-p")
}

// until waits until the screen holds each of texts.
func (m *tmux) until(texts ...string) {
	m.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(wspipetest.Patience)
	for _, text := range texts {
		for !strings.Contains(m.screen(), text) {
			select {
			case <-tick.C:
			case <-late:
				m.t.Fatalf("the screen does not show %q but\n%s", text, m.screen())
			}
		}
	}
}

// ended waits for the end of connectIn's client, with that status and the
// terminal restored.
func (m *tmux) ended(status int) {
	m.t.Helper()
	m.until(fmt.Sprintf("status %d\nrestored", status))
}

func TestVimWritesAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "note.txt")
	s := wspipetest.Start(t, "--pty", wspipetest.Need(t, "vim"), "-u", "NONE", "-i", "NONE", "-N", "-n", file)
	m := connectIn(t, 90, 20, s.WS)
	m.until("~\n~")
	m.press("i")
	m.press("-l", "hello from vim")
	m.press("Enter")
	m.press("-l", "second line")
	m.until("hello from vim\nsecond line\n~\n")
	if rows := strings.Count(m.screen(), "\n~"); rows != 20-3 {
		t.Errorf("vim shows %d empty rows:\n%s", rows, m.screen())
	}
	m.press("Escape", ":wq", "Enter")
	m.ended(0)
	if got, err := os.ReadFile(file); string(got) != "hello from vim\nsecond line\n" {
		t.Errorf("the file holds %q: %v", got, err)
	}
}

// TestTopRedrawsAfterAResize: the end of a long command line is to be seen only
// in a wide window.
func TestTopRedrawsAfterAResize(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "top")
	s := wspipetest.Start(t, "--pty", "--setenv=HOME="+t.TempDir(), "sh", "-c", "exec top -c -p $PPID", strings.Repeat("x", 100)+"END")
	m := connectIn(t, 80, 24, s.WS)
	m.until("PID USER")
	if screen := m.screen(); strings.Contains(screen, "END") {
		t.Errorf("the narrow window shows all:\n%s", screen)
	}
	m.resize(450, 30)
	m.until("xxxEND")
	m.press("q")
	m.ended(0)
}

func TestPythonTalks(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--pty", wspipetest.Need(t, "python3"), "-q")
	m := connectIn(t, 80, 24, s.WS)
	m.until(">>>")
	m.press("-l", "6 * 7")
	m.press("Enter")
	m.until("42\n>>>")
	m.press("-l", "while True: pass")
	m.press("Enter", "Enter", "C-c")
	m.until("KeyboardInterrupt\n>>>")
	m.press("-l", "exit(9)")
	m.press("Enter")
	m.ended(9)
}

func TestCtrlCInterrupts(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--pty", "sh", "-c", "echo begins; sleep 100; echo goes on")
	m := connectIn(t, 80, 24, s.WS)
	m.until("begins")
	m.press("C-c")
	m.ended(130)
	if screen := m.screen(); !strings.Contains(screen, "^C") || strings.Contains(screen, "goes on") {
		t.Errorf("the screen shows\n%s", screen)
	}
}

func TestCtrlDEndsCat(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--pty", "cat")
	m := connectIn(t, 80, 24, s.WS)
	m.press("-l", "grüße")
	m.press("Enter")
	m.until("grüße\ngrüße\n")
	m.press("C-d")
	m.ended(0)
}

func TestSizeFollowsTheWindow(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--pty", "--setenv=PS1=ready> ", "sh")
	m := connectIn(t, 91, 23, s.WS)
	m.until("ready>")
	size := func(want string) {
		m.press("-l", "clear; stty size")
		m.press("Enter")
		m.until(want + "\nready>")
	}
	size("23 91")
	m.resize(120, 41)
	size("41 120")
	m.press("-l", `clear; sh -c 'trap "stty size" WINCH; echo waiting; while :; do sleep 0.05; done'`)
	m.press("Enter")
	m.until("waiting\n\n")
	m.resize(60, 20)
	m.until("waiting\n20 60")
	m.press("C-c")
	m.until("ready>")
	m.press("-l", "exit 3")
	m.press("Enter")
	m.ended(3)
}

// TestSizeIsThereFromTheStart: a program that asks once knows the window.
func TestSizeIsThereFromTheStart(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--pty", "sh", "-c", `stty size; echo "query $QUERY_STRING."`)
	m := connectIn(t, 97, 21, s.WS+"?a=b")
	m.until("21 97\nquery a=b.\n")
	m.ended(0)
}

// TestTerminalHangsUp: a terminal that goes takes the client with it, and that
// the program.
func TestTerminalHangsUp(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--pty", "--closems=5000", "sh", "-c", "trap 'exit 7' HUP; echo ready; while :; do sleep 0.1; done")
	m := connectIn(t, 80, 24, s.WS)
	m.until("ready")
	m.do("kill-session")
	s.AwaitStderr("exit=7")
}

// TestVimIsCutOff: whatever ends vim or its client, the terminal is left without
// vim's modes, and the message is not on the alternate screen.
func TestVimIsCutOff(t *testing.T) {
	t.Parallel()
	vim, pkill := wspipetest.Need(t, "vim"), wspipetest.Need(t, "pkill")
	for name, test := range map[string]struct {
		end     func(m *tmux, s *wspipetest.Server)
		status  int
		message string
	}{
		"server killed":   {func(_ *tmux, s *wspipetest.Server) { s.Signal(syscall.SIGKILL); s.Wait() }, 255, "wspipe: connection lost\n"},
		"vim killed":      {func(m *tmux, s *wspipetest.Server) { m.do("run-shell", fmt.Sprintf("%s -KILL -P %d", pkill, s.Pid())) }, 137, ""},
		"hung up":         {func(m *tmux, _ *wspipetest.Server) { m.press("Enter", "~.") }, 255, "wspipe: connection closed by ~.\n"},
		"client signaled": {func(m *tmux, _ *wspipetest.Server) { m.do("run-shell", pkill+" -TERM -P #{pane_pid}") }, 143, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := wspipetest.Start(t, "--pty", vim, "--clean", "-n", "-c", "set mouse=a")
			m := connectIn(t, 80, 20, s.WS)
			m.until("~\n~")
			modes := func() string {
				return m.do("display", "-p", "#{alternate_on}#{mouse_any_flag}#{keypad_cursor_flag}#{keypad_flag}#{cursor_flag}")
			}
			if got := modes(); !strings.HasPrefix(got, "1111") {
				t.Errorf("vim has modes %s", got)
			}
			test.end(m, s)
			m.until(test.message + fmt.Sprintf("status %d\nrestored", test.status))
			if got := modes(); got != "00001\n" {
				t.Errorf("modes %s are left", got)
			}
			m.do("set-buffer", "pasted") // by cat, with brackets around it if those are still wanted
			m.do("paste-buffer", "-p")
			m.until("restored\npasted\n")
		})
	}
}
