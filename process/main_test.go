//go:build unix

package process

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// helperVar names the helper that the test binary runs instead of the tests.
const helperVar = "WSPIPE_PROCESS_HELPER"

// helpers are the functions that the test binary can run as a child. Their arguments are
// in os.Args.
var helpers = map[string]func(){
	"describe": describe,
	"echo":     echo,
	"record":   record,
	"setsid":   setsid,
}

var (
	self        = must(os.Executable())
	usedHelpers sync.Map
)

func TestMain(m *testing.M) {
	if helper := helpers[os.Getenv(helperVar)]; helper != nil {
		helper()
		if testing.CoverMode() != "" {
			syscall.Exit(0) // os.Exit would warn on stderr that there is no GOCOVERDIR
		}
		os.Exit(0)
	}
	flag.Parse()
	flag.Set("test.parallel", "10") // most tests mostly wait
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("wspipe/process.(*starter).run"), // these three never end
		goleak.IgnoreAnyFunction("wspipe/process.reaper"),
		goleak.IgnoreAnyFunction("wspipe/process.(*watcher).run"),
		goleak.Cleanup(func(code int) { os.Exit(max(code, unusedHelpers())) }))
}

// unusedHelpers returns 1 if all tests ran and a helper is unused.
func unusedHelpers() (code int) {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return 0
		}
	}
	for _, name := range slices.Sorted(maps.Keys(helpers)) {
		if _, used := usedHelpers.Load(name); !used {
			fmt.Fprintf(os.Stderr, "helper %q is never used\n", name)
			code = 1
		}
	}
	return code
}

// helper returns a child that runs the named helper.
func helper(name string, args ...string) Spec {
	return Spec{Path: self, Args: args, Env: helperEnv(name)}
}

// helperEnv returns the environment that makes the test binary run a helper. Without
// GORACE, the race detector would delay its exit by a second.
func helperEnv(name string) []string {
	if helpers[name] == nil {
		panic("no helper " + name)
	}
	usedHelpers.Store(name, true)
	return []string{helperVar + "=" + name, "GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH")}
}

// sh returns a child that runs script, with args as $1 and so on.
func sh(script string, args ...string) Spec {
	return Spec{Path: "/bin/sh", Args: append([]string{"-c", script, "sh"}, args...), Env: []string{"PATH=" + os.Getenv("PATH")}}
}

// start starts a child. When the test ends, it stops the child and reads its output.
func start(t *testing.T, spec Spec) *Child {
	t.Helper()
	c, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() {
		t.Errorf("child %d still runs after a minute", c.Pid())
		c.session.kill()
	})
	t.Cleanup(func() {
		defer watchdog.Stop()
		c.Stdin().Close()
		c.Stop()
		io.Copy(io.Discard, c.Stdout())
		io.Copy(io.Discard, c.Stderr())
	})
	return c
}

// readAll reads r to its end.
func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("reading an output: %v", err)
	}
	return string(b)
}

// output runs spec with an empty stdin and returns its stdout.
func output(t *testing.T, spec Spec) string {
	t.Helper()
	c := start(t, spec)
	c.Stdin().Close()
	stdout := readAll(t, c.Stdout())
	if stderr := readAll(t, c.Stderr()); stderr != "" {
		t.Errorf("stderr: %s", stderr)
	}
	return stdout
}

// readLine reads the next line of r, and nothing after it.
func readLine(t *testing.T, r io.Reader) string {
	t.Helper()
	line, err := nextLine(r)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// nextLine reads a line, and nothing after it.
func nextLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", fmt.Errorf("after %q: %w", line, err)
		}
		if b[0] == '\n' {
			return string(line), nil
		}
	}
}

func wantExit(t *testing.T, c *Child, code int, signal string) {
	t.Helper()
	if gotCode, gotSignal := c.Exit(); gotCode != code || gotSignal != signal {
		t.Errorf("exit %d, signal %q, want %d, %q", gotCode, gotSignal, code, signal)
	}
}

// hasGroup reports whether a process of the group still runs.
func hasGroup(pgid int) bool {
	return !errors.Is(syscall.Kill(-pgid, 0), syscall.ESRCH) && !processSession{id: pgid}.onlyZombies()
}

// eventually polls until done returns true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// descriptors counts our open files.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// checkDescriptors checks at the end of the test that it left no file open.
// Call it before start, and not in a parallel test.
func checkDescriptors(t *testing.T) {
	if _, err := Start(Spec{Path: "/no/such/file"}); err == nil { // opens the files that are opened only once
		t.Fatal("started /no/such/file")
	}
	onReadable(os.Stdin.Fd(), func() {}) // starts the watcher
	before := descriptors(t)
	gc := debug.SetGCPercent(-1) // the collector would close files that we forget
	t.Cleanup(func() {
		debug.SetGCPercent(gc)
		eventually(t, fmt.Sprintf("only %d descriptors open", before), func() bool { return descriptors(t) <= before })
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
