package process

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestIdleChildrenCostNoThreads(t *testing.T) {
	checkDescriptors(t)
	start(t, Spec{Path: "/bin/cat"}) // creates the threads that one child needs
	before := threads(t)
	var readers sync.WaitGroup
	children := make([]*Child, 100)
	for i := range children {
		children[i] = start(t, Spec{Path: "/bin/cat"})
		readers.Go(func() { readAll(t, children[i].Stdout()) })
		readers.Go(func() { readAll(t, children[i].Stderr()) })
	}
	if more := threads(t) - before; more > len(children)/4 {
		t.Errorf("%d children cost %d threads", len(children), more)
	}
	for _, c := range children {
		c.Stdin().Close()
	}
	readers.Wait()
}

func TestIdleChildrenCostNoGoroutines(t *testing.T) {
	start(t, Spec{Path: "/bin/cat"}) // starts the goroutines that one child needs
	before := runtime.NumGoroutine()
	children := make([]*Child, 100)
	ended := make(chan struct{})
	for i := range children {
		children[i] = start(t, Spec{Path: "/bin/cat"})
		children[i].stderr.Await(func() { ended <- struct{}{} })
	}
	if more := runtime.NumGoroutine() - before; more > len(children)/4 {
		t.Errorf("%d children cost %d goroutines", len(children), more)
	}
	for _, c := range children {
		c.Stdin().Close()
		<-ended
	}
}

// threads counts our threads.
func threads(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "\nThreads:")
	var n int
	if _, err := fmt.Sscan(after, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// The orphans of a session become our children, and all are reaped.
func TestOrphansAreReaped(t *testing.T) {
	const script = "sleep 0 & sleep 1000 & (trap '' INT TERM; sleep 1000) & exit 3"
	for name, spec := range map[string]Spec{"group": sh(script), "jobs": sh("set -m;" + script), "terminal": on(FullTerminal, sh("set -m;"+script))} {
		t.Run(name, func(t *testing.T) { testOrphansAreReaped(t, spec) })
	}
}

func testOrphansAreReaped(t *testing.T, spec Spec) {
	var log bytes.Buffer
	spec.Log = slog.New(slog.NewTextHandler(&log, nil))
	c, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	<-c.Exited()
	c.Stop()
	if log.Len() > 0 || inUse(c.Pid()) {
		t.Errorf("the session is still there; log: %s", log.String())
	}
	wantExit(t, c, 3, "")
	io.Copy(io.Discard, c.Stdout())
	io.Copy(io.Discard, c.Stderr())
	if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("wait: %v, want ECHILD: a child is left", err)
	}
}
