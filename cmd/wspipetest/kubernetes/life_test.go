//go:build unix

package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for end, status := range map[string]int{
		"exit 0": 0, "exit 1": 1, "exit 3": 3, "exit 255": 255, "kill -TERM $$": 128 + 15, "kill -KILL $$": 128 + 9,
	} {
		stdout, stderr, err := newClient(t, startShell(t, "echo out; echo complaint >&2; "+end)).run(t, nil)
		wantStatus(t, err, status)
		if status != 0 && err != nil {
			wantError(t, err, fmt.Sprintf("command terminated with exit code %d", status))
		}
		if stdout != "out\n" || stderr != "complaint\n" {
			t.Errorf("%s: before it, got %q and %q", end, stdout, stderr)
		}
	}
}

// TestCannotStart: the program was there when wspipe started.
func TestCannotStart(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	wspipetest.WriteMode(t, program, "#!/bin/sh\n", 0o755)
	s := wspipetest.Start(t, program)
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	_, _, err := newClient(t, s).run(t, nil)
	wantError(t, err, "cannot start: no such file")
}

// gate is an empty stream whose end comes when it is closed.
type gate chan struct{}

// Read implements io.Reader.
func (g gate) Read([]byte) (int, error) {
	<-g
	return 0, io.EOF
}

// TestManyAtOnce: twenty commands run side by side, and none gets another's
// bytes or status.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const commands, size = 20, 500_000
	s := startShell(t, `read status; echo ready >&2; cat; exit $status`)
	allReady := make(gate)
	var running []*execution
	for i := range commands {
		stdin := io.MultiReader(strings.NewReader(fmt.Sprintln(i)), allReady, noise(size, byte(i)))
		running = append(running, newClient(t, s).begin(t, stdin))
	}
	for _, x := range running {
		x.stderr.await(t, "ready\n")
	}
	close(allReady)
	for i, x := range running {
		x.expectEnd(i)
		if got := x.stdout.String(); sum(t, strings.NewReader(got)) != sum(t, noise(size, byte(i))) {
			t.Errorf("command %d: got %d bytes, and not its own", i, len(got))
		}
	}
}

// TestCancelEndsTheCommand, and all that it has started.
func TestCancelEndsTheCommand(t *testing.T) {
	t.Parallel()
	c := newClient(t, startShell(t, `trap '' INT TERM HUP; echo $$; sleep 1000; sleep 1000`))
	var cancel context.CancelFunc
	c.ctx, cancel = context.WithCancel(c.ctx)
	defer cancel()
	x := c.begin(t, nil)
	x.stdout.await(t, "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(x.stdout.String()))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := x.end(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for late := time.Now().Add(wspipetest.Patience); syscall.Kill(-pid, 0) != syscall.ESRCH; {
		if time.Now().After(late) {
			t.Fatal("the command outlives its client")
		}
		<-time.After(time.Millisecond)
	}
}

func TestServerShutsDown(t *testing.T) {
	t.Parallel()
	s := startShell(t, "echo ready; exec sleep 1000")
	x := newClient(t, s).begin(t, nil)
	x.stdout.await(t, "ready\n")
	s.Signal(syscall.SIGTERM)
	wantError(t, x.end(), "1001", "server shutting down")
	if status := s.Wait(); status != 0 {
		t.Errorf("wspipe ended with status %d", status)
	}
}

// TestPlainClientsMeanwhile: the same endpoint speaks plain messages to whoever
// offers no subprotocol.
func TestPlainClientsMeanwhile(t *testing.T) {
	t.Parallel()
	s := startShell(t, "cat")
	stdin, keys := keyboard(t)
	x := newClient(t, s).begin(t, stdin)
	plain := wspipetest.Dial(t, s.WS, nil)
	for i := range 10 {
		line := fmt.Sprintf("line %d", i)
		plain.Send(line)
		press(t, keys, line+"\n")
		plain.Expect(line)
		x.stdout.await(t, line+"\n")
	}
	keys.Close()
	x.expectEnd(0)
	plain.Send("still here")
	plain.Expect("still here")
}
