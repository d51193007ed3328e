//go:build unix

package server

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// serveDownload serves a file that is larger than all buffers, and returns a connection on which its
// download has begun.
func serveDownload(t *testing.T) (s *testServer, c *plainConn, file []byte) {
	t.Helper()
	file = bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // more than all kernel buffers
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	s = serve(t, Config{StaticDir: dir})
	c = connect(t, s)
	c.SetReadBuffer(64 << 10)
	c.send("GET /file HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	return s, c, file
}

// A download in progress is finished, and idle connections do not delay the shutdown.
func TestShutdownFinishesDownloads(t *testing.T) {
	t.Parallel()
	wspipetest.Soon(t, shutdownTimeout-time.Second, func() time.Duration {
		s, c, file := serveDownload(t)
		resp := c.answer("GET")
		idle := connect(t, s)
		idle.send("GET /none HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		idle.whole("GET")
		connect(t, s)
		connect(t, s).send("GET / HT")
		s.stop()
		s.log.await(t, `"stopping"`, 1)
		if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, file) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		read := time.Now()
		<-s.status // must not wait for connections without a request
		return time.Since(read)
	})
}

// A client that does not read is disconnected after a while.
func TestShutdownAbortsDownloads(t *testing.T) {
	t.Parallel()
	s, c, file := serveDownload(t)
	resp := c.answer("GET")
	s.stop()
	select {
	case <-s.status:
	case <-time.After(patience):
		t.Fatal("the server does not stop")
	}
	if got, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("got all %d bytes of %d", len(got), len(file))
	}
}
