package wspipetest_test

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// ownGroup is a command that starts a process in a process group of its own, and
// writes the ID of that, for --share=mux, too.
var ownGroup = []string{"sh", "-c", `timeout 1000 sh -c 'printf "{\"to\":\"*\",\"data\":\"%d\"}\n" $$; exec sleep 1000'; echo done`}

var digits = regexp.MustCompile(`\d+`)

// TestNothingOfAProgramIsLeft: no process of a CGI program is left.
func TestNothingOfAProgramIsLeft(t *testing.T) {
	t.Parallel()
	for _, shutdown := range []bool{false, true} {
		dir := t.TempDir()
		script := "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n" + ownGroup[2] + "\n"
		wspipetest.WriteMode(t, filepath.Join(dir, "run"), script, 0o755)
		s := wspipetest.Start(t, "--cgidir="+dir, "cat")
		resp, err := http.Get("http" + strings.TrimPrefix(s.WS, "ws") + "run")
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(resp.Body).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		pid := atoi(t, digits.FindString(line))
		t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
		if shutdown {
			s.Signal(syscall.SIGTERM)
			s.Wait()
		}
		resp.Body.Close()
		until(t, "the process is gone", func() bool { return gone(pid) })
	}
}

// A slot is free when the whole session is gone.
func TestSlotIsFreeWhenTheSessionIsGone(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, append([]string{"--maxforks=1"}, ownGroup...)...)
	for last, n := 0, 0; n < 3; n++ {
		var conn *websocket.Conn
		until(t, "a slot is free", func() (ok bool) {
			var err error
			conn, _, err = websocket.Dial(t.Context(), s.WS, nil)
			return err == nil
		})
		if n > 0 && !gone(last) {
			t.Error("the slot is free, but a process runs")
		}
		_, p, err := conn.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pid := atoi(t, digits.FindString(string(p)))
		t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
		last = pid
		conn.CloseNow()
	}
}

// A child that we may not signal does not hold wspipe up, and the log says why it
// is left.
func TestChildOfRootDoesNotHoldShutdown(t *testing.T) {
	t.Parallel()
	dir, script := rootsProgram(t)
	for kind, flags := range childKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startUnprivileged(t, dir, append(strings.Fields(flags), script)...)
			c := dial(t, sessionURL(s.WS))
			var message string
			for digits.FindString(message) == "" {
				message += c.Next()
			}
			s.Signal(syscall.SIGTERM)
			c.ExpectEnd(1001, "server shutting down")
			expectEPERM(t, s, message)
		})
	}
}

// TestNothingOfAProgramIsLeft: no process of a CGI program is left.
func TestProgramOfRootDoesNotHoldShutdown(t *testing.T) {
	t.Parallel()
	dir, script := rootsProgram(t)
	s := startUnprivileged(t, dir, "--cgidir="+dir)
	resp, err := http.Get(s.WS + filepath.Base(script)) // there are no WebSockets
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGTERM)
	expectEPERM(t, s, line)
}

// rootsProgram returns unprivilegedDir and a program in it that becomes root, heeds
// nothing and writes its process ID, behind a CGI header.
func rootsProgram(t *testing.T) (dir, script string) {
	t.Helper()
	dir = unprivilegedDir(t)
	become := filepath.Join(dir, "become")
	copyFile(t, wspipetest.Need(t, "setpriv"), become, 0o755|os.ModeSetuid)
	script = filepath.Join(dir, "script")
	content := "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec " + become + ` --reuid=0 --regid=0 --clear-groups sh -c '
		trap "" HUP INT TERM; echo "{\"to\":\"*\",\"data\":\"$$\"}"; exec sleep 1000'`
	wspipetest.WriteMode(t, script, content, 0o755)
	return dir, script
}

func startUnprivileged(t *testing.T, dir string, args ...string) *wspipetest.Server {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, "wspipe"), append([]string{"--port=0"}, args...)...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return wspipetest.StartCommand(t, cmd)
}

// expectEPERM waits until s has ended, and ends the process of rootsProgram.
func expectEPERM(t *testing.T, s *wspipetest.Server, message string) {
	t.Helper()
	pid := atoi(t, digits.FindString(message))
	defer syscall.Kill(pid, syscall.SIGKILL)
	if status := s.Wait(); status != 0 || !strings.Contains(s.Stderr(), "operation not permitted") || gone(pid) {
		t.Errorf("status %d, child gone: %t, stderr:\n%s", status, gone(pid), s.Stderr())
	}
}

// unprivilegedDir returns a directory that every user can read, with wspipe in it.
func unprivilegedDir(t *testing.T) (dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		wspipetest.Lack(t, "only root can switch user")
	}
	dir = t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	copyFile(t, wspipetest.PlainBinary(t), filepath.Join(dir, "wspipe"), 0o755)
	return dir
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	wspipetest.WriteMode(t, to, string(content), mode)
}
