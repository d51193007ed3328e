//go:build unix

package process

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// ends counts the calls of an OnGone, and checks that the group is gone then.
type ends struct {
	calls atomic.Int32
	pid   chan int
	gone  chan struct{}
}

// startCounted starts a child whose OnGone is counted.
func startCounted(t *testing.T, spec Spec) (*Child, *ends) {
	t.Helper()
	e := &ends{pid: make(chan int, 1), gone: make(chan struct{})}
	spec.OnGone = func() {
		if e.calls.Add(1) > 1 {
			return
		}
		if pid := <-e.pid; hasGroup(pid) {
			t.Errorf("OnGone called, but group %d has members", pid)
		}
		close(e.gone)
	}
	c := start(t, spec)
	e.pid <- c.Pid()
	t.Cleanup(func() { // before that of start
		c.Stop()
		<-e.gone
		if n := e.calls.Load(); n != 1 {
			t.Errorf("OnGone called %d times", n)
		}
	})
	return c, e
}

func TestNoSignalForChildThatEndsAtEOF(t *testing.T) {
	t.Parallel()
	marker := filepath.Join(t.TempDir(), "signalled")
	spec := sh(`trap 'echo >"$1"' HUP INT QUIT TERM; echo ready; while read line; do :; done; echo end`, marker)
	spec.Grace = time.Minute
	c, _ := startCounted(t, spec)
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

func TestStopLadder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		grace time.Duration
		until string // what the child heeds
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
			spec := helper("record", tt.until)
			spec.Grace = tt.grace
			c, _ := startCounted(t, spec)
			readLine(t, c.Stdout())
			c.Stdin().Close()
			readLine(t, c.Stdout()) // EOF
			begin := time.Now()
			c.Stop()
			if d := time.Since(begin); d < tt.wait {
				t.Errorf("stopped after %v, want %v", d, tt.wait)
			}
			want := []string{"INT\n", "TERM\n", ""}[:tt.steps]
			if got := readAll(t, c.Stdout()); got != strings.Join(want, "") {
				t.Errorf("the child got %q, want %q", got, want)
			}
			if tt.steps == 3 {
				wantExit(t, c, 137, "KILL")
			} else {
				wantExit(t, c, 0, "")
			}
		})
	}
}

func TestStopClosesStdin(t *testing.T) {
	t.Parallel()
	c, _ := startCounted(t, helper("record", "EOF"))
	readLine(t, c.Stdout())
	c.Stop()
	if got := readAll(t, c.Stdout()); !strings.Contains(got, "EOF\n") {
		t.Errorf("the child got %q, want EOF", got)
	}
	wantExit(t, c, 0, "")
}

// The child takes longer than the whole ladder. It must not hear of it.
func TestWaitForever(t *testing.T) {
	t.Parallel()
	spec := sh(`trap 'echo signal' HUP INT QUIT TERM; while read x; do :; done; sleep 1.2; echo end`)
	spec.Grace = WaitForever
	c, _ := startCounted(t, spec)
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
		"leader is gone":     "(trap '' INT TERM; echo ready; sleep 1000) & exit 0",
		"outputs are closed": "(trap '' INT TERM; echo ready; exec sleep 1000 >/dev/null 2>&1) & exit 0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := startCounted(t, sh(script))
			readLine(t, c.Stdout())
			if !hasGroup(c.Pid()) {
				t.Fatal("no group")
			}
			c.Stop()
			if hasGroup(c.Pid()) {
				t.Error("the group has members after Stop")
			}
		})
	}
}

func TestConcurrentStops(t *testing.T) {
	t.Parallel()
	c, _ := startCounted(t, helper("record", "TERM"))
	readLine(t, c.Stdout())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			c.Stop()
			if !c.hasExited() || hasGroup(c.Pid()) {
				t.Error("Stop returned before the end")
			}
		})
	}
	wg.Wait()
}

// Neither Stop has anything to wait for: the grace would show.
func TestStopAfterExit(t *testing.T) {
	t.Parallel()
	spec := sh("exit 3")
	spec.Grace = time.Hour
	c, ends := startCounted(t, spec)
	<-c.Exited()
	c.Stop()
	<-ends.gone
	c.Stop()
	wantExit(t, c, 3, "")
}

func TestGroupGoesWithoutStop(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"child alone":                        "exit 0",
		"silent descendant":                  "sleep 1000 & exit 0",
		"descendant with nothing to do with": "(trap '' INT TERM; exec sleep 1000 >/dev/null 2>&1 </dev/null) & exit 0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, ends := startCounted(t, sh(script))
			<-ends.gone
			if !c.hasExited() || hasGroup(c.Pid()) {
				t.Error("not gone")
			}
		})
	}
}

func TestManyChildren(t *testing.T) {
	checkDescriptors(t)
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
}

// converse has a child say something, stops it and returns its process ID.
func converse(t *testing.T) int {
	c, err := Start(sh("cat & wait"))
	if err != nil {
		t.Error(err)
		return 0
	}
	c.Stdin().Close()
	c.Stop()
	readAll(t, c.Stdout())
	readAll(t, c.Stderr())
	return c.Pid()
}
