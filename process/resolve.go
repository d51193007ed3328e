package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// StartError is the error of a program that cannot be started.
type StartError struct {
	// Path is the program as the caller named it.
	Path string
	// Reason is the cause in a few words. It names no file, so clients may see it.
	Reason string
	// Err is the system's error. It may be nil.
	Err error
}

// Error implements error.
func (e *StartError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("start %q: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("start %q: %s (%v)", e.Path, e.Reason, e.Err)
}

// Unwrap returns e.Err.
func (e *StartError) Unwrap() error { return e.Err }

// Resolve finds the executable file of a program as a shell does: a name with a slash is
// a path, any other is looked up in PATH. It returns a *StartError if there is no such
// file, or if it is a script whose interpreter is missing.
func Resolve(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	if err != nil {
		return "", &StartError{Path: name, Reason: reason(name, err), Err: cause(err)}
	}
	if err := scriptError(name, path); err != nil {
		return "", err
	}
	return path, nil
}

const noSuchFile = "no such file"

// cause strips the operation and the path from err, because StartError has them.
func cause(err error) error {
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// reason returns StartError.Reason for the failure err to start path.
func reason(path string, err error) string {
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "not found in PATH"
	case errors.Is(err, exec.ErrDot):
		return "found only in the current directory"
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(path); err == nil { // so its interpreter or loader is missing, execve(2)
			return badInterpreter
		}
		return noSuchFile
	case errors.Is(err, fs.ErrPermission):
		return deniedReason(path)
	case errors.Is(err, syscall.ENOTDIR):
		return noSuchFile
	case errors.Is(err, syscall.EISDIR):
		return "is a directory"
	case errors.Is(err, badFormat):
		return noInterpreter
	case errors.Is(err, syscall.ETXTBSY):
		return "is being written to"
	case errors.Is(err, syscall.E2BIG):
		return "arguments and environment too long"
	case errors.Is(err, syscall.EAGAIN):
		return "too many processes"
	case errors.Is(err, syscall.ENOMEM):
		return "out of memory"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "too many open files"
	}
	return "system error"
}

func deniedReason(path string) string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "permission denied"
	case info.IsDir():
		return "is a directory"
	case info.Mode()&0o111 == 0:
		return "not executable"
	}
	return "permission denied"
}

// Executable reports whether the file at path is a program that we may start, judging
// by its mode or, on Windows, its name.
func Executable(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}
