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

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/access"
	"wspipe/server/listen"
)

// freePort returns a TCP port of 127.0.0.1 that was free.
func freePort(t *testing.T) (hostPort string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serveRedirect serves cfg with a redirecting port and returns its address.
func serveRedirect(t *testing.T, cfg server.Config) (s *testServer, hostPort string) {
	t.Helper()
	cfg.Endpoint.Child = sh(`exec cat`)
	for try := 1; ; try++ {
		_, port, err := net.SplitHostPort(freePort(t))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Sscan(port, &cfg.RedirectPort)
		probe, err := server.Listen(cfg) // another process may have taken the port
		if err == nil {
			probe.Close()
			return serve(t, cfg), net.JoinHostPort("127.0.0.1", port)
		}
		if try == 10 || !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
}

// askAt sends a request, in which LF stands for CRLF, to a TCP port.
func askAt(t *testing.T, hostPort, request string) (*http.Response, string) {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", hostPort)
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, addr, strings.ReplaceAll(request, "\n", "\r\n"))
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	cert, key := ca.issue(t, t.TempDir(), "server", "127.0.0.1")
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			cfg := server.Config{Sockets: listen.Sockets{Addresses: []string{"127.0.0.1", "::1"}}}
			if scheme == "https" {
				cfg.TLS = &listen.TLS{Cert: cert, Key: key}
			}
			s, hostPort := serveRedirect(t, cfg)
			port := fmt.Sprint(s.Addr().(*net.TCPAddr).Port)
			for _, test := range []struct{ request, host, want string }{ // want without scheme and port; empty is a 400
				{"GET /", "example.com", "example.com/"},
				{"HEAD /", "example.com", "example.com/"},
				{"POST /", "example.com", "example.com/"},
				{"PUT /x", "example.com", "example.com/x"},
				{"GET /", "example.com:80", "example.com/"},
				{"GET /", "example.com:", "example.com/"},
				{"GET /", "Example.COM.:8080", "Example.COM./"},
				{"GET /", "my_pi.local", "my_pi.local/"},
				{"GET /", "127.0.0.1:8080", "127.0.0.1/"},
				{"GET /", "[::1]:8080", "[::1]/"},
				{"GET /", "[2001:db8::1]", "[2001:db8::1]/"},
				{"GET /", "[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]/"},
				{"GET /a/b.sh/rest?x=1&y=%20+&&z", "h", "h/a/b.sh/rest?x=1&y=%20+&&z"},
				{"GET /a/../b/./c//d?", "h", "h/a/../b/./c//d?"},
				{"GET /%2e%2E/%2f?%3f=%26", "h", "h/%2e%2E/%2f?%3f=%26"},
				{"GET /?access_token=kept&a=b", "h", "h/?access_token=kept&a=b"}, // this server has no tokens
				{"GET //evil.example/x", "h", "h//evil.example/x"},
				{"GET /\\evil.example/x", "h", "h/\\evil.example/x"},
				{"GET /@evil.example", "h", "h/@evil.example"},
				{"GET /\xc3\xa4?\xff", "h", "h/\xc3\xa4?\xff"},
				{"GET http://other.example:81/x?y", "h", "other.example/x?y"}, // RFC 9112, section 3.2.2
				{"GET http://other.example?y", "h", "other.example/?y"},
				{"GET http://other.example", "h", "other.example/"},
				{"GET *", "h", "h/"},
				{"CONNECT h:443", "h:443", "h/"},
				{"GET /", "", ""},
				{"GET /", "a b", ""},
				{"GET /", "user@example.com", ""},
				{"GET /", "example.com/path", ""},
				{"GET /", "example.com?x", ""},
				{"GET /", "example.com#x", ""},
				{"GET /", "example.com\\x", ""},
				{"GET /", "example.com:http", ""},
				{"GET /", "example.com:65536", ""},
				{"GET /", "example.com:8080:1", ""},
				{"GET /", ":8080", ""},
				{"GET /", "-x", ""},
				{"GET /", "::1", ""},
				{"GET /", "[::1", ""},
				{"GET /", "[::1]x", ""},
				{"GET /", "[1.2.3.4]", ""},
				{"GET /", "[]", ""},
				{"GET /", "b\xc3\xbccher.example", ""},
				{"GET /", "%65xample.com", ""},
				{"GET /", "<script>", ""},
			} {
				resp, body := askAt(t, hostPort, test.request+" HTTP/1.1\nHost: "+test.host+"\nContent-Length: 0\nConnection: close\n\n")
				checkRedirect(t, test.request+" at "+test.host, test.want, scheme, port, resp, body)
			}
			resp, body := askAt(t, hostPort, "GET / HTTP/1.0\n\n")
			checkRedirect(t, "no Host", "", scheme, port, resp, body)
			resp, body = askAt(t, strings.Replace(hostPort, "127.0.0.1", "[::1]", 1), "GET /6 HTTP/1.1\nHost: [::1]:80\nConnection: close\n\n")
			checkRedirect(t, "over IPv6", "[::1]/6", scheme, port, resp, body)
		})
	}
}

// checkRedirect checks a response. want is the Location without scheme and port, or empty for a 400.
func checkRedirect(t *testing.T, what, want, scheme, port string, resp *http.Response, body string) {
	t.Helper()
	location := resp.Header.Get("Location")
	method, _, _ := strings.Cut(what, " ")
	status := http.StatusPermanentRedirect
	if method == "GET" || method == "HEAD" || method == "over" {
		status = http.StatusMovedPermanently
	}
	if want == "" {
		if resp.StatusCode != http.StatusBadRequest || location != "" || !strings.Contains(body, "Host") && !strings.Contains(body, "host") {
			t.Errorf("%s: got %d to %q, %q", what, resp.StatusCode, location, body)
		}
		return
	}
	i := strings.IndexByte(want, '/')
	want = scheme + "://" + want[:i] + ":" + port + want[i:]
	if resp.StatusCode != status || location != want {
		t.Errorf("%s: got %d to %q, want %d to %q", what, resp.StatusCode, location, status, want)
	}
	if method != "HEAD" && !strings.Contains(body, want) {
		t.Errorf("%s: the body is %q", what, body)
	}
}

func TestRedirectHeadersAndLog(t *testing.T) {
	t.Parallel()
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, hostPort := serveRedirect(t, server.Config{
		Headers:     []server.Header{{"X-All", "1"}, {"X-All", "2"}},
		HeadersHTTP: []server.Header{{"X-HTTP", "3"}},
		HeadersWS:   []server.Header{{"X-WS", "4"}},
		Rules:       access.Rules{Auth: access.Auth{TokenFile: tokens}},
	})
	for _, test := range []struct {
		host   string
		status int
	}{{"h", 308}, {"a b", 400}} {
		resp, body := askAt(t, hostPort, "POST /path?access_token=secret HTTP/1.1\nHost: "+test.host+"\nContent-Length: 0\nConnection: close\n\n")
		if test.status == 308 { // net/http responds to the other
			if got := fmt.Sprint(resp.Header["X-All"], resp.Header["X-Http"], resp.Header["X-Ws"]); got != "[1 2] [3] []" {
				t.Errorf("%d has the headers %s", resp.StatusCode, got)
			}
		}
		if resp.StatusCode != test.status || strings.Contains(body+fmt.Sprint(resp.Header), "secret") {
			t.Errorf("got %d %v %s", resp.StatusCode, resp.Header, body)
		}
	}
	s.log.Await(t, `"msg":"request","method":"POST","path":"/path","status":308,"remote":"127.0.0.1:`, 1)
	if strings.Contains(s.log.String(), "secret") {
		t.Error("the token is in the log")
	}
}

func TestRedirectPortInUse(t *testing.T) {
	t.Parallel()
	_, hostPort := serveRedirect(t, server.Config{})
	var port int
	fmt.Sscan(hostPort[strings.IndexByte(hostPort, ':')+1:], &port)
	err := listenError(t, server.Config{Sockets: listen.Sockets{Addresses: []string{"127.0.0.1"}, RedirectPort: port}})
	if want := "listen on " + hostPort + ": address already in use"; err.Error() != want || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestRedirectNeedsAnAddress(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	err := listenError(t, server.Config{Sockets: listen.Sockets{UnixSocket: path, RedirectPort: 8081}})
	if want := "redirect from port 8081: this server does not listen on TCP"; err.Error() != want || wspipetest.Exists(t, path) {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestRedirectStopsWithTheListeners(t *testing.T) {
	t.Parallel()
	s, hostPort := serveRedirect(t, server.Config{Once: true})
	askAt(t, hostPort, "GET / HTTP/1.1\nHost: h\nConnection: close\n\n")
	c := dial(t, s.ws)
	c.Send("x")
	c.Expect("x")
	ctx, cancel := context.WithTimeout(t.Context(), wspipetest.Patience)
	defer cancel()
	if conn, err := new(net.Dialer).DialContext(ctx, "tcp", hostPort); err == nil {
		conn.Close()
		t.Error("it redirects to where nobody listens any more")
	}
	c.Close(1000, "")
	<-s.status
}
