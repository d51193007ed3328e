//go:build unix

package wspipetest_test

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"wspipe/cmd/wspipetest"
)

// stubborn is a child that tells its process ID and ignores every polite signal.
const stubborn = `trap '' INT TERM HUP; echo $$; while :; do sleep 1000; done`

func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	// With --closems=-1 the first signal alone would wait for ever.
	s := wspipetest.Start(t, "--closems=-1", "/bin/sh", "-c", stubborn)
	c := dial(t, s.WS)
	pid := readPid(t, c)
	s.Signal(os.Interrupt)
	c.ExpectEnd(1001, "server shutting down")
	s.Signal(syscall.SIGTERM)
	if status := s.Wait(); status != 128+15 {
		t.Errorf("status %d, want 143", status)
	}
	until(t, "the child is gone", func() bool { return gone(pid) })
	syscall.Kill(-pid, syscall.SIGKILL) // its sleep
}

func TestKillLeavesNoDirectChild(t *testing.T) {
	t.Parallel()
	s := wspipetest.StartCommand(t, exec.Command(wspipetest.Binary(t), "--port=0", "/bin/sh", "-c", `trap '' INT TERM HUP; echo $$; exec sleep 1000`))
	var pids []int
	for range 5 {
		pids = append(pids, readPid(t, dial(t, s.WS)))
	}
	s.Signal(os.Kill)
	s.Wait()
	for _, pid := range pids {
		until(t, "the child is gone", func() bool { return gone(pid) })
	}
}

func TestOnceExitsWithTheChildsStatus(t *testing.T) {
	t.Parallel()
	for _, client := range []string{"websocket", "http", "events"} {
		for child, flags := range childKinds {
			if child == "pty" && client != "websocket" || child == "mux" || child == "resume" {
				continue
			}
			t.Run(child+"/"+client, func(t *testing.T) {
				t.Parallel()
				s := wspipetest.Start(t, append(strings.Fields("--once --http "+flags), "/bin/sh", "-c", "echo hi; exit 3")...)
				c := newKindClient(t, s, client, child, "/")
				if child == "broadcast" { // a message is not the connection
					if status := c.post("message"); status != http.StatusAccepted && status != http.StatusServiceUnavailable {
						t.Errorf("POST: status %d", status)
					}
				}
				c.connect(false)
				c.rest()
				if status := s.Wait(); status != 3 {
					t.Errorf("status %d, want 3", status)
				}
			})
		}
	}
}

// TestAStuckLogStopsNobody: nobody reads wspipe's stderr, into which a child
// floods.
func TestAStuckLogStopsNobody(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(wspipetest.Binary(t), "--port=0", "/bin/sh", "-c", `yes complaint | head -c 3000000 >&2; echo done`)
	cmd.Stderr = w
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	line := make([]byte, 4096)
	n, err := r.Read(line) // the address, and from now on nobody reads
	if err != nil {
		t.Fatal(err)
	}
	_, url, _ := strings.Cut(string(line[:n]), " at ")
	url, _, _ = strings.Cut(url, "\n")
	c := dial(t, url)
	if got := c.Next(); got != "done" {
		t.Errorf("got %q", got)
	}
	c.ExpectEnd(1000, "exit 0")
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("wspipe ended with %v", err)
	}
}
