//go:build unix

package process

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wspipe/cmd/wspipetest"
)

// end observes the end of a child and its descendants. They hold a FIFO open for writing,
// of which we have the other end.
type end struct {
	fifo  int
	calls atomic.Int32  // of OnSessionEnd
	gone  chan struct{} // closed by the first call
}

// startToEnd starts a child and checks its end: OnSessionEnd must be called once, after
// the end of the child and all its descendants.
func startToEnd(t *testing.T, spec Spec) (*Child, *end) {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	e := &end{gone: make(chan struct{}), fifo: must(unix.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0))}
	spec.Args = append([]string{"-c", `exec 9>"$0" && exec "$@"`, fifo, spec.Path}, spec.Args...)
	spec.Path = "/bin/sh"
	spec.OnSessionEnd = func() {
		if e.alive() {
			t.Error("OnSessionEnd called, but something of the child is alive")
		}
		if e.calls.Add(1) == 1 {
			close(e.gone)
		}
	}
	c := start(t, spec)
	t.Cleanup(func() { // runs before the cleanup of start
		defer unix.Close(e.fifo)
		c.Stop()
		<-e.gone
		if e.alive() {
			c.session.kill()
		}
		if n := e.calls.Load(); n != 1 {
			t.Errorf("OnSessionEnd called %d times", n)
		}
	})
	return c, e
}

// alive reports whether the child or a descendant of it still runs.
func (e *end) alive() bool {
	for {
		_, err := unix.Read(e.fifo, make([]byte, 1))
		if err != unix.EINTR {
			return err == unix.EAGAIN
		}
	}
}

func TestNoSignalForChildThatEndsAtEOF(t *testing.T) {
	t.Parallel()
	marker := filepath.Join(t.TempDir(), "signalled")
	spec := sh(`trap 'echo >"$1"' HUP INT QUIT TERM; echo ready; while read line; do :; done; echo end`, marker)
	spec.Grace = time.Minute
	c, _ := startToEnd(t, spec)
	readLine(t, c.Stdout())
	c.Stdin().Close()
	c.Stop()
	wantExit(t, c, 0, "")
	if rest := readAll(t, c.Stdout()); rest != "end\n" {
		t.Errorf("output %q", rest)
	}
	if _, err := os.Stat(marker); !os.IsNotExist(err) {
		t.Errorf("the child got a signal (%v)", err)
	}
}

func TestStopSequence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		grace time.Duration
		until string // the signal at which the child exits
		wait  time.Duration
		steps int
	}{
		{0, "INT", 100 * time.Millisecond, 1},
		{0, "TERM", 350 * time.Millisecond, 2},
		{0, "nothing", 850 * time.Millisecond, 3},
		{200 * time.Millisecond, "INT", 300 * time.Millisecond, 1},
		{200 * time.Millisecond, "TERM", 750 * time.Millisecond, 2},
		{200 * time.Millisecond, "nothing", 1450 * time.Millisecond, 3},
	} {
		t.Run(fmt.Sprintf("%v and %s", tt.grace, tt.until), func(t *testing.T) {
			t.Parallel()
			wspipetest.Tries(t, func() error { // on a busy machine it may handle a signal too late
				spec := helper("record", tt.until)
				spec.Grace = tt.grace
				c, _ := startToEnd(t, spec)
				readLine(t, c.Stdout())
				c.Stdin().Close()
				readLine(t, c.Stdout()) // EOF
				begin := time.Now()
				c.Stop()
				if d := time.Since(begin); d < tt.wait {
					t.Errorf("stopped after %v, want %v", d, tt.wait)
				}
				want := strings.Join([]string{"INT\n", "TERM\n", ""}[:tt.steps], "")
				if got := readAll(t, c.Stdout()); got != want {
					return fmt.Errorf("the child got %q, want %q", got, want)
				}
				if tt.steps == 3 {
					wantExit(t, c, 137, "KILL")
				} else {
					wantExit(t, c, 0, "")
				}
				return nil
			})
		})
	}
}

func TestStopClosesStdin(t *testing.T) {
	t.Parallel()
	c, _ := startToEnd(t, helper("record", "EOF"))
	readLine(t, c.Stdout())
	c.Stop()
	if got := readAll(t, c.Stdout()); !strings.Contains(got, "EOF\n") {
		t.Errorf("the child got %q, want EOF", got)
	}
	wantExit(t, c, 0, "")
}

// The child runs for longer than the whole stop sequence and must get no signal.
func TestWaitForever(t *testing.T) {
	t.Parallel()
	spec := sh(`trap 'echo signal' HUP INT QUIT TERM; while read x; do :; done; sleep 1.2; echo end`)
	spec.Grace = WaitForever
	c, _ := startToEnd(t, spec)
	c.Stdin().Close()
	c.Stop()
	if got := readAll(t, c.Stdout()); got != "end\n" {
		t.Errorf("output %q, want end", got)
	}
	wantExit(t, c, 0, "")
}

func TestFirstWait(t *testing.T) {
	t.Parallel()
	for grace, want := range map[time.Duration]time.Duration{
		0:           100 * time.Millisecond,
		time.Second: 1100 * time.Millisecond,
		WaitForever: WaitForever,
	} {
		if got := FirstWait(grace); got != want {
			t.Errorf("FirstWait(%v) = %v, want %v", grace, got, want)
		}
	}
}

func TestStopEndsWholeGroup(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"leader waits":       "trap '' INT TERM; sleep 1000 & sleep 1000 & (sleep 1000; sleep 1000) & echo ready; wait",
		"leader heeds TERM":  "(trap '' INT TERM; echo ready; sleep 1000) & trap 'exit 0' TERM; wait",
		"leader heeds EOF":   "(trap '' INT TERM; echo ready; sleep 1000) & read go",
		"outputs are closed": "(trap '' INT TERM; echo ready; exec sleep 1000 >/dev/null 2>&1) & read go",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, end := startToEnd(t, sh(script))
			readLine(t, c.Stdout())
			if !end.alive() {
				t.Fatal("dead before Stop")
			}
			c.Stdin().Close()
			c.Stop()
			if end.alive() {
				t.Error("alive after Stop")
			}
		})
	}
}

func TestStopAfterLeaderIsGone(t *testing.T) {
	t.Parallel()
	c, end := startToEnd(t, sh("(trap '' INT TERM; echo ready; exec sleep 1000) & read go; exit 3"))
	readLine(t, c.Stdout())
	c.Stdin().Close()
	<-c.Exited()
	if !end.alive() {
		t.Error("the descendant has gone with the child")
	}
	c.Stop()
	if end.alive() {
		t.Error("alive after Stop")
	}
	wantExit(t, c, 3, "")
}

func TestConcurrentStops(t *testing.T) {
	t.Parallel()
	c, end := startToEnd(t, helper("record", "TERM"))
	readLine(t, c.Stdout())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			c.Stop()
			if !c.hasExited() || end.alive() || end.calls.Load() != 1 {
				t.Error("Stop returned before the end")
			}
		})
	}
	wg.Wait()
}

// Neither Stop waits for the grace period, which is an hour.
func TestStopAfterExit(t *testing.T) {
	t.Parallel()
	spec := sh("exit 3")
	spec.Grace = time.Hour
	c, end := startToEnd(t, spec)
	<-c.Exited()
	c.Stop()
	<-end.gone
	c.Stop()
	wantExit(t, c, 3, "")
}

func TestSessionEndsWithoutStop(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"child alone":           "exit 0",
		"descendant":            "sleep 1000 & exit 0",
		"descendant by itself":  "sleep 0.5 & exit 0",
		"descendant that stays": "(trap '' INT TERM; exec sleep 1000 >/dev/null 2>&1 </dev/null) & exit 0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, end := startToEnd(t, sh(script))
			<-end.gone
			if !c.hasExited() {
				t.Error("OnSessionEnd called before the child's exit")
			}
		})
	}
}

func TestManyChildren(t *testing.T) {
	checkDescriptors(t)
	goroutines := runtime.NumGoroutine()
	var wg sync.WaitGroup
	pids := make([]int, 200)
	for i := range pids {
		wg.Go(func() { pids[i] = converse(t) })
	}
	wg.Wait()
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("wait: %d, %v, want ECHILD: a child is left", pid, err)
	}
	if i := slices.IndexFunc(pids, hasGroup); i >= 0 {
		t.Errorf("group %d is left", pids[i])
	}
	eventually(t, "no goroutine left", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// converse starts a child that answers, stops it and returns its process ID.
func converse(t *testing.T) int {
	c, err := Start(sh("cat; sleep 1000 & wait"))
	if err != nil {
		t.Error(err)
		return 0
	}
	io.WriteString(c.Stdin(), "hello\n")
	c.Stdin().Close()
	if got := readLine(t, c.Stdout()); got != "hello" {
		t.Errorf("output %q", got)
	}
	c.Stop()
	if got := readAll(t, c.Stdout()) + readAll(t, c.Stderr()); got != "" {
		t.Errorf("then %q", got)
	}
	return c.Pid()
}
