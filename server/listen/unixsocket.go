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

// maxUnixPath is the longest path of a socket in bytes: sockaddr_un has a final NUL (unix(7)).
const maxUnixPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// unixListener is a unix socket whose file is removed when the socket is closed.
type unixListener struct {
	*net.UnixListener
	path  string
	file  os.FileInfo // of the file that bind created
	close func() error
}

// Unix listens on a unix socket at path with the permission bits mode; zero means 0600.
// It replaces a socket whose server no longer runs.
func Unix(path string, mode fs.FileMode) (net.Listener, error) {
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
		path = "./" + path // net would make an abstract socket, which has no permissions
	}
	if len(path) > maxUnixPath {
		return nil, fmt.Errorf("the path has %d bytes; a socket path may have at most %d", len(path), maxUnixPath)
	}
	// Otherwise, of two servers that start at the same time and find a stale file, the second
	// could remove the new file of the first.
	defer lockDir(filepath.Dir(path))()
	if err := removeStale(path); err != nil {
		return nil, err
	}
	inner, err := bindUnix(path, mode)
	if err != nil {
		return nil, err
	}
	inner.SetUnlinkOnClose(false) // it would remove the file of another server, too
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

// bindUnix creates a socket file whose permissions never exceed mode.
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

// removeStale removes a socket at path on which no server listens. It returns an error if
// another file is there.
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
	case errors.Is(err, syscall.EAGAIN): // the backlog is full
		return errInUse
	case errors.Is(err, errRefused):
		return os.Remove(path)
	}
	return err
}

var errInUse = fmt.Errorf("%w by a running server", syscall.EADDRINUSE)

// Close also removes the file, unless it has been replaced. Calls after the first return the
// same error.
func (l *unixListener) Close() error { return l.close() }

// removeAndClose removes the file before it closes the socket: while the socket is open, no
// other server considers the file stale, and its inode is not reused.
func (l *unixListener) removeAndClose() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}
