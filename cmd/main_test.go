package cmd

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"wspipe/cmd/wspipetest"
)

func TestMain(m *testing.M) {
	wspipe := func() {
		os.Exit(Main(os.Args, os.Stdout, os.Stderr, "the license\n"))
	}
	testscript.Main(leakChecked{m}, map[string]func(){"wspipe": wspipe, "websocketd": wspipe})
}

// leakChecked fails if the tests leave a goroutine behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := wspipetest.Main(m.M)
	starters := goleak.IgnoreTopFunction("wspipe/process.(*starter).run") // runs until the process exits
	watcher := goleak.IgnoreAnyFunction("wspipe/process.(*watcher).run")
	reaper := goleak.IgnoreAnyFunction("wspipe/process.reaper")
	if err := goleak.Find(starters, watcher, reaper); err != nil && code == 0 {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	return code
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			taken, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { taken.Close() })
			socket := filepath.Join(t.TempDir(), "s")
			if live, err := net.Listen("unix", socket); err == nil { // Windows may not support it
				env.Defer(func() { live.Close() })
			}
			env.Setenv("SOCKET", socket)
			wspipe, err := exec.LookPath("wspipe")
			if err != nil {
				return err
			}
			env.Setenv("TAKEN", strconv.Itoa(taken.Addr().(*net.TCPAddr).Port))
			env.Setenv("WSPIPE", wspipe)
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"status": status},
	})
}

// status runs "status N COMMAND..." and checks that COMMAND's exit status is N.
func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// run runs a command line and returns when it ends.
func run(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = Main(append([]string{"wspipe"}, args...), &out, &err, "the license\n")
	return status, out.String(), err.String()
}

// golden compares got with testdata/name, or writes it there if UPDATE=1.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; UPDATE=1 go test ./cmd accepts this:\n%s", path, got)
	}
}

func TestHelp(t *testing.T) {
	for file, args := range map[string][]string{"help.golden": {"--help"}, "help-all.golden": {"--help-all"}, "connect.golden": {"connect", "--help"}} {
		status, stdout, stderr := run(args...)
		if status != 0 || stderr != "" {
			t.Errorf("status %d, stderr %q", status, stderr)
		}
		for line := range strings.Lines(stdout) {
			if len(line) > 101 {
				t.Errorf("over 100 columns: %q", line)
			}
		}
		golden(t, file, stdout)
	}
}

func TestHelpFitsAScreen(t *testing.T) {
	_, help, _ := run("--help")
	if n := strings.Count(help, "\n"); n > 49 { // and a prompt
		t.Errorf("%d lines", n)
	}
	_, flags, _ := strings.Cut(help, "Common flags:\n")
	if n := strings.Count(flags, "\n  --") + 1; n != 20 {
		t.Errorf("%d flags, want 20:\n%s", n, flags)
	}
}

func TestHelpIsTheSameByEveryWay(t *testing.T) {
	for way, others := range map[string][][]string{
		"--help":     {{"help"}, {"-h"}, {"-help"}, {"--port=1", "help"}, {"--port=1", "--help", "x"}, {"--help", "man"}},
		"--help-all": {{"-help-all"}, {"--help-all", "help"}, {"--port=1", "--help-all", "x"}, {"--help-all", "man"}, {"--help-all", "--help"}},
	} {
		_, want, _ := run(way)
		for _, args := range others {
			if status, got, stderr := run(args...); got != want || status != 0 || stderr != "" {
				t.Errorf("%q: status %d, stderr %q, stdout:\n%s", args, status, stderr, got)
			}
		}
	}
}
