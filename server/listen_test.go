//go:build unix

package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// What changes the umask is not parallel: it is the process's.

// throughUnix returns options for a WebSocket through the socket at path.
func throughUnix(t testing.TB, path string) *websocket.DialOptions {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}}
}

// echoes checks that a server with the child cat answers through the socket at path.
func echoes(t testing.TB, path string) {
	t.Helper()
	c := wspipetest.Dial(t, "ws://localhost/", throughUnix(t, path))
	c.Send("x")
	c.Expect("x")
	c.Close(1000, "")
}

// serveUnix serves cat at path alone.
func serveUnix(t *testing.T, path string, cfg Config) *testServer {
	t.Helper()
	cfg.UnixSocket, cfg.Addresses, cfg.Child = path, []string{}, sh(`exec cat`)
	return serve(t, cfg)
}

// listenError returns the error of a server that must not start.
func listenError(t *testing.T, cfg Config) error {
	t.Helper()
	srv, err := Listen(cfg)
	if err == nil {
		srv.stopListening()
		t.Fatal("it listens")
	}
	return err
}

// leaveSocket leaves a socket at path that nobody answers on.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestEachAddressOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Child: sh(`exec cat`), Addresses: []string{"127.0.0.1", "[::1]", "::1", "localhost", "::ffff:127.0.0.1"}})
	urls := s.URLs()
	port := urls[0][strings.LastIndexByte(urls[0], ':'):]
	want := fmt.Sprintf("[ws://127.0.0.1%s ws://[::1]%s]", port, port)
	if got := fmt.Sprint(urls); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	for _, url := range urls {
		c := dial(t, url)
		c.Send(url)
		c.Expect(url)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Child: sh(`exec cat`)})
	port := s.sockets.serving[0].Addr().(*net.TCPAddr).Port
	// The first of the two is free, and must be again afterwards.
	err := listenError(t, Config{Addresses: []string{"::1", "127.0.0.1"}, Port: port})
	if want := fmt.Sprintf("listen on 127.0.0.1:%d: address already in use", port); err.Error() != want || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %q, want %q", err, want)
	}
	free, err := Listen(Config{Addresses: []string{"::1"}, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	free.stopListening()
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := serveUnix(t, path, Config{})
	if urls := fmt.Sprint(s.URLs()); urls != "[unix:"+path+"]" { // and no TCP
		t.Errorf("the URLs are %s", urls)
	}
	echoes(t, path)
	s.stop()
	if status := <-s.status; status != 0 || exists(t, path) {
		t.Errorf("status %d, and the file is there: %t", status, exists(t, path))
	}
}

func TestUnixSocketBesideTCP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := serve(t, Config{Child: sh(`exec cat`), UnixSocket: path})
	c := dial(t, s.ws)
	c.Send("x")
	c.Expect("x")
	echoes(t, path)
}

func TestUnixSocketInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	serveUnix(t, path, Config{})
	err := listenError(t, Config{UnixSocket: path})
	if want := "listen on " + path + ": address already in use by a running server"; err.Error() != want || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %q, want %q", err, want)
	}
	echoes(t, path)
}

// A server with so many clients in its queue that none fits in is running, too.
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
	if err := listenError(t, Config{UnixSocket: path}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}

func TestStaleUnixSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	leaveSocket(t, path)
	serveUnix(t, path, Config{})
	echoes(t, path)
}

// TestOneOfManyTakesAStaleUnixSocket: all find it stale, and none may remove
// what another has made of it.
func TestOneOfManyTakesAStaleUnixSocket(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "s")
		leaveSocket(t, path)
		listeners := make(chan net.Listener, 10)
		var starting sync.WaitGroup
		for range cap(listeners) {
			starting.Go(func() {
				switch l, err := listenUnix(path, 0); {
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

func TestOtherFilesAreNotTouched(t *testing.T) {
	dir := t.TempDir()
	file, link, target := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "target")
	if err := errors.Join(os.WriteFile(file, []byte("precious"), 0o640), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	leaveSocket(t, target) // stale, but what stands at the path is a link
	for _, path := range []string{file, link, dir} {
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		err = listenError(t, Config{UnixSocket: path})
		if want := "listen on " + path + ": the file exists and is not a socket"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		after, err := os.Lstat(path)
		if err != nil || !os.SameFile(before, after) || before.Mode() != after.Mode() || !before.ModTime().Equal(after.ModTime()) {
			t.Errorf("%s has changed: %v", path, err)
		}
	}
	// A socket of another kind may be somebody's.
	other := filepath.Join(dir, "datagram")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: other, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := listenError(t, Config{UnixSocket: other}); !errors.Is(err, syscall.EPROTOTYPE) || !exists(t, other) {
		t.Errorf("got %v", err)
	}
}

func TestUnixSocketMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	defer syscall.Umask(syscall.Umask(0))
	for _, umask := range []int{0, 0o022, 0o777} {
		for mode, want := range map[fs.FileMode]fs.FileMode{0: 0o600, 0o600: 0o600, 0o660: 0o660, 0o666: 0o666, 0o200: 0o200, 0o777: 0o777} {
			syscall.Umask(umask)
			srv, err := Listen(Config{UnixSocket: path, UnixSocketMode: mode})
			if err != nil {
				t.Fatal(err)
			}
			if got := modeOf(t, path); got != want {
				t.Errorf("umask %o, mode %o: got %o", umask, mode, got)
			}
			srv.stopListening()
			if now := syscall.Umask(umask); now != umask {
				t.Errorf("the umask has become %o", now)
			}
		}
	}
}

// Nobody else may connect between bind and chmod.
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

func TestOnceRemovesItsUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := serveUnix(t, path, Config{Once: true})
	echoes(t, path)
	if status := <-s.status; status != 0 || exists(t, path) {
		t.Errorf("status %d, and the file is there: %t", status, exists(t, path))
	}
}

func TestAnotherServersUnixSocketStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := serveUnix(t, path, Config{})
	if err := os.Remove(path); err != nil { // somebody tidies up
		t.Fatal(err)
	}
	serveUnix(t, path, Config{})
	first.stop()
	<-first.status
	echoes(t, path)
}

// A listener may be closed more than once, and the inode of its file may be
// another's by then.
func TestUnixSocketIsRemovedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := listenUnix(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	leaveSocket(t, path)
	if l.(*unixListener).file, err = os.Lstat(path); err != nil { // as if the inode were the same
		t.Fatal(err)
	}
	l.Close()
	if !exists(t, path) {
		t.Error("the second Close removed another's file")
	}
}

func TestUnixSocketThatCannotBe(t *testing.T) {
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
		if err := listenError(t, Config{UnixSocket: path}); err.Error() != "listen on "+path+": "+cause {
			t.Errorf("got %q, want the cause %q", err, cause)
		}
	}
	longest := long[:maxUnixPath]
	serveUnix(t, longest, Config{})
	echoes(t, longest)
}

// net takes @name for a name without a file, which anybody may connect to.
func TestUnixSocketCalledAt(t *testing.T) {
	t.Chdir(t.TempDir())
	serveUnix(t, "@s", Config{})
	if got := modeOf(t, "@s"); got != 0o600 {
		t.Errorf("mode %o", got)
	}
	echoes(t, "./@s")
}
