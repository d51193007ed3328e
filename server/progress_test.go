//go:build unix

package server

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"wspipe/bridge/wire"
	"wspipe/server/listen"
)

// Requests and responses whose client makes no progress.

// TestHandshakeWithBody: it is refused at once, before it takes a slot.
func TestHandshakeWithBody(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Endpoint: Endpoint{Child: sh(`exec cat`)}, MaxChildren: 1, Timeouts: Timeouts{Body: time.Hour}})
	for _, field := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
		c := connect(t, s)
		c.send(opening("/", "Host: "+hostOfURL(t, s.ws), field))
		if resp := c.answer("GET"); resp.StatusCode != 400 || !resp.Close {
			t.Errorf("%s: got %s, close %t", field, resp.Status, resp.Close)
		}
		if _, err := io.Copy(io.Discard, c.r); err != nil { // in an hour, if it waited for the body
			t.Errorf("%s: %v instead of the end", field, err)
		}
		c = connect(t, s)
		c.send(opening("/", "Host: "+hostOfURL(t, s.ws), "Content-Length: 0"))
		if resp := c.answer("GET"); resp.StatusCode != 101 {
			t.Errorf("%s: then one without a body got %s", field, resp.Status)
		}
		c.Close()
		eventually(t, "the slot is free", s.noSlots)
	}
}

// TestMissingBody ends every kind of request.
func TestMissingBody(t *testing.T) {
	t.Parallel()
	s, redirect := serveRedirect(t, Config{
		CGIDir: tree(t, map[string]string{
			"early": "#!/bin/sh\n" + textHeader + `echo begun; exec cat`, "late": "#!/bin/sh\ncat >/dev/null; " + textHeader, "deaf": "#!/bin/sh\nsleep 1000",
		}),
		StaticDir: tree(t, map[string]string{"file": "text"}), Console: true, Timeouts: Timeouts{Body: 200 * time.Millisecond}, MaxChildren: 1,
	})
	for path, status := range map[string]int{"early": 200, "late": 408, "deaf": 408, "file": 405, "none": 405, ".wspipe/console/console.js": 405, "redirect": 308} {
		for kind, field := range map[string]string{"small": "Content-Length: 5\r\n\r\nbo", "large": "Content-Length: 100000\r\n\r\nbo", "chunked": "Transfer-Encoding: chunked\r\n\r\n5\r\nbo"} {
			want := status
			if kind == "small" && path == "early" { // read before the program starts
				want = 408
			}
			to := s.listeners.Serving[0].Addr().String()
			if path == "redirect" {
				to = redirect
			}
			conn, err := net.Dial("tcp", to)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			fmt.Fprintf(conn, "POST /%s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s", path, field)
			text, err := io.ReadAll(conn)
			if got := fmt.Sprintf("HTTP/1.1 %d ", want); !strings.HasPrefix(string(text), got) || isTimeout(err) {
				t.Errorf("%s, %s: got %.60q, %v", path, kind, text, err)
			}
			if want == 200 && bytes.HasSuffix(text, []byte("0\r\n\r\n")) {
				t.Errorf("%s, %s: the response looks complete: %q", path, kind, text)
			}
			awaitFree(t, s)
		}
	}
}

// deadlineWriter is an http.ResponseWriter with the read deadline of a net.Conn.
type deadlineWriter struct {
	http.ResponseWriter
	net.Conn
}

func (w deadlineWriter) Write(p []byte) (int, error)       { return w.ResponseWriter.Write(p) }
func (w deadlineWriter) SetReadDeadline(t time.Time) error { return w.Conn.SetReadDeadline(t) }

// TestSlowBody: it may take as long as it needs while some of it arrives.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{smallBody, 10 * smallBody, -1} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			w := deadlineWriter{httptest.NewRecorder(), near}
			sent := make(chan bool)
			go func() { // ends with the body
				defer close(sent)
				for range 100 {
					<-time.After(9 * time.Second)
					far.Write([]byte("x"))
				}
				if size != smallBody {
					<-time.After(11 * time.Second) // too late
				}
				far.Write(make([]byte, smallBody-100))
				far.Close()
			}()
			start := time.Now()
			body, why := newRequestBody(w, &http.Request{ContentLength: size, Body: near}, 10*time.Second)
			if why != nil {
				t.Fatalf("of %d bytes: %s after %v", size, why.Why, time.Since(start))
			}
			text, err := io.ReadAll(body)
			want := smallBody
			if size != smallBody {
				want = 100
			}
			if len(text) != want || isTimeout(err) != (size != smallBody) || (body.failure() == bodyTimedOut) != isTimeout(err) {
				t.Errorf("of %d bytes: %d, %v", size, len(text), err)
			}
			near.Close()
			<-sent
		})
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
				cfg := Config{
					CGIDir: tree(t, map[string]string{"run": "#!/bin/sh\n" + textHeader + `exec yes`}), Console: name == "console", Timeouts: Timeouts{Unread: time.Second},
					StaticDir: tree(t, map[string]string{"file": strings.Repeat("x", 20<<20), "small": strings.Repeat("x", 900_000)}),
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
					to = s.listeners.Serving[0].Addr().String()
				}
				if test.smallBuffer {
					limitSendBuffer(t, s.listeners.Serving[0].(*net.TCPListener))
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
				eventually(t, "the connection has been reset", func() bool { return wire.HungUp(conn) })
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
	conn.SetDeadline(time.Now().Add(patience))
	conn.(*net.TCPConn).SetReadBuffer(4096)
	return conn
}

// limitSendBuffer makes the kernel hold little for the connections of l: they inherit
// its send buffer.
func limitSendBuffer(t *testing.T, l *net.TCPListener) {
	t.Helper()
	raw, err := l.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4096) })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestSlowResponse: it may take as long as it needs while the client takes some of it.
func TestSlowResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := &httpConn{Conn: near, timeout: 30 * time.Second}
		c.limit()
		<-time.After(time.Hour) // nothing to take yet
		go func() {             // ends after the last read
			for range 10 {
				<-time.After(25 * time.Second)
				io.ReadFull(far, make([]byte, 1000))
			}
		}()
		start := time.Now()
		for {
			if _, err := c.write(func() (int64, error) { n, err := near.Write(make([]byte, 1000)); return int64(n), err }); err != nil {
				break
			}
		}
		if took := time.Since(start); took < 10*25*time.Second+29*time.Second || took > 10*25*time.Second+32*time.Second {
			t.Errorf("reset after %v, want 10 times 25 s and 30 s", took)
		}
		c.end()
		far.Close()
	})
}

// TestUnreadResponseHoldsItsSlot, though its program has ended.
func TestUnreadResponseHoldsItsSlot(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, Config{MaxChildren: 1, Timeouts: Timeouts{Unread: time.Hour}}, map[string]string{"run": textHeader + `echo $$; head -c 900000 /dev/zero`})
	for _, version := range []string{"1.1", "1.0"} {
		c := connect(t, s)
		c.SetReadBuffer(4096)
		c.send("GET /run HTTP/" + version + "\r\nHost: 127.0.0.1\r\n\r\n")
		awaitGone(t, firstPid(t, c))
		if resp, body := get(t, s.http("run")); resp.StatusCode != 429 {
			t.Errorf("HTTP/%s: another client got %s %.20q", version, resp.Status, body)
		}
		reset(c.TCPConn)
		awaitFree(t, s)
	}
}
