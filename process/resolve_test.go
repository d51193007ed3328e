//go:build unix

package process

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"wspipe/cmd/wspipetest"
)

// program creates an executable file in dir.
func program(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	wspipetest.WriteMode(t, path, content, 0o755)
	return path
}

func TestResolve(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	inPath := program(t, dir, "tool", "#!/bin/sh\n")
	program(t, other, "tool", "#!/bin/sh\n")
	program(t, other, "here", "#!/bin/sh\n")
	program(t, other, "space", "#! \t/bin/sh -e\n")
	program(t, other, "option", "#!/bin/sh -e\r\n") // the kernel accepts the \r in the option
	program(t, other, "binary", "\x7fELF")
	if err := syscall.Mkfifo(filepath.Join(other, "fifo"), 0o755); err != nil { // Resolve must not wait for a writer
		t.Fatal(err)
	}
	t.Setenv("PATH", "/no/such/dir:"+dir+":"+other)
	t.Chdir(other)
	for name, want := range map[string]string{
		"tool":                                 inPath,
		"./here":                               "./here",
		"../" + filepath.Base(other) + "/here": "../" + filepath.Base(other) + "/here",
		inPath:                                 inPath,
		"here":                                 filepath.Join(other, "here"),
		"./space":                              "./space",
		"./option":                             "./option",
		"./binary":                             "./binary",
		"./fifo":                               "./fifo",
		"/bin/sh":                              "/bin/sh",
	} {
		if got, err := Resolve(name); err != nil || got != want {
			t.Errorf("Resolve(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestResolveErrors(t *testing.T) {
	dir := t.TempDir()
	program(t, dir, "tool", "#!/bin/sh\n")
	program(t, dir, "gone", "#!/no/such/interpreter -x\n")
	program(t, dir, "windows", "#!/bin/sh\r\necho hi\r\n")
	program(t, dir, "unended", "#!/bin/sh\r")
	program(t, dir, "bom", "\ufeff#!/bin/sh\n")
	program(t, dir, "utf16", "\xff\xfe#\x00!\x00")
	program(t, dir, "bare", "echo gr\xfc\xdfe\n")
	program(t, dir, "empty", "")
	if err := os.WriteFile(filepath.Join(dir, "data"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", ".")
	t.Chdir(dir)
	for _, tt := range []struct {
		name, reason string
		cause        error
	}{
		{"none", "not found in PATH", exec.ErrNotFound},
		{"data", "not found in PATH", exec.ErrNotFound}, // as in a shell
		{"tool", "found only in the current directory", exec.ErrDot},
		{"./none", "no such file", fs.ErrNotExist},
		{"./tool/none", "no such file", syscall.ENOTDIR},
		{"./data", "not executable", fs.ErrPermission},
		{".", "not found in PATH", exec.ErrNotFound},
		{"./", "is a directory", syscall.EISDIR},
		{dir, "is a directory", syscall.EISDIR},
		{"./gone", "bad interpreter", fs.ErrNotExist},
		{"./windows", "bad interpreter", fs.ErrNotExist},
		{"./unended", "bad interpreter", fs.ErrNotExist},
		{"./bom", "begins with a byte order mark instead of #!", ErrByteOrderMark},
		{"./utf16", "begins with a byte order mark instead of #!", ErrByteOrderMark},
		{"./bare", "not an executable for this machine, nor a script that begins with #!", syscall.ENOEXEC},
		{"./empty", "not an executable for this machine, nor a script that begins with #!", syscall.ENOEXEC},
		{"", "not found in PATH", exec.ErrNotFound},
	} {
		path, err := Resolve(tt.name)
		e, ok := errors.AsType[*StartError](err)
		if !ok || path != "" {
			t.Errorf("Resolve(%q) = %q, %v, want a *StartError", tt.name, path, err)
			continue
		}
		if e.Path != tt.name || e.Reason != tt.reason || !errors.Is(err, tt.cause) {
			t.Errorf("Resolve(%q): %v, want %s (%v)", tt.name, err, tt.reason, tt.cause)
		}
	}
}

// The hint needs the name of the interpreter as in the script.
func TestResolveNamesInterpreter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for content, want := range map[string]string{
		"#!/no/such/interpreter -x\n": "/no/such/interpreter",
		"#!/bin/sh\r\n":               "/bin/sh\r",
	} {
		path := program(t, dir, "script", content)
		_, resolved := Resolve(path)
		_, started := Start(Spec{Path: path})
		for _, err := range []error{resolved, started} {
			if e, ok := errors.AsType[*InterpreterError](err); !ok || e.Path != want {
				t.Errorf("%q: %v, want an *InterpreterError of %q", content, err, want)
			}
		}
	}
	_, err := Resolve(filepath.Join(dir, "none"))
	if _, ok := errors.AsType[*InterpreterError](err); ok {
		t.Errorf("%v holds an *InterpreterError, but no interpreter is missing", err)
	}
	if n := strings.Count(err.Error(), "no such file"); n != 2 { // as the reason and as the cause
		t.Errorf("%v tells the cause %d times", err, n)
	}
}
