package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// ErrByteOrderMark says that a script begins with a byte order mark, which hides
// its "#!" from the system.
var ErrByteOrderMark = errors.New("byte order mark")

// InterpreterError says that there is no file of the name in a script's first line.
type InterpreterError struct{ Path string }

func (e *InterpreterError) Error() string { return fmt.Sprintf("there is no %q", e.Path) }

// Unwrap returns fs.ErrNotExist.
func (e *InterpreterError) Unwrap() error { return fs.ErrNotExist }

const (
	badInterpreter = "bad interpreter"
	noInterpreter  = "neither a program of this machine nor a script that starts with #!"
	byteOrderMark  = "starts with a byte order mark instead of #!"
)

// scriptError returns a *StartError for the program called name if its file, at
// path, is a script that cannot be executed; see execve(2), "Interpreter scripts".
func scriptError(name, path string) error {
	head, ok := readHead(path)
	rest, isScript := strings.CutPrefix(head, "#!")
	switch {
	case !ok:
		return nil
	case isScript:
		return interpreterError(name, rest)
	case slices.ContainsFunc([]string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"}, func(mark string) bool { return strings.HasPrefix(head, mark) }):
		return &StartError{Path: name, Reason: byteOrderMark, Err: ErrByteOrderMark}
	case isText(head) && !isRegistered(path, head):
		return &StartError{Path: name, Reason: noInterpreter, Err: syscall.ENOEXEC}
	}
	return nil
}

// interpreterError returns a *StartError if there is no interpreter of the name in
// a script's first line, which begins with line behind its "#!".
func interpreterError(name, line string) error {
	line, _, _ = strings.Cut(line, "\n")
	// Only these end the name: a script saved with Windows line ends asks for
	// "/bin/sh\r".
	fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(fields) == 0 {
		return nil
	}
	if _, err := os.Stat(fields[0]); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return &StartError{Path: name, Reason: badInterpreter, Err: &InterpreterError{fields[0]}}
}

// headSize is how much of a file the kernel looks at, too.
const headSize = 256

// readHead returns the beginning of the regular file at path. It does not wait if
// there is something else.
func readHead(path string) (head string, ok bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", false
	}
	buf := make([]byte, headSize)
	n, err := io.ReadFull(f, buf)
	return string(buf[:n]), err == nil || n > 0 || err == io.EOF
}

// isText reports whether head has no control characters but white space and
// escape, which every format of programs has.
func isText(head string) bool {
	return !strings.ContainsFunc(head, func(c rune) bool { return c < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1b", c) || c == 0x7f })
}
