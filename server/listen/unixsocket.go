package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// maxUnixPath is the longest path of a socket, in bytes: sockaddr_un holds it
// and a NUL (unix(7)).
const maxUnixPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// unixListener is a socket with a file, which goes when the socket is closed.
type unixListener struct {
	*net.UnixListener
	path  string
	file  os.FileInfo // as bind made it
	close func() error
}

// listenUnix makes a socket file at path that mode protects from the start; zero
// means 0600. What a server left there that no longer runs is replaced.
func listenUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if mode == 0 {
		mode = 0o600
	}
	l, err := openUnix(path, mode)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, rootCause(err))
	}
	return l, nil
}

func openUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if strings.HasPrefix(path, "@") {
		path = "./" + path // net would make a name without a file of it, which protects nothing
	}
	if len(path) > maxUnixPath {
		return nil, fmt.Errorf("the path has %d bytes; a socket path may have at most %d", len(path), maxUnixPath)
	}
	// Of two servers that start at once both would find the old file stale,
	// and the second remove what the first has just made.
	defer lockDir(filepath.Dir(path))()
	if err := removeStale(path); err != nil {
		return nil, err
	}
	inner, err := bindUnix(path, mode)
	if err != nil {
		return nil, err
	}
	inner.SetUnlinkOnClose(false) // it would not look whose file that is
	l := &unixListener{UnixListener: inner, path: path}
	l.close = sync.OnceValue(l.removeAndClose)
	if l.file, err = os.Lstat(path); err == nil {
		err = os.Chmod(path, mode.Perm())
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// bindUnix makes a socket file that at no moment is more open than mode.
func bindUnix(path string, mode fs.FileMode) (*net.UnixListener, error) {
	private := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { setMode(fd, mode) })
	}}
	l, err := private.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

// removeStale removes a socket at path that nobody answers on. Anything else there
// stays, and is an error.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("the file exists and is not a socket")
	}
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		conn.Close()
		return errInUse
	case errors.Is(err, syscall.EAGAIN): // so many wait already
		return errInUse
	case errors.Is(err, errRefused):
		return os.Remove(path)
	}
	return err
}

var errInUse = fmt.Errorf("%w by a running server", syscall.EADDRINUSE)

// Close also removes the file, unless it is another by now. Only the first call
// does anything.
func (l *unixListener) Close() error { return l.close() }

// removeAndClose removes first: as long as the socket is open, no other server
// takes the file for a stale one, and no other file gets its inode.
func (l *unixListener) removeAndClose() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}
