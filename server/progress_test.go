//go:build unix

package server_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/listen"
)

// Requests and responses whose client makes no progress.

// TestHandshakeWithBody: it is refused at once, before it takes a slot.
func TestHandshakeWithBody(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, MaxChildren: 1, Timeouts: server.Timeouts{Body: time.Hour}})
	for _, field := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
		c := wspipetest.Connect(t, s.Addr())
		c.Send(opening("/", "Host: "+hostOfURL(t, s.ws), field))
		if resp := c.Response("GET"); resp.StatusCode != 400 || !resp.Close {
			t.Errorf("%s: got %s, close %t", field, resp.Status, resp.Close)
		}
		if _, err := io.Copy(io.Discard, c.In); err != nil { // in an hour, if it waited for the body
			t.Errorf("%s: %v instead of the end", field, err)
		}
		c = wspipetest.Connect(t, s.Addr())
		c.Send(opening("/", "Host: "+hostOfURL(t, s.ws), "Content-Length: 0"))
		if resp := c.Response("GET"); resp.StatusCode != 101 {
			t.Errorf("%s: then one without a body got %s", field, resp.Status)
		}
		c.Close()
		wspipetest.Eventually(t, "the slot is free", s.noSlots)
	}
}

// TestMissingBody ends every kind of request.
func TestMissingBody(t *testing.T) {
	t.Parallel()
	s, redirect := serveRedirect(t, server.Config{
		CGIDir: wspipetest.Tree(t, map[string]string{
			"early": "#!/bin/sh\n" + textHeader + `echo begun; exec cat`, "late": "#!/bin/sh\ncat >/dev/null; " + textHeader, "deaf": "#!/bin/sh\nsleep 1000",
		}),
		StaticDir: wspipetest.Tree(t, map[string]string{"file": "text"}), Console: true, Timeouts: server.Timeouts{Body: 50 * time.Millisecond}, MaxChildren: 1,
	})
	for path, status := range map[string]int{"early": 200, "late": 408, "deaf": 408, "file": 405, "none": 405, ".wspipe/console/console.js": 405, "redirect": 308} {
		for kind, field := range map[string]string{"small": "Content-Length: 5\r\n\r\nbo", "large": "Content-Length: 100000\r\n\r\nbo", "chunked": "Transfer-Encoding: chunked\r\n\r\n5\r\nbo"} {
			want := status
			if kind == "small" && path == "early" { // read before the program starts
				want = 408
			}
			to := s.Addr().String()
			if path == "redirect" {
				to = redirect
			}
			conn, err := net.Dial("tcp", to)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(wspipetest.Patience))
			fmt.Fprintf(conn, "POST /%s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s", path, field)
			text, err := io.ReadAll(conn)
			if got := fmt.Sprintf("HTTP/1.1 %d ", want); !strings.HasPrefix(string(text), got) || wspipetest.IsTimeout(err) {
				t.Errorf("%s, %s: got %.60q, %v", path, kind, text, err)
			}
			if want == 200 && bytes.HasSuffix(text, []byte("0\r\n\r\n")) {
				t.Errorf("%s, %s: the response looks complete: %q", path, kind, text)
			}
			awaitFree(t, s)
		}
	}
}

const host = "\r\nHost: 127.0.0.1\r\n\r\n"

// unreadRequests are sent count times by a client that reads nothing. With a small send
// buffer the kernel holds less of a response than net/http does.
var unreadRequests = map[string]struct {
	request     string
	count       int
	smallBuffer bool
}{
	"file":               {"GET /file HTTP/1.1" + host, 1, false},
	"file, closed":       {"GET /small HTTP/1.1\r\nConnection: close" + host, 1, false},
	"program":            {"GET /run HTTP/1.1" + host, 1, false},
	"program, HTTP/1.0":  {"GET /run HTTP/1.0" + host, 1, false},
	"errors":             {"GET /none HTTP/1.1" + host, 1 << 20, false},
	"errors, few unsent": {"GET /none HTTP/1.1" + host, 1 << 20, true},
	"console":            {"GET /.wspipe/console/console.js HTTP/1.1" + host, 1 << 20, false},
	"redirects":          {"GET / HTTP/1.1" + host, 1 << 20, false},
}

// TestUnreadResponse ends its connection, and the kernel drops what it holds of it.
func TestUnreadResponse(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	cert, key := ca.issue(t, t.TempDir(), "server", "127.0.0.1")
	for name, test := range unreadRequests {
		for _, scheme := range []string{"http", "https"} {
			if scheme == "https" && (test.smallBuffer || name == "redirects") {
				continue
			}
			t.Run(name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				cfg := server.Config{
					CGIDir: wspipetest.Tree(t, map[string]string{"run": "#!/bin/sh\n" + textHeader + `exec yes`}), Console: name == "console", Timeouts: server.Timeouts{Unread: 300 * time.Millisecond},
					StaticDir: wspipetest.Tree(t, map[string]string{"file": strings.Repeat("x", 20<<20), "small": strings.Repeat("x", 900_000)}),
				}
				if scheme == "https" {
					cfg.TLS = &listen.TLS{Cert: cert, Key: key}
				}
				var s *testServer
				var to string
				if name == "redirects" {
					s, to = serveRedirect(t, cfg)
				} else {
					s = serve(t, cfg)
					to = s.Addr().String()
				}
				if test.smallBuffer {
					s.LimitSendBuffer()
				}
				conn := dialUnread(t, to)
				stream := conn
				if scheme == "https" {
					stream = tls.Client(conn, ca.client(t))
				}
				for range test.count {
					if _, err := io.WriteString(stream, test.request); err != nil {
						break
					}
				}
				wspipetest.Eventually(t, "the connection has been reset", func() bool { return wire.HungUp(conn) })
				if n, err := io.Copy(io.Discard, conn); n >= 900_000 {
					t.Errorf("then it still got %d bytes, and %v", n, err)
				}
				awaitFree(t, s)
			})
		}
	}
}

// dialUnread connects to a server for a client that reads nothing.
func dialUnread(t *testing.T, hostPort string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", hostPort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(wspipetest.Patience))
	conn.(*net.TCPConn).SetReadBuffer(4096)
	return conn
}

// TestUnreadResponseHoldsItsSlot, though its program has ended.
func TestUnreadResponseHoldsItsSlot(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{MaxChildren: 1, Timeouts: server.Timeouts{Unread: time.Hour}}, map[string]string{"run": textHeader + `echo $$; head -c 900000 /dev/zero`})
	for _, version := range []string{"1.1", "1.0"} {
		c := wspipetest.Connect(t, s.Addr())
		c.TCP().SetReadBuffer(4096)
		c.Send("GET /run HTTP/" + version + "\r\nHost: 127.0.0.1\r\n\r\n")
		awaitGone(t, firstPid(t, c))
		if resp, body := get(t, s.http("run")); resp.StatusCode != 429 {
			t.Errorf("HTTP/%s: another client got %s %.20q", version, resp.Status, body)
		}
		c.Reset()
		awaitFree(t, s)
	}
}
