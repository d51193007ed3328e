//go:build unix

package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"wspipe/cmd/wspipetest"
)

// Tests that change the umask are not parallel, because it is the process's.

// open opens the sockets of cfg until the end of the test.
func open(t *testing.T, cfg Sockets) *Listeners {
	t.Helper()
	l, err := Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// openError returns the error of sockets that cannot be opened.
func openError(t *testing.T, cfg Sockets) error {
	t.Helper()
	l, err := Open(cfg, slog.New(slog.DiscardHandler))
	if err == nil {
		l.Close()
		t.Fatal("it listens")
	}
	return err
}

// answers checks that a connection to the socket at path succeeds.
func answers(t *testing.T, path string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// leaveSocket creates a socket at path on which no server listens.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

// A server whose backlog is full is running, too.
func TestUnixSocketWithAFullQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if c, err := net.Dial("unix", path); err == nil {
			defer c.Close()
		}
	}
	if err := openError(t, Sockets{UnixSocket: path}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}

func TestStaleUnixSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	leaveSocket(t, path)
	open(t, Sockets{UnixSocket: path})
	answers(t, path)
}

// TestStaleUnixSocketIsReplacedOnce: all find the socket stale, and none may remove the new socket
// of another.
func TestStaleUnixSocketIsReplacedOnce(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "s")
		leaveSocket(t, path)
		listeners := make(chan net.Listener, 10)
		var starting sync.WaitGroup
		for range cap(listeners) {
			starting.Go(func() {
				switch l, err := Unix(path, 0); {
				case err == nil:
					listeners <- l
				case !errors.Is(err, syscall.EADDRINUSE):
					t.Error(err)
				}
			})
		}
		starting.Wait()
		if len(listeners) != 1 {
			t.Errorf("%d servers listen", len(listeners))
		}
		for range len(listeners) {
			(<-listeners).Close()
		}
	}
}

func TestOtherFilesAreKept(t *testing.T) {
	dir := t.TempDir()
	file, link, target := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "target")
	if err := errors.Join(os.WriteFile(file, []byte("precious"), 0o640), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	leaveSocket(t, target) // stale, but the path is a link
	for _, path := range []string{file, link, dir} {
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		err = openError(t, Sockets{UnixSocket: path})
		if want := "listen on " + path + ": the file exists and is not a socket"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		after, err := os.Lstat(path)
		if err != nil || !os.SameFile(before, after) || before.Mode() != after.Mode() || !before.ModTime().Equal(after.ModTime()) {
			t.Errorf("%s has changed: %v", path, err)
		}
	}
	// A socket of another kind may be in use.
	other := filepath.Join(dir, "datagram")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: other, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := openError(t, Sockets{UnixSocket: other}); !errors.Is(err, syscall.EPROTOTYPE) || !wspipetest.Exists(t, other) {
		t.Errorf("got %v", err)
	}
}

func TestUnixSocketMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	defer syscall.Umask(syscall.Umask(0))
	for _, umask := range []int{0, 0o022, 0o777} {
		for mode, want := range map[fs.FileMode]fs.FileMode{0: 0o600, 0o600: 0o600, 0o660: 0o660, 0o666: 0o666, 0o200: 0o200, 0o777: 0o777} {
			syscall.Umask(umask)
			l := open(t, Sockets{UnixSocket: path, UnixSocketMode: mode})
			if got := modeOf(t, path); got != want {
				t.Errorf("umask %o, mode %o: got %o", umask, mode, got)
			}
			l.Close()
			if now := syscall.Umask(umask); now != umask {
				t.Errorf("the umask has become %o", now)
			}
		}
	}
}

// No other user can connect between bind and chmod.
func TestUnixSocketIsPrivateFromTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	defer syscall.Umask(syscall.Umask(0))
	l, err := bindUnix(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := modeOf(t, path); got&0o177 != 0 {
		t.Errorf("bind made it with mode %o", got)
	}
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// A listener may be closed more than once, and another file may have the inode of its file then.
func TestUnixSocketIsRemovedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Unix(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	leaveSocket(t, path)
	if l.(*unixListener).file, err = os.Lstat(path); err != nil { // as if the inode had been reused
		t.Fatal(err)
	}
	l.Close()
	if !wspipetest.Exists(t, path) {
		t.Error("the second Close removed another's file")
	}
}

func TestUnixSocketErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing, below := filepath.Join(dir, "no", "s"), filepath.Join(file, "s")
	long := filepath.Join(os.TempDir(), strings.Repeat("x", maxUnixPath))[:maxUnixPath+1]
	for path, cause := range map[string]string{
		missing: "no such file or directory",
		below:   "not a directory",
		long:    fmt.Sprintf("the path has %d bytes; a socket path may have at most %d", maxUnixPath+1, maxUnixPath),
	} {
		if err := openError(t, Sockets{UnixSocket: path}); err.Error() != "listen on "+path+": "+cause {
			t.Errorf("got %q, want the cause %q", err, cause)
		}
	}
	longest := long[:maxUnixPath]
	open(t, Sockets{UnixSocket: longest})
	answers(t, longest)
}

// net uses @name for an abstract socket, which has no permissions.
func TestUnixSocketNamedAt(t *testing.T) {
	t.Chdir(t.TempDir())
	open(t, Sockets{UnixSocket: "@s"})
	if got := modeOf(t, "@s"); got != 0o600 {
		t.Errorf("mode %o", got)
	}
	answers(t, "./@s")
}
