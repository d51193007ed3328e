//go:build unix

package server_test

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/access"
)

// plain returns a request with these header lines, the first of which is Host.
func plain(method, path string, header ...string) string {
	return method + " " + path + " HTTP/1.1\r\n" + strings.Join(header, "\r\n") + "\r\nConnection: close\r\n\r\n"
}

// opening returns an opening handshake with these header lines.
func opening(path string, header ...string) string {
	return "GET " + path + " HTTP/1.1\r\n" + strings.Join(header, "\r\n") + "\r\n" + wspipetest.OpeningFields + "\r\n"
}

// TestDNSRebinding: if a foreign name resolves to the server, a browser considers the server to be of
// the page's origin, and lets the page read its responses.
func TestDNSRebinding(t *testing.T) {
	t.Parallel()
	files := t.TempDir()
	wspipetest.WriteFile(t, filepath.Join(files, "f.txt"), "a file")
	const host, origin, same = "Host: evil.example:8080", "Origin: http://evil.example:8080", "Sec-Fetch-Site: same-origin"
	requests := map[string]int{
		opening("/", host, origin):                                        101,
		plain("GET", "/run.sh", host, origin):                             200,
		plain("GET", "/run.sh", host, same):                               200,
		plain("GET", "/run.sh", host):                                     200,
		plain("POST", "/run.sh", host, origin, same):                      200,
		plain("GET", "/f.txt", host, origin):                              200,
		plain("GET", "/f.txt", host, same):                                200,
		plain("HEAD", "/f.txt", host):                                     200,
		plain("GET", "/", host):                                           200,
		plain("GET", "/.wspipe/console/console.js", host, same):           200,
		plain("GET", "/.wspipe/console/no.js", host):                      404,
		plain("DELETE", "/.wspipe/console/no.js", host, origin):           405,
		plain("GET", "/f.txt", "Host: evil.example", same):                200,
		opening("/", "Host: evil.example", "Origin: http://evil.example"): 101,
	}
	refusing, willing := serveGate(t, gateFlags{}, files), serveGate(t, gateFlags{host: "evil.example"}, files)
	for request, status := range requests {
		resp, body := ask(t, refusing.Addr(), request)
		if resp.StatusCode != 403 || !strings.HasSuffix(body, " with --host=evil.example\n") && !strings.HasPrefix(request, "HEAD") {
			t.Errorf("got %d %q, want 403\n%s", resp.StatusCode, body, request)
		}
		if resp, body := ask(t, willing.Addr(), request); resp.StatusCode != status {
			t.Errorf("with --host: got %d %q, want %d\n%s", resp.StatusCode, body, status, request)
		}
	}
	if text, err := os.ReadFile(refusing.started); !os.IsNotExist(err) {
		t.Errorf("programs were started: %q %v", text, err)
	}
}

func TestBehindAProxyWithTLS(t *testing.T) {
	t.Parallel()
	trusted := access.TrustedProxies{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	const host, origin, proto = "Host: app.example", "Origin: https://app.example", "X-Forwarded-Proto: https"
	for name, test := range map[string]struct {
		cfg     server.Config
		request string
		status  int
		body    string // the end of the response, or of the first message
	}{
		"all as it should be": {server.Config{Rules: access.Rules{TrustedProxies: trusted, Hosts: []string{"app.example"}}}, opening("/", host, origin, proto), 101, "on 443"},
		"a port":              {server.Config{Rules: access.Rules{TrustedProxies: trusted, Hosts: []string{"app.example"}}}, opening("/", host+":8443", origin+":8443", proto), 101, "on 8443"},
		"unknown name":        {server.Config{Rules: access.Rules{TrustedProxies: trusted}}, opening("/", host, origin, proto), 403, "--host=app.example\n"},
		"no scheme told":      {server.Config{Rules: access.Rules{TrustedProxies: trusted, Hosts: []string{"app.example"}}}, opening("/", host, origin), 403, "--origin=https://app.example\n"},
		"page without TLS":    {server.Config{Rules: access.Rules{TrustedProxies: trusted, Hosts: []string{"app.example"}}}, opening("/", host, "Origin: http://app.example", proto), 403, "--origin=http://app.example\n"},
		"untrusted proxy":     {server.Config{Rules: access.Rules{Hosts: []string{"app.example"}}}, opening("/", host, origin, proto), 403, "--origin=https://app.example\n"},
	} {
		test.cfg.Endpoint.Child = sh(`echo $HTTPS $SERVER_PORT`)
		resp, body := ask(t, serve(t, test.cfg).Addr(), test.request)
		if resp.StatusCode != test.status || !strings.HasSuffix(body, test.body) {
			t.Errorf("%s: got %d %q, want %d %q", name, resp.StatusCode, body, test.status, test.body)
		}
	}
}

// serveHeld returns a server with a program that responds and runs until its input ends.
func serveHeld(t *testing.T, cfg server.Config) *testServer {
	t.Helper()
	cfg.CGIDir, cfg.Console = t.TempDir(), true
	wspipetest.WriteFile(t, filepath.Join(cfg.CGIDir, "hold.sh"), "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nheld\\n'; exec cat\n")
	cfg.Endpoint.Child = sh(`echo in; exec cat`)
	return serve(t, cfg)
}

// send sends a request and returns the header of the response, and the connection.
func send(t *testing.T, to net.Addr, request string) (*http.Response, net.Conn) {
	t.Helper()
	conn, err := net.Dial(to.Network(), to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(wspipetest.Patience))
	return sendOn(t, conn, request), conn
}

func sendOn(t *testing.T, conn net.Conn, request string) *http.Response {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestBrowsersWithoutSecFetchSite: over plain HTTP to a name that is not loopback, only Referer names
// the page that makes the request.
func TestBrowsersWithoutSecFetchSite(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Rules: access.Rules{Hosts: []string{"us.example"}, Origins: []string{"http://listed.example:3000"}}}, map[string]string{"run": textHeader + `echo ran`})
	const browser, foreign = "User-Agent: Mozilla/5.0 (X11)", "Referer: http://evil.example/us.example:8080/"
	for _, test := range []struct {
		method, host string
		header       []string
		status       int
		flag         string
	}{
		{"GET", "us.example:8080", []string{browser}, 403, "--origin='*'"},
		{"GET", "us.example:8080", []string{"Accept-Language: en-US,en;q=0.9"}, 403, "--origin='*'"},
		{"HEAD", "us.example:8080", []string{browser}, 403, ""},
		{"POST", "us.example:8080", []string{browser, "Content-Length: 0"}, 403, "--origin='*'"},
		{"GET", "192.0.2.7", []string{browser}, 403, "--origin='*'"},
		{"GET", "us.example:8080", []string{browser, foreign}, 403, "--origin=http://evil.example"},
		{"GET", "us.example:8080", []string{browser, "Referer: http://us.example/"}, 403, "--origin=http://us.example"},
		{"GET", "us.example:8080", []string{browser, "Referer: https://us.example:8080/"}, 403, "--origin=https://us.example:8080"},
		{"GET", "us.example:8080", []string{browser, "Referer: http://us.example:8080@evil.example/"}, 403, "--origin=http://evil.example"},
		{"GET", "us.example:8080", []string{browser, "Referer: us.example:8080"}, 403, "--origin='*'"},
		{"GET", "us.example:8080", []string{browser, "Referer: about:blank"}, 403, "--origin='*'"},
		{"GET", "us.example:8080", []string{browser, "Referer: http://us.example:8080/page?q"}, 200, ""},
		{"GET", "us.example", []string{browser, "Referer: http://US.example:80/"}, 200, ""},
		{"GET", "us.example", []string{browser, "Referer: http://listed.example:3000/a"}, 200, ""},
		{"GET", "us.example", []string{browser, "Sec-Fetch-Site: none"}, 200, ""},
		{"GET", "us.example", []string{browser, "Sec-Fetch-Site: none", "Sec-Purpose: prefetch;anonymous-client-ip"}, 403, "--origin='*'"},
		{"GET", "us.example", []string{browser, "Sec-Fetch-Site: same-origin", "Sec-Purpose: prefetch"}, 200, ""},
		{"GET", "us.example", []string{browser, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: document"}, 200, ""},
		{"GET", "us.example", []string{browser, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: iframe"}, 403, "--origin='*'"},
		{"GET", "localhost:8080", []string{browser}, 200, ""},
		{"GET", "us.example:8080", []string{"User-Agent: curl/8.5.0"}, 200, ""},
		{"GET", "us.example:8080", []string{"User-Agent: curl/8.5.0", foreign}, 200, ""},
		{"GET", "us.example:8080", []string{"User-Agent: node", "Accept-Language: *"}, 200, ""},
		{"GET", "us.example:8080", nil, 200, ""},
	} {
		request := plain(test.method, "/run", append(test.header, "Host: "+test.host)...)
		if resp, body := ask(t, s.Addr(), request); resp.StatusCode != test.status || !strings.Contains(body, test.flag) {
			t.Errorf("got %d %q, want %d and %s\n%s", resp.StatusCode, body, test.status, test.flag, request)
		}
	}
	// A WebSocket without Origin is not a browser's.
	if resp, _ := send(t, s.Addr(), opening("/", "Host: us.example", browser)); resp.StatusCode != 101 {
		t.Errorf("a WebSocket: got %d", resp.StatusCode)
	}
}

// TestLimitsAreForAllPrograms: also for those of --cgidir, and only for programs.
func TestLimitsAreForAllPrograms(t *testing.T) {
	t.Parallel()
	const held = "POST /hold.sh HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" // the body never arrives
	for flag, cfg := range map[string]server.Config{"--maxforks": {MaxChildren: 1}, "--max-per-ip": {MaxPerIP: 1}} {
		for _, holding := range []string{held, opening("/", "Host: localhost")} {
			s := serveHeld(t, cfg)
			to := s.Addr()
			_, holder := send(t, to, holding)
			for _, request := range []string{opening("/", "Host: localhost"), plain("GET", "/hold.sh", "Host: localhost")} {
				resp, body := ask(t, to, request)
				want := "wspipe: too many children (" + flag + "); to allow it, start wspipe with a larger " + flag + "\n"
				if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" || body != want {
					t.Errorf("got %d, Retry-After %q, %q", resp.StatusCode, resp.Header.Get("Retry-After"), body)
				}
			}
			if resp, _ := ask(t, to, plain("GET", "/", "Host: localhost")); resp.StatusCode != 200 || resp.Header.Get("Retry-After") != "" {
				t.Errorf("the console: got %d, want 200", resp.StatusCode)
			}
			holder.Close()
			for end := time.Now().Add(wspipetest.Patience); ; <-time.After(time.Millisecond) { // the end of a process group is not reported
				resp, _ := ask(t, to, opening("/", "Host: localhost"))
				if resp.StatusCode == 101 {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("the slot does not come free: %d", resp.StatusCode)
				}
			}
		}
	}
}

// TestMaxPerIPBehindAProxy: the address is the one that a trusted proxy reports. Headers of other
// clients are ignored.
func TestMaxPerIPBehindAProxy(t *testing.T) {
	t.Parallel()
	trusted := access.TrustedProxies{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	from := func(value string) *websocket.DialOptions {
		return &websocket.DialOptions{HTTPHeader: http.Header{"X-Forwarded-For": {value}}}
	}
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo $REMOTE_ADDR; exec cat`)}, MaxPerIP: 1, Rules: access.Rules{TrustedProxies: trusted}})
	for _, addr := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1"} {
		wspipetest.Dial(t, s.ws, from(addr)).Expect(addr)
	}
	for _, value := range []string{"192.0.2.1", "203.0.113.9, 192.0.2.1", "192.0.2.1:4711", "::ffff:192.0.2.1", "2001:DB8:0::1"} {
		if resp, body := refused(t, s.ws, from(value)); resp.StatusCode != 429 || !strings.Contains(body, "--max-per-ip") {
			t.Errorf("%s: got %d %q, want 429", value, resp.StatusCode, body)
		}
	}
	s = serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo $REMOTE_ADDR; exec cat`)}, MaxPerIP: 1})
	wspipetest.Dial(t, s.ws, from("192.0.2.1")).Expect("127.0.0.1")
	if resp, _ := refused(t, s.ws, from("192.0.2.2")); resp.StatusCode != 429 {
		t.Errorf("got %d, want 429", resp.StatusCode)
	}
}

// TestOrderOfRules: the refusal names the first rule that a request breaks. Without credentials a
// client learns nothing, not even which paths exist.
func TestOrderOfRules(t *testing.T) {
	t.Parallel()
	s := serveHeld(t, server.Config{MaxChildren: 1, Rules: access.Rules{Auth: access.Auth{Basic: "user:pass"}}, Endpoint: server.Endpoint{Subprotocols: []string{"known"}}})
	to := s.Addr()
	const ours, foreign, evil = "Host: localhost", "Host: evil.example", "Origin: http://evil.example"
	login := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user:pass"))
	wrong := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user:past"))
	if resp, _ := send(t, to, opening("/", ours, login)); resp.StatusCode != 101 { // takes the slot
		t.Fatalf("got %d, want 101", resp.StatusCode)
	}
	for _, test := range []struct {
		request string
		status  int
		body    string
	}{
		{opening("/", foreign, evil+":1"), 403, "not a name of this server, and the page's origin"},
		{opening("/", foreign, evil+":1", login), 403, "not a name of this server, and the page's origin"},
		{opening("/", foreign, evil), 403, "--host=evil.example\n"},
		{opening("/", ours, evil, wrong), 403, "--origin=http://evil.example\n"},
		{plain("POST", "/hold.sh", ours, evil), 403, "--origin=http://evil.example\n"},
		{plain("GET", "/", foreign), 403, "--host=evil.example\n"},
		{opening("/", ours), 401, "no credentials"},
		{opening("/", ours, wrong, "Sec-WebSocket-Protocol: unknown"), 401, "wrong credentials"},
		{plain("GET", "/hold.sh", ours), 401, "no credentials"},
		{plain("GET", "/", ours), 401, "no credentials"},
		{plain("GET", "/.wspipe/console/none", ours), 401, "no credentials"},
		{plain("DELETE", "/", ours), 401, "no credentials"},
		{opening("/", ours, login, "Sec-WebSocket-Protocol: unknown, too"), 400, "this server supports: v1.wspipe, v5.channel.k8s.io, v4.channel.k8s.io, known\n"},
		{opening("/", ours, login), 429, "--maxforks"},
		{plain("GET", "/hold.sh", ours, login), 429, "--maxforks"},
		{plain("GET", "/", ours, login), 200, "<html"},
		{plain("GET", "/.wspipe/console/none", ours, login), 404, "no such file"},
	} {
		resp, body := ask(t, to, test.request)
		if resp.StatusCode != test.status || !strings.Contains(body, test.body) {
			t.Errorf("got %d %q, want %d %q\n%s", resp.StatusCode, body, test.status, test.body, test.request)
		}
		if challenge, retry := resp.Header.Get("WWW-Authenticate"), resp.Header.Get("Retry-After"); (challenge != "") != (test.status == 401) || (retry != "") != (test.status == 429) {
			t.Errorf("got challenge %q, Retry-After %q\n%s", challenge, retry, test.request)
		}
	}
	s.log.Await(t, `"msg":"connect"`, 1)
	if n := strings.Count(s.log.String(), `"msg":"connect"`); n != 1 {
		t.Errorf("%d children were started, want 1", n)
	}
}

// TestOnceRefusesTheSecond: a connection that was open before can still make requests, and is refused
// another WebSocket. Failed connections do not count.
func TestOnceRefusesTheSecond(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo in; exec cat`)}, Once: true, Console: true})
	const page = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	resp, early := send(t, s.Addr(), page)
	io.Copy(io.Discard, resp.Body)
	for _, malformed := range []http.Header{{"Sec-Websocket-Version": {"8"}}, {"Sec-Websocket-Key": {"short"}}} {
		if resp := handshake(t, s.ws, malformed); resp.StatusCode != 400 {
			t.Fatalf("got %d, want 400", resp.StatusCode)
		}
	}
	c := dial(t, s.ws)
	c.Expect("in")
	resp = sendOn(t, early, page)
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != 200 {
		t.Errorf("the console: got %d, want 200", resp.StatusCode)
	}
	resp = sendOn(t, early, opening("/", "Host: localhost"))
	body, _ := io.ReadAll(resp.Body)
	if want := "wspipe: this server accepts a single connection (--once), and it is in use\n"; resp.StatusCode != 503 || string(body) != want {
		t.Errorf("got %d %q, want 503 %q", resp.StatusCode, body, want)
	}
	c.Close(1000, "")
	<-s.status
}

func TestNoWebSocketHere(t *testing.T) {
	t.Parallel()
	files, programs := t.TempDir(), t.TempDir()
	wspipetest.WriteFile(t, filepath.Join(files, "f.txt"), "a file")
	wspipetest.WriteFile(t, filepath.Join(programs, "run.sh"), "#!/bin/sh\necho in\n")
	wspipetest.WriteFile(t, filepath.Join(programs, "data"), "not a program")
	for _, test := range []struct {
		cfg   server.Config
		paths []string
	}{
		{server.Config{StaticDir: files}, []string{"/", "/f.txt", "/none"}},
		{server.Config{CGIDir: programs, Console: true}, []string{"/", "/run.sh"}},
		{server.Config{Dir: programs}, []string{"/", "/none.sh", "/none/run.sh", "/data", "/../run.sh", "/run.sh%2f"}},
	} {
		s := serve(t, test.cfg)
		for _, path := range test.paths {
			resp, body := ask(t, s.Addr(), opening(path, "Host: localhost"))
			if resp.StatusCode != 404 || body != "wspipe: no WebSocket endpoint at this path\n" {
				t.Errorf("%s: got %d %q, want 404", path, resp.StatusCode, body)
			}
		}
		s.log.Await(t, `"refused":"no WebSocket endpoint at this path"`, len(test.paths))
		if strings.Contains(s.log.String(), `"msg":"connect"`) {
			t.Error("a child was started")
		}
	}
}
