//go:build unix

package wspipetest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// httpConn is one connection to the public port of a server.
type httpConn struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func dialHTTP(t *testing.T, s *wspipetest.Server) *httpConn {
	t.Helper()
	_, address, _ := strings.Cut(strings.TrimSuffix(s.WS, "/"), "://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(wspipetest.Lifetime))
	return &httpConn{conn, t, bufio.NewReader(conn)}
}

// request sends the first line of a request, with headers behind it, and returns the answer.
func (c *httpConn) request(line, headers string) (status int, body string) {
	c.t.Helper()
	host := "Host: localhost\r\n"
	if strings.HasPrefix(headers, "Host:") {
		host = ""
	}
	fmt.Fprintf(c, "%s HTTP/1.1\r\n%s%s\r\n", line, host, headers)
	method, _, _ := strings.Cut(line, " ")
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	return resp.StatusCode, string(text)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--health=/healthz", "--basic-auth=u:p", "--staticdir="+t.TempDir(), "cat")
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, test := range []struct {
		line, headers string
		status        int
		body          string
	}{
		{"GET /healthz", "Host: evil.example.com\r\n", 200, "ok"},
		{"HEAD /healthz", "", 200, ""},
		{"GET /healthz?a=b", "Origin: https://evil.example.com\r\n", 200, "ok"},
		{"GET /healthz", "Authorization: Basic eDp5\r\n", 200, "ok"},
		{"POST /healthz", "", 401, "*"},
		{"GET /healthz/", "", 401, "*"},
		{"GET /Healthz", "", 401, "*"},
		{"GET /", "", 401, "*"},
		{"GET /healthz", upgrade, 401, "*"},
	} {
		status, body := dialHTTP(t, s).request(test.line, test.headers)
		if status != test.status || test.body != "*" && body != test.body {
			t.Errorf("%s: %d %q, want %d %q", test.line, status, body, test.status, test.body)
		}
	}
	c := wspipetest.Dial(t, s.WS+"healthz", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Basic dTpw"}}})
	c.Send("a WebSocket")
	c.Expect("a WebSocket")
	off := wspipetest.Start(t, "--staticdir="+t.TempDir())
	if status, _ := dialHTTP(t, off).request("GET /healthz", ""); status != 404 {
		t.Errorf("without --health: %d", status)
	}
}

// TestHealthDuringShutdown has a child that the server waits for, longer than for clients: one
// does not answer the close frame until the server drops it.
func TestHealthDuringShutdown(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--health=/healthz", "--share=broadcast", "--replay=1", "--closems=-1", "sh", "-c", "trap '' INT TERM; echo $$; exec sleep 1000")
	health, mute := dialHTTP(t, s), dialHTTP(t, s)
	fmt.Fprintf(mute, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	pid := readPid(t, dial(t, s.WS))
	if status, body := health.request("GET /healthz", ""); status != 200 {
		t.Fatalf("%d %q", status, body)
	}
	s.Signal(syscall.SIGTERM)
	s.AwaitStderr("msg=stopping")
	until(t, "the server shuts down", func() bool {
		status, _ := health.request("GET /healthz", "")
		return status == 503
	})
	io.Copy(io.Discard, mute)
	for range 3 {
		if status, body := health.request("HEAD /healthz", ""); status != 503 {
			t.Errorf("while a child runs: %d %q", status, body)
		}
	}
	syscall.Kill(pid, syscall.SIGKILL)
	s.Wait()
}
