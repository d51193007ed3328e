//go:build unix

package server_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
)

// TestHTTPAdmission: a plain client passes the checks of a WebSocket before anything
// starts.
func TestHTTPAdmission(t *testing.T) {
	busy := own("exec sleep 1000")
	busy.MaxChildren = 1
	perIP := withHTTP(shared("exec sleep 1000"))
	perIP.MaxPerIP = 1
	secret := own("echo $REMOTE_USER")
	secret.Auth.Basic = "user:pass"
	listed := own("echo a")
	listed.Origins = []string{"https://pages.example"}
	for name, test := range map[string]struct {
		cfg     server.Config
		clients int // that are there already
		header  string
		status  int
		body    string
	}{
		"a password":       {secret, 0, "Authorization: Basic dXNlcjpwYXNz", 200, "user\n"},
		"a foreign origin": {own("echo a"), 0, "Origin: https://pages.example", 403, "--origin=https://pages.example"},
		"a listed origin":  {listed, 0, "Origin: https://pages.example", 200, "a\n"},
		"a foreign page":   {own("echo a"), 0, "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: cors", 403, "--origin"},
		"a followed link":  {own("echo a"), 0, "Sec-Fetch-Site: cross-site\nSec-Fetch-Dest: document", 200, "a\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.cfg)
			for range test.clients {
				other := dial(t, s.ws)
				s.log.Await(t, `"msg":"connect"`, 1)
				defer other.CloseNow()
			}
			r := s.request(t, "GET", "", "", strings.Split(test.header, "\n")...)
			if r.StatusCode != test.status || !strings.Contains(r.body, test.body) {
				t.Errorf("%d %q", r.StatusCode, r.body)
			}
			origin, _ := strings.CutPrefix(test.header, "Origin: ")
			if got := r.Header.Get("Access-Control-Allow-Origin"); test.status == 200 && name == "a listed origin" && got != origin {
				t.Errorf("a page may not read it: %q", got)
			}
			if test.status != 200 && test.clients == 0 && strings.Contains(s.log.String(), `"msg":"connect"`) {
				t.Error("a child was started")
			}
		})
	}
}

// TestHTTPSlotIsFree: once a plain client has gone, another may come.
func TestHTTPSlotIsFree(t *testing.T) {
	t.Parallel()
	cfg := own("echo a; cat")
	cfg.MaxChildren, cfg.MaxPerIP = 1, 1
	s := serve(t, cfg)
	for i := range 3 {
		if r := s.request(t, "POST", "", "b\n"); r.body != "a\nb\n" {
			t.Fatalf("%d: %d %q", i, r.StatusCode, r.body)
		}
		s.log.Await(t, `"msg":"disconnect"`, i+1)
		wspipetest.Eventually(t, "the slot is free", s.noSlots)
	}
}

// TestHTTPUnread: once its child has ended, a client that does not read is disconnected.
func TestHTTPUnread(t *testing.T) {
	t.Parallel()
	cfg := own("head -c 20000000 /dev/zero | tr '\\0' x & exec sleep 0.1")
	cfg.Timeouts.Unread = 300 * time.Millisecond
	s := serve(t, cfg)
	resp := s.begin(t, "GET", "", nil)
	s.log.Await(t, `"reason":"output not read"`, 1)
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || n == 20_000_001 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestHTTPOverTLS: the same, behind TLS.
func TestHTTPOverTLS(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	s := serveTLS(t, ca, "cat; exit 3", own(""))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, DisableKeepAlives: true}}
	resp, err := client.Post(strings.Replace(s.ws, "wss", "https", 1), "text/plain", strings.NewReader(strings.Repeat("a line\n", 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	if r := readReply(t, resp); len(r.body) != 700_000 || r.exit() != "exit 3" || r.cut {
		t.Errorf("%d bytes, %q", len(r.body), r.exit())
	}
}

// TestHTTPBadBody: the child of a request with a body that is cut off, or no body at all,
// gets what came before, and is stopped.
func TestHTTPBadBody(t *testing.T) {
	for name, test := range map[string]struct{ body, status, code string }{
		"no chunk":        {"3\r\nab\n\r\nzz\r\n", "400 Bad Request", `"code":1002`},
		"a chunk cut off": {"30\r\nab\n", "", `"code":1006`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, own(`cat >&2; exec sleep 1000`))
			conn, err := net.Dial("tcp", strings.Trim(s.ws, "ws:/"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%s", test.body)
			s.log.Await(t, `"line":"ab"`, 1)
			if test.status == "" {
				conn.(*net.TCPConn).CloseWrite()
			} else if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.Status != test.status {
				t.Error(resp, err)
			}
			conn.Close()
			s.log.Await(t, test.code, 1)
		})
	}
}

// TestBrokenBody: a body that is malformed or cut off is no input that is complete.
func TestBrokenBody(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*testServer{
		"run":       serveCGI(t, server.Config{}, map[string]string{"run": textHeader + "cat; echo done"}),
		"broadcast": serve(t, withHTTP(shared("cat"))),
		"mux":       serve(t, withHTTP(server.Config{Endpoint: server.Endpoint{Child: sh("cat"), Share: server.ShareMux}})),
	} {
		for _, rest := range []string{"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nab", "Content-Length: 5\r\n\r\nab", "Content-Length: 50000\r\n\r\nab"} {
			c := wspipetest.Connect(t, s.Addr())
			c.Send("POST /run HTTP/1.1\r\nHost: 127.0.0.1\r\n" + rest)
			c.TCP().CloseWrite()
			if resp, body := c.Whole("POST"); resp.StatusCode != 400 || body != "wspipe: malformed or incomplete request body\n" {
				t.Errorf("%s: %q: got %d %q", name, rest, resp.StatusCode, body)
			}
		}
	}
}
