//go:build unix

package server_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
)

// serveDownload serves a file that is larger than all buffers, and returns a connection on which its
// download has begun. timeout is that of the shutdown.
func serveDownload(t *testing.T, timeout time.Duration) (s *testServer, c *wspipetest.Raw, file []byte) {
	t.Helper()
	file = bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // more than all kernel buffers
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	s = serve(t, server.Config{StaticDir: dir, Timeouts: server.Timeouts{Shutdown: timeout, Unread: time.Hour}})
	c = wspipetest.Connect(t, s.Addr())
	c.TCP().SetReadBuffer(64 << 10)
	c.Send("GET /file HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	return s, c, file
}

// A download in progress is finished, and idle connections do not delay the shutdown.
func TestShutdownFinishesDownloads(t *testing.T) {
	t.Parallel()
	s, c, file := serveDownload(t, time.Hour)
	resp := c.Response("GET")
	idle := wspipetest.Connect(t, s.Addr())
	idle.Send("GET /none HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	idle.Whole("GET")
	wspipetest.Connect(t, s.Addr())
	wspipetest.Connect(t, s.Addr()).Send("GET / HT")
	s.stop()
	s.log.Await(t, `"stopping"`, 1)
	if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, file) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	s.expectStatus(t, 0) // it does not wait for connections without a request
}

// A client that does not read is disconnected after a while.
func TestShutdownAbortsDownloads(t *testing.T) {
	t.Parallel()
	s, c, file := serveDownload(t, 100*time.Millisecond)
	resp := c.Response("GET")
	s.stop()
	s.expectStatus(t, 0)
	if got, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("got all %d bytes of %d", len(got), len(file))
	}
}

// TestShutdown: a client that does not answer the close frame, children that ignore signals, those
// that linger, and sessions without a client do not keep the server from its end.
func TestShutdown(t *testing.T) {
	for kind, cfg := range allKinds(`trap '' INT TERM HUP; echo ready; while :; do sleep 1000; done`) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			cfg.Timeouts.Shutdown, cfg.Endpoint.Linger = 200*time.Millisecond, -1
			s := serve(t, cfg)
			dial(t, s.session(newID(), -1)).CloseNow()
			s.log.Await(t, `"disconnect"`, 1)
			c := wspipetest.DialRaw(t, s.session(newID(), -1)) // never answers the close frame
			s.log.Await(t, `"connect"`, 2)
			s.stop()
			if code, reason := c.Closed(); code != 1001 || reason != "server shutting down" {
				t.Errorf("closed with %d %q", code, reason)
			}
			s.expectStatus(t, 0)
			for _, r := range s.records(t, "connect") {
				if pid := int(r["pid"].(float64)); syscall.Kill(-pid, 0) == nil {
					t.Errorf("process group %d outlives the server", pid)
				}
			}
		})
	}
}
