//go:build unix

package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/listen"
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

// echoes checks that a server with the child cat answers on the socket at path.
func echoes(t testing.TB, path string) {
	t.Helper()
	c := wspipetest.Dial(t, "ws://localhost/", throughUnix(t, path))
	c.Send("x")
	c.Expect("x")
	c.Close(1000, "")
}

// serveUnix serves cat at path only.
func serveUnix(t *testing.T, path string, cfg server.Config) *testServer {
	t.Helper()
	cfg.UnixSocket, cfg.Addresses, cfg.Endpoint.Child = path, []string{}, sh(`exec cat`)
	return serve(t, cfg)
}

// listenError returns the error of a server that must not start.
func listenError(t *testing.T, cfg server.Config) error {
	t.Helper()
	srv, err := server.Listen(cfg)
	if err == nil {
		srv.Close()
		t.Fatal("it listens")
	}
	return err
}

func TestEachAddressOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Sockets: listen.Sockets{Addresses: []string{"127.0.0.1", "[::1]", "::1", "localhost", "::ffff:127.0.0.1"}}})
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
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}})
	port := s.Addr().(*net.TCPAddr).Port
	// The first of the two is free, and must be free again afterwards.
	err := listenError(t, server.Config{Sockets: listen.Sockets{Addresses: []string{"::1", "127.0.0.1"}, Port: port}})
	if want := fmt.Sprintf("listen on 127.0.0.1:%d: address already in use", port); err.Error() != want || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %q, want %q", err, want)
	}
	free, err := server.Listen(server.Config{Sockets: listen.Sockets{Addresses: []string{"::1"}, Port: port}})
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
}

// TestUnixSocket alone, beside TCP, and with --once: the server removes it at its end.
func TestUnixSocket(t *testing.T) {
	for name, cfg := range map[string]server.Config{
		"alone": {Sockets: listen.Sockets{Addresses: []string{}}}, "once": {Once: true, Sockets: listen.Sockets{Addresses: []string{}}}, "beside TCP": {},
	} {
		path := filepath.Join(t.TempDir(), "s")
		cfg.UnixSocket, cfg.Endpoint.Child = path, sh(`exec cat`)
		s := serve(t, cfg)
		if urls := s.URLs(); urls[len(urls)-1] != "unix:"+path || (len(urls) == 1) != (cfg.Addresses != nil) {
			t.Errorf("%s: the URLs are %s", name, urls)
		}
		if name == "beside TCP" {
			c := dial(t, s.ws)
			c.Send("x")
			c.Expect("x")
		}
		err := listenError(t, server.Config{Sockets: listen.Sockets{UnixSocket: path}})
		if want := "listen on " + path + ": address already in use by a running server"; err.Error() != want || !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: got %q, want %q", name, err, want)
		}
		echoes(t, path)
		if name != "once" {
			s.stop()
		}
		s.expectStatus(t, 0)
		if wspipetest.Exists(t, path) {
			t.Errorf("%s: the file is still there", name)
		}
	}
}

func TestAnotherServersUnixSocketStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := serveUnix(t, path, server.Config{})
	if err := os.Remove(path); err != nil { // another program removes it
		t.Fatal(err)
	}
	serveUnix(t, path, server.Config{})
	first.stop()
	<-first.status
	echoes(t, path)
}

// TestNotify is not parallel because it changes the environment.
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(wspipetest.Patience))
	t.Setenv("NOTIFY_SOCKET", path)
	next := func() string {
		t.Helper()
		p := make([]byte, 1000)
		n, err := conn.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		return string(p[:n])
	}
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}})
	if got := next(); got != "READY=1" {
		t.Errorf("at the start: %q", got)
	}
	s.Reload()
	got := next()
	var usec int64
	if n, _ := fmt.Sscanf(got, "RELOADING=1\nMONOTONIC_USEC=%d\n", &usec); n != 1 || usec <= 0 {
		t.Errorf("when it reloads: %q", got)
	}
	if got := next(); got != "READY=1" {
		t.Errorf("when it has reloaded: %q", got)
	}
	s.stop()
	if got := next(); got != "STOPPING=1" {
		t.Errorf("at the end: %q", got)
	}
	<-s.status
}
