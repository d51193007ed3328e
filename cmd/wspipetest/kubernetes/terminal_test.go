//go:build unix

package kubernetes_test

import (
	"io"
	"strings"
	"testing"

	"k8s.io/client-go/tools/remotecommand"

	"wspipe/cmd/wspipetest"
)

// newTerminal returns a client of s that has a terminal, as kubectl exec -t.
func newTerminal(t *testing.T, s *wspipetest.Server) client {
	t.Helper()
	c := newClient(t, s)
	c.sizes = make(sizes)
	t.Cleanup(func() { close(c.sizes) })
	return c
}

const ctrlC, ctrlD = "\x03", "\x04"

// TestTerminal: all three streams are the terminal, and nothing comes as stderr.
func TestTerminal(t *testing.T) {
	t.Parallel()
	s := startShell(t, `test -t 0 && test -t 1 && test -t 2 && stty size && echo "$TERM" >&2; exit 3`, "--pty")
	stdout, _, err := newTerminal(t, s).run(t, nil)
	wantStatus(t, err, 3)
	if want := "24 80\r\nxterm-256color\r\n"; stdout != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
}

// TestTerminalSize: the command learns the first size and each later one.
func TestTerminalSize(t *testing.T) {
	t.Parallel()
	c := newTerminal(t, startShell(t, `trap 'stty size' WINCH; stty size; while :; do sleep 0.1; done`, "--pty"))
	stdin, keys := keyboard(t)
	x := c.begin(t, stdin)
	c.sizes <- remotecommand.TerminalSize{Width: 132, Height: 43}
	x.stdout.await(t, "43 132\r\n")
	c.sizes <- remotecommand.TerminalSize{Width: 100, Height: 50}
	x.stdout.await(t, "50 100\r\n")
	press(t, keys, ctrlC)
	x.expectEnd(128 + 2)
}

// TestCtrlC: the byte becomes a signal for whatever runs in the foreground.
func TestCtrlC(t *testing.T) {
	t.Parallel()
	c := newTerminal(t, startShell(t, `trap 'echo interrupted; exit 7' INT; echo ready; while :; do sleep 0.1; done`, "--pty"))
	stdin, keys := keyboard(t)
	x := c.begin(t, stdin)
	x.stdout.await(t, "ready\r\n")
	press(t, keys, ctrlC)
	x.expectEnd(7)
	if got, want := x.stdout.String(), "ready\r\n^Cinterrupted\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCtrlD: the byte ends a command that reads to the end, and so does the end
// of the client's stdin, also in the middle of a line.
func TestCtrlD(t *testing.T) {
	t.Parallel()
	c := newTerminal(t, startShell(t, "stty -echo; echo ready; exec cat", "--pty"))
	for typed, want := range map[string]string{
		"hello\n" + ctrlD:       "hello\r\n",
		"hello" + ctrlD + ctrlD: "hello",
		"hello\n":               "hello\r\n",
		"hello":                 "hello",
		"":                      "",
	} {
		ready := make(gate)
		x := c.begin(t, io.MultiReader(ready, strings.NewReader(typed)))
		x.stdout.await(t, "ready\r\n")
		close(ready)
		x.expectEnd(0)
		if got := strings.TrimPrefix(x.stdout.String(), "ready\r\n"); got != want {
			t.Errorf("typed %q: got %q, want %q", typed, got, want)
		}
	}
}
