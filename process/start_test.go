//go:build unix

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"wspipe/cmd/wspipetest"

	"golang.org/x/sys/unix"
)

func TestChildGetsWhatSpecSays(t *testing.T) {
	t.Parallel()
	spec := helper("describe", "one", "", "three words here", "ünï\n")
	spec.Env = append(spec.Env, "EMPTY=", "TWICE=a=b")
	spec.Dir = must(filepath.EvalSymlinks(t.TempDir()))
	var got description
	if err := json.Unmarshal([]byte(output(t, spec)), &got); err != nil {
		t.Fatal(err)
	}
	if want := append([]string{spec.Path}, spec.Args...); !slices.Equal(got.Args, want) {
		t.Errorf("args %q, want %q", got.Args, want)
	}
	if !slices.Equal(got.Env, spec.Env) {
		t.Errorf("env %q, want %q", got.Env, spec.Env)
	}
	if got.Dir != spec.Dir {
		t.Errorf("dir %q, want %q", got.Dir, spec.Dir)
	}
	if !got.LeadsSession {
		t.Error("child does not lead its process session")
	}
	if !maps.Equal(got.Files, standardFiles) {
		t.Errorf("open files %v, want %v", got.Files, standardFiles)
	}
}

func TestEmptyEnvIsEmpty(t *testing.T) {
	t.Setenv("WSPIPE_TEST_LEAK", "1")
	for _, env := range [][]string{nil, {}} {
		if got := output(t, Spec{Path: "/usr/bin/env", Env: env}); got != "" {
			t.Errorf("Env %#v: the child's environment is %q", env, got)
		}
	}
}

func TestEmptyDirIsOurs(t *testing.T) {
	t.Parallel()
	if got, want := output(t, sh("pwd -P")), must(os.Getwd())+"\n"; got != want {
		t.Errorf("working directory %q, want %q", got, want)
	}
}

func TestPipes(t *testing.T) {
	t.Parallel()
	c := start(t, sh(`cat; echo to stderr >&2`))
	for _, line := range []string{"hello", "", "wörld"} {
		if _, err := io.WriteString(c.Stdin(), line+"\n"); err != nil {
			t.Fatal(err)
		}
		if got := readLine(t, c.Stdout()); got != line {
			t.Errorf("got %q, want %q", got, line)
		}
	}
	c.Stdin().Close()
	if rest := readAll(t, c.Stdout()); rest != "" {
		t.Errorf("then %q", rest)
	}
	if got := readAll(t, c.Stderr()); got != "to stderr\n" {
		t.Errorf("stderr %q", got)
	}
}

func TestWriteToClosedStdin(t *testing.T) {
	t.Parallel()
	c := start(t, sh("exec <&-; echo closed; exec sleep 1000"))
	readLine(t, c.Stdout())
	// Between fork and exec, another child has the pipe, too.
	eventually(t, "EPIPE", func() bool {
		_, err := io.WriteString(c.Stdin(), "x")
		return errors.Is(err, syscall.EPIPE)
	})
}

func TestChildRunsAsUser(t *testing.T) {
	nobody, err := LookupUser("nobody")
	if err != nil {
		t.Fatal(err)
	}
	spec := sh("id -u; id -g; id -G")
	spec.Dir, spec.User = "/", nobody
	if os.Getuid() != 0 {
		checkStartError(t, spec, "not permitted to switch user")
		checkStartError(t, on(FullTerminal, spec), "not permitted to switch user")
		return
	}
	want := output(t, sh("id -u nobody; id -g nobody; id -G nobody"))
	if got := output(t, spec); got != want {
		t.Errorf("user, group, groups %q, want %q", got, want)
	}
	spec.User = &User{UID: nobody.UID, GID: 12345, Groups: []uint32{12345, 23456}}
	if got := output(t, spec); !strings.HasSuffix(got, "\n12345\n12345 23456\n") {
		t.Errorf("user, group, groups %q, want group 12345, groups 12345 and 23456", got)
	}
	spec.User = &User{UID: nobody.UID, GID: 12345}
	if got := output(t, spec); !strings.HasSuffix(got, "\n12345\n12345\n") {
		t.Errorf("user, group, groups %q, want group 12345 alone", got)
	}
	spec.Path = writeFile(t, "#!/bin/sh\n", 0o700)
	checkStartError(t, spec, "permission denied")
}

func TestStartErrors(t *testing.T) {
	checkDescriptors(t)
	dir := t.TempDir()
	for _, tt := range []struct {
		name   string
		spec   Spec
		reason string
	}{
		{"no such file", Spec{Path: filepath.Join(dir, "none")}, "no such file"},
		{"path through a file", Spec{Path: "/etc/passwd/none"}, "no such file"},
		{"not executable", Spec{Path: writeFile(t, "#!/bin/sh\n", 0o644)}, "not executable"},
		{"directory", Spec{Path: dir}, "is a directory"},
		{"interpreter missing", Spec{Path: writeFile(t, "#!/no/such/interpreter -x\n", 0o755)}, "bad interpreter"},
		{"Windows line ends", Spec{Path: writeFile(t, "#!/bin/sh\r\necho hi\r\n", 0o755)}, "bad interpreter"},
		{"no first line", Spec{Path: writeFile(t, "echo hi\n", 0o755)}, "not an executable for this machine, nor a script that begins with #!"},
		{"byte order mark", Spec{Path: writeFile(t, "\ufeff#!/bin/sh\n", 0o755)}, "begins with a byte order mark instead of #!"},
		{"no working directory", Spec{Path: "/bin/sh", Dir: filepath.Join(dir, "none")}, "no such working directory"},
		{"working directory a file", Spec{Path: "/bin/sh", Dir: "/etc/passwd"}, "no such working directory"},
		{"being written", Spec{Path: beingWritten(t)}, "is being written to"},
		{"environment too long", Spec{Path: "/bin/sh", Env: []string{"LONG=" + strings.Repeat("x", 8<<20)}}, "arguments and environment too long"},
		{"arguments too long", Spec{Path: "/bin/sh", Args: slices.Repeat([]string{strings.Repeat("x", 100<<10)}, 100)}, "arguments and environment too long"},
		{"NUL in an argument", Spec{Path: "/bin/sh", Args: []string{"a\x00b"}}, "system error"},
	} {
		t.Run(tt.name, func(t *testing.T) { checkStartError(t, tt.spec, tt.reason) })
	}
}

// beingWritten returns a program that is open for writing.
func beingWritten(t *testing.T) (path string) {
	t.Helper()
	path = writeFile(t, "#!/bin/sh\n", 0o755)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return path
}

func TestStartErrorNamesCauseOnce(t *testing.T) {
	t.Parallel()
	_, err := Start(Spec{Path: "/no/such/file"})
	if got, want := err.Error(), `start "/no/such/file": no such file (no such file or directory)`; got != want {
		t.Errorf("error %s, want %s", got, want)
	}
	if !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%v does not wrap ENOENT", err)
	}
}

// Each step of Start that needs a descriptor fails in turn: the pipes, fork, the pidfd, and the
// terminal.
func TestStartWithoutDescriptors(t *testing.T) {
	for terminal, steps := range map[Terminal]int{NoTerminal: 9, StdoutTerminal: 10, FullTerminal: 6} {
		t.Run(fmt.Sprint(terminal), func(t *testing.T) { testStartWithoutDescriptors(t, terminal, steps) })
	}
}

func testStartWithoutDescriptors(t *testing.T, terminal Terminal, steps int) {
	checkDescriptors(t)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	failed, started := 0, 0
	limit := old // whose fields have a type that depends on the platform
	for limit.Cur = 3; started < 3; limit.Cur++ {
		c, err := startLimited(t, old, limit, terminal)
		if err == nil {
			started++
			c.Stdin().Close()
			readAll(t, c.Stdout())
			readAll(t, c.Stderr())
			c.Stop()
			continue
		}
		failed++
		if e, ok := errors.AsType[*StartError](err); !ok || e.Reason != "too many open files" {
			t.Fatalf("with %d descriptors: %v", limit.Cur, err)
		}
	}
	if failed < steps {
		t.Errorf("only %d failures, want one for each of %d descriptors", failed, steps)
	}
}

// startLimited calls Start while limit is in effect.
func startLimited(t *testing.T, old, limit unix.Rlimit, terminal Terminal) (*Child, error) {
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	return Start(Spec{Path: "/bin/cat", Terminal: terminal})
}

func checkStartError(t *testing.T, spec Spec, reason string) {
	t.Helper()
	c, err := Start(spec)
	if err == nil {
		c.Stop()
		t.Fatal("it started")
	}
	e, ok := errors.AsType[*StartError](err)
	if !ok {
		t.Fatalf("%T, want a *StartError: %v", err, err)
	}
	if e.Reason != reason || e.Path != spec.Path {
		t.Errorf("start %q: reason %q, want %q of %q (%v)", e.Path, e.Reason, reason, spec.Path, e.Err)
	}
}

// writeFile creates a file and returns its path.
func writeFile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	wspipetest.WriteMode(t, path, content, mode)
	return path
}
