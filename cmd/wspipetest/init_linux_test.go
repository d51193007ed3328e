package wspipetest_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"wspipe/cmd/wspipetest"
)

// startInit starts wspipe as process 1 of a PID namespace.
func startInit(t *testing.T, args ...string) *wspipetest.Server {
	t.Helper()
	wspipetest.NeedNamespaces(t, "pid", "fork", "mount-proc")
	cmd := exec.Command("sh", append([]string{"-c", `mount --make-rprivate / && mount -t proc proc /proc && exec "$@"`, "sh", wspipetest.Binary(t), "--port=0"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	return wspipetest.StartCommand(t, cmd)
}

// orphan is a script that leaves an orphan in a session of its own, which ends
// when the FIFO does.
const orphan = `(setsid sh -c ': >"$1.ready"; read x <"$1"' sh "$1" >/dev/null 2>&1 &)
until [ -e "$1.ready" ]; do sleep 0.01; done; echo hi`

// expectReaped makes the orphan of s end and waits until nothing of it is left.
func expectReaped(t *testing.T, s *wspipetest.Server, fifo string) {
	t.Helper()
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits for the orphan
	if err != nil {
		t.Fatal(err)
	}
	adopted := func() bool { return children(s.Pid()) > 0 }
	until(t, "wspipe has an orphan", adopted)
	w.Close()
	until(t, "the orphan is reaped", func() bool { return !adopted() })
}

func newFIFO(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// As process 1, and elsewhere, wspipe reaps orphans that have left its sessions.
func TestOrphansOfSessionsAreReaped(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, ...string) *wspipetest.Server{
		"init":     startInit,
		"not init": func(t *testing.T, args ...string) *wspipetest.Server { return wspipetest.Start(t, args...) },
	} {
		for kind, flags := range childKinds {
			if kind == "mux" { // does not say hi
				continue
			}
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				fifo := newFIFO(t)
				s := start(t, append(strings.Fields(flags), "sh", "-c", orphan, "sh", fifo)...)
				c := dial(t, sessionURL(s.WS))
				if got := strings.TrimSpace(c.Next()); got != "hi" {
					t.Errorf("got %q", got)
				}
				c.ExpectEnd(1000, "exit 0")
				expectReaped(t, s, fifo)
			})
		}
	}
}

func TestInitReapsOrphansOfPrograms(t *testing.T) {
	t.Parallel()
	dir, fifo := t.TempDir(), newFIFO(t)
	script := "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; set " + fifo + "\n" + orphan
	wspipetest.WriteMode(t, filepath.Join(dir, "run"), script, 0o755)
	s := startInit(t, "--cgidir="+dir)
	resp, err := http.Get(s.WS + "run") // there are no WebSockets
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	expectReaped(t, s, fifo)
}

// The orphans of docker exec are process 1's, though it has not started them. Here
// wspipe starts nothing at all.
func TestInitReapsOrphansOfOthers(t *testing.T) {
	t.Parallel()
	nsenter := wspipetest.Need(t, "nsenter")
	fifo := newFIFO(t)
	s := startInit(t, "--staticdir="+t.TempDir())
	if out, err := exec.Command(nsenter, "--pid", "--target", fmt.Sprint(s.Pid()), "sh", "-c", orphan, "sh", fifo).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	expectReaped(t, s, fifo)
}
