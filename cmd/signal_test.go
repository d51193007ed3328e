//go:build unix

package cmd

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/creack/pty"

	"wspipe/cmd/wspipetest"
)

func TestFirstSignalStops(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		s := wspipetest.Start(t, "cat")
		c := dial(t, s.WS)
		s.Signal(sig)
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("%v: %v", sig, err)
		}
		if status := s.Wait(); status != 0 || !strings.Contains(s.Stderr(), sig.String()+" signal received") {
			t.Errorf("%v: status %d, stderr:\n%s", sig, status, s.Stderr())
		}
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		// With --closems=-1 wspipe waits for this child forever.
		s := wspipetest.Start(t, "--closems=-1", "sh", "-c", "trap '' INT TERM; echo ready; while :; do read line; done")
		c := dial(t, s.WS)
		if _, msg, err := c.Read(t.Context()); string(msg) != "ready" {
			t.Fatalf("got %q, %v", msg, err)
		}
		s.Signal(sig)
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("%v: %v", sig, err)
		}
		s.Signal(sig)
		if status, want := s.Wait(), 128+int(sig); status != want {
			t.Errorf("%v: status %d, want %d", sig, status, want)
		}
	}
}

// SIGHUP reloads the files and does not affect connections.
func TestHangupReloads(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := wspipetest.Start(t, "--token-file="+tokens, "cat")
	c := dial(t, s.WS+"?access_token=first")
	s.Signal(syscall.SIGHUP)
	s.AwaitStderr("msg=reloaded")
	if err := c.Write(t.Context(), websocket.MessageText, []byte("still there")); err != nil {
		t.Fatal(err)
	}
	if _, msg, err := c.Read(t.Context()); string(msg) != "still there" {
		t.Errorf("got %q, %v", msg, err)
	}
}

// wspipe stops when the terminal that it was started in is closed.
func TestEndOfTheTerminal(t *testing.T) {
	command := exec.Command(wspipetest.Binary(t), "--port=0", "cat")
	terminal, err := pty.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(terminal)
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "serving") {
			break
		}
	}
	terminal.Close()
	defer time.AfterFunc(wspipetest.Patience, func() { command.Process.Kill() }).Stop()
	if err := command.Wait(); err != nil {
		t.Errorf("got %v", err)
	}
}

// Under nohup, which ignores SIGHUP, closing the terminal does not stop wspipe.
func TestIgnoredHangup(t *testing.T) {
	s := wspipetest.StartCommand(t, exec.Command("sh", "-c", `trap '' HUP; exec "$0" --port=0 cat`, wspipetest.Binary(t)))
	s.Signal(syscall.SIGHUP)
	c := dial(t, s.WS)
	if err := c.Write(t.Context(), websocket.MessageText, []byte("still there")); err != nil {
		t.Fatal(err)
	}
	if _, msg, err := c.Read(t.Context()); string(msg) != "still there" {
		t.Errorf("got %q, %v", msg, err)
	}
}

// wspipe keeps running after stderr has been closed.
func TestClosedStderr(t *testing.T) {
	const script = `exec 3>&2; exec "$0" --port=0 sh -c 'echo noise >&2; echo hi' 2> >(exec head -n1 >&3)`
	s := wspipetest.StartCommand(t, exec.Command("bash", "-c", script, wspipetest.Binary(t)))
	for range 3 {
		if _, msg, err := dial(t, s.WS).Read(t.Context()); string(msg) != "hi" {
			t.Errorf("got %q, %v", msg, err)
		}
	}
}
