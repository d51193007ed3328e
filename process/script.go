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

// ErrByteOrderMark reports that a script begins with a byte order mark, so that the
// system does not recognize its "#!".
var ErrByteOrderMark = errors.New("byte order mark")

// InterpreterError reports that the interpreter named in a script's first line does not
// exist.
type InterpreterError struct{ Path string }

// Error implements error.
func (e *InterpreterError) Error() string { return fmt.Sprintf("interpreter %q not found", e.Path) }

// Unwrap returns fs.ErrNotExist.
func (e *InterpreterError) Unwrap() error { return fs.ErrNotExist }

const (
	badInterpreter = "bad interpreter"
	byteOrderMark  = "begins with a byte order mark instead of #!"
)

// scriptError returns a *StartError for the program called name if its file, at
// path, is a script that cannot be executed; see execve(2), "Interpreter scripts".
func scriptError(name, path string) error {
	head, ok := readHead(path)
	rest, isScript := strings.CutPrefix(head, "#!")
	isScript = isScript && runsScripts
	switch {
	case !ok:
		return nil
	case isScript:
		return interpreterError(name, rest)
	case slices.ContainsFunc([]string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"}, func(mark string) bool { return strings.HasPrefix(head, mark) }):
		return &StartError{Path: name, Reason: byteOrderMark, Err: ErrByteOrderMark}
	case isText(head) && !isRegistered(path, head):
		return &StartError{Path: name, Reason: noInterpreter, Err: badFormat}
	}
	return nil
}

// interpreterError returns a *StartError if the interpreter of a script does not exist.
// The first line of the script is "#!", followed by line up to its first newline.
func interpreterError(name, line string) error {
	line, _, _ = strings.Cut(line, "\n")
	// Only space and tab end the name: a script with Windows line endings requests the
	// interpreter "/bin/sh\r".
	fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(fields) == 0 {
		return nil
	}
	if _, err := os.Stat(fields[0]); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return &StartError{Path: name, Reason: badInterpreter, Err: &InterpreterError{fields[0]}}
}

// headSize is how much of a file the kernel examines, in bytes.
const headSize = 256

// readHead returns the first headSize bytes of the file at path. It returns false,
// without waiting, if that is not a regular file.
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

// isText reports whether head has no control characters but white space and escape.
// Every binary format has some.
func isText(head string) bool {
	return !strings.ContainsFunc(head, func(c rune) bool { return c < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1b", c) || c == 0x7f })
}
