//go:build unix

package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/access"
	"wspipe/server/listen"

	"github.com/coder/websocket"
)

func TestEnvironment(t *testing.T) {
	t.Setenv("WSPIPE_TEST_PASSED", "yes")
	t.Setenv("WSPIPE_TEST_SECRET", "no")
	s := serve(t, server.Config{
		Endpoint: server.Endpoint{Child: sh(`env`),
			PassEnv: []string{"PATH", "WSPIPE_TEST_PASSED", "WSPIPE_TEST_UNSET"},
			SetEnv:  []string{"MORE=a=b", "SERVER_NAME=overridden"}},
		Software: "wspipe/test",
	})
	header := http.Header{
		"X-Two": {"a", "b"}, "Proxy": {"http://evil.example"}, "X_under": {"spoof"}, "Cookie": {"k=v"},
		"X-Tab": {"a\tb"},
	}
	c := wspipetest.Dial(t, s.ws+"a/b%20c/d?x=1&y=%41", &websocket.DialOptions{HTTPHeader: header})
	got := map[string]string{}
	for _, line := range c.ExpectEnd(1000, "exit 0") {
		name, value, _ := strings.Cut(line, "=")
		got[name] = value
	}
	host, port, _ := strings.Cut(strings.Trim(strings.TrimPrefix(s.ws, "ws://"), "/"), ":")
	for name, want := range map[string]string{
		"PATH": os.Getenv("PATH"), "WSPIPE_TEST_PASSED": "yes", "MORE": "a=b",
		"SERVER_SOFTWARE": "wspipe/test", "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
		"SERVER_NAME": "overridden", "SERVER_PORT": port, "REQUEST_METHOD": "GET",
		"SCRIPT_NAME": "/", "PATH_INFO": "/a/b c/d", "PATH_TRANSLATED": "/a/b c/d",
		"QUERY_STRING": "x=1&y=%41", "REQUEST_URI": "/a/b%20c/d?x=1&y=%41",
		"REMOTE_ADDR": "127.0.0.1", "REMOTE_HOST": "127.0.0.1", "REMOTE_USER": "", "AUTH_TYPE": "",
		"HTTP_HOST": host + ":" + port, "HTTP_X_TWO": "a, b", "HTTP_COOKIE": "k=v", "HTTP_UPGRADE": "websocket",
		"HTTP_X_TAB": "a\tb",
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s=%q, want %q", name, value, want)
		}
	}
	for _, name := range []string{"WSPIPE_TEST_SECRET", "WSPIPE_TEST_UNSET", "HTTP_PROXY", "HTTP_X_UNDER", "HTTPS", "WEBSOCKET_PROTOCOL"} {
		if value, ok := got[name]; ok {
			t.Errorf("%s=%q must not be there", name, value)
		}
	}
	if id := got["UNIQUE_ID"]; len(id) != 32 {
		t.Errorf("UNIQUE_ID=%q, want 128 bits", id)
	}
	if port := got["REMOTE_PORT"]; port == "" {
		t.Error("no REMOTE_PORT")
	}
}

// TestHostIsAHost: SERVER_NAME and SERVER_PORT are valid, because a child may pass them to a shell.
func TestHostIsAHost(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Rules: access.Rules{Origins: []string{"*"}}}, map[string]string{"run": textHeader + `printf '%s %s' "$SERVER_NAME" "$SERVER_PORT"`})
	for host, want := range map[string]string{
		"localhost": "localhost 80", "LOCALHOST.:8080": "localhost 8080", "localhost:": "localhost 80", "[::1]": "[::1] 80", "[::1]:90": "[::1] 90", "": " 80",
		"127.0.0.1:65535": "127.0.0.1 65535", "my_host-1.example:1": "my_host-1.example 1",
	} {
		if resp, body := ask(t, s.Addr(), plain("GET", "/run", "Host: "+host)); resp.StatusCode != 200 || body != want {
			t.Errorf("Host: %s: got %d %q, want %q", host, resp.StatusCode, body, want)
		}
	}
	for _, host := range []string{"localhost:$(id)", "localhost:80x", "localhost:65536", "localhost:-1", "$(id)", "local'host", "a,b", "::1", "[::1]$(id)", "[::1%$(id)]", "[localhost]", "-rf"} {
		for _, request := range []string{plain("GET", "/run", "Host: "+host), plain("GET", "/", "Host: "+host), opening("/", "Host: "+host)} {
			if resp, body := ask(t, s.Addr(), request); resp.StatusCode != 400 || !strings.Contains(body, "Host") {
				t.Errorf("Host: %s: got %d %q, want 400", host, resp.StatusCode, body)
			}
		}
	}
}

func TestEnvironmentValuesAreOneLine(t *testing.T) {
	t.Parallel()
	// A header cannot contain these, but a decoded path can.
	c := dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`printf '[%s]\n' "$PATH_INFO"`)}}).ws+"a%0d%0aEVIL=1%00b")
	c.Expect("[/a  EVIL=1 b]")
}

// TestPlainRequests: a page starts no child, and without the console there is none.
func TestPlainRequests(t *testing.T) {
	t.Parallel()
	cfg := server.Config{Endpoint: server.Endpoint{Child: sh(`echo started >&2`)}}
	bare := serve(t, cfg)
	cfg.Console = true
	console := serve(t, cfg)
	for _, path := range []string{"", "any/path?x=1", "any/index.html"} {
		if resp, body := get(t, bare.http(path)); resp.StatusCode != 404 || !strings.Contains(body, "--devconsole") {
			t.Errorf("/%s: got %d %q, want 404 and a hint", path, resp.StatusCode, body)
		}
		if resp, body := get(t, console.http(path)); resp.StatusCode != 200 || !strings.Contains(body, "<html") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			t.Errorf("/%s: got %d %s", path, resp.StatusCode, resp.Header)
		}
	}
	if strings.Contains(bare.log.String()+console.log.String(), "started") {
		t.Error("a plain request started a child")
	}
}

// TestBadHandshakes start nothing and take no slot, whatever the kind of child.
func TestBadHandshakes(t *testing.T) {
	t.Parallel()
	for kind, cfg := range allKinds(`exec cat >/dev/null`) {
		cfg.MaxChildren, cfg.Endpoint.Linger = 1, -1
		s := serve(t, cfg)
		for name, more := range map[string]http.Header{
			"version": {"Sec-Websocket-Version": {"8"}}, "no key": {"Sec-Websocket-Key": nil}, "bad key": {"Sec-Websocket-Key": {"short"}},
		} {
			if resp := handshake(t, s.session(newID(), 0), more); resp.StatusCode != 400 {
				t.Errorf("%s, %s: got %d, want 400", kind, name, resp.StatusCode)
			}
		}
		if resp := handshake(t, s.ws, http.Header{"X-Long": {strings.Repeat("x", 1<<20)}}); resp.StatusCode != 431 {
			t.Errorf("%s: a long header: got %d, want 431", kind, resp.StatusCode)
		}
		wspipetest.Eventually(t, kind+": nothing is taken", func() bool { return s.Usage() == server.Usage{} })
		if strings.Contains(s.log.String(), `"pid"`) {
			t.Errorf("%s: a refused handshake started a child", kind)
		}
		wspipetest.DialRaw(t, s.session(newID(), 0))
	}
}

// TestProxyRemovedTheUpgrade: a handshake behind a proxy that is not configured for WebSockets. RFC
// 9110, section 15.5.22: a 426 has Upgrade.
func TestProxyRemovedTheUpgrade(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo started >&2`)}, Console: true})
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
	for name, request := range map[string]string{
		"no Upgrade":             plain("GET", "/", "Host: localhost", key),
		"no Connection":          plain("GET", "/", "Host: localhost", key, "Upgrade: websocket"),
		"a file":                 plain("GET", "/.wspipe/client.js", "Host: localhost", key),
		"HTTP/1.0":               strings.Replace(opening("/", "Host: localhost"), "HTTP/1.1", "HTTP/1.0", 1),
		"Upgrade of another one": plain("GET", "/", "Host: localhost", key, "Connection: Upgrade", "Upgrade: h2c"),
	} {
		resp, body := ask(t, s.Addr(), request)
		if resp.StatusCode != 426 || resp.Header.Get("Upgrade") != "websocket" || !strings.Contains(body, "proxy") {
			t.Errorf("%s: got %d, Upgrade %q, %q", name, resp.StatusCode, resp.Header.Get("Upgrade"), body)
		}
	}
	if strings.Contains(s.log.String(), "started") {
		t.Error("a refused handshake started a child")
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`read l; echo answer; echo "complaint" >&2; exit 3`)}})
	c := dial(t, s.ws+"path?token=secret")
	c.Send("payload")
	c.ExpectEnd(1000, "exit 3")
	s.log.Await(t, `"disconnect"`, 1)
	records := map[string]map[string]any{}
	for line := range strings.Lines(s.log.String()) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		records[r["msg"].(string)] = r
	}
	want := map[string]map[string]any{
		"request":    {"method": "GET", "path": "/path", "status": 101.0},
		"connect":    {},
		"stderr":     {"line": "complaint", "level": "INFO"},
		"disconnect": {"code": 1000.0, "exit": 3.0, "messages_in": 1.0, "bytes_in": 7.0, "messages_out": 1.0, "bytes_out": 6.0},
	}
	for msg, attrs := range want {
		for key, value := range attrs {
			if got := records[msg][key]; got != value {
				t.Errorf("%s: %s=%v, want %v", msg, key, got, value)
			}
		}
		if records[msg]["pid"] != records["connect"]["pid"] && msg != "request" || records[msg]["remote"] == nil {
			t.Errorf("%s: pid %v, remote %v", msg, records[msg]["pid"], records[msg]["remote"])
		}
	}
	if records["disconnect"]["session"] != records["connect"]["session"] || records["disconnect"]["duration"] == nil {
		t.Errorf("disconnect: %v", records["disconnect"])
	}
	for _, word := range []string{"payload", "answer", "secret"} {
		if strings.Contains(s.log.String(), word) {
			t.Errorf("the log holds %q", word)
		}
	}
}

func TestStderr(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`head -c 100000 /dev/zero | tr '\0' e >&2; echo >&2; seq 2000 >&2; printf last >&2; echo out`)}})
	if got := dial(t, s.ws).ExpectEnd(1000, "exit 0"); !slices.Equal(got, []string{"out"}) {
		t.Errorf("got %q: stderr must not reach the client", got)
	}
	s.log.Await(t, `"disconnect"`, 1)
	log := s.log.String()
	if !strings.Contains(log, `"`+strings.Repeat("e", 100000)+`"`) || !strings.Contains(log, `"line":"last"`) {
		t.Error("a long line, or the last one, is not one record")
	}
	if n := strings.Count(log, `"msg":"stderr"`); n != 2002 {
		t.Errorf("got %d records, want 2002", n)
	}
}

func TestListening(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo $SERVER_NAME $REMOTE_ADDR`)}, Sockets: listen.Sockets{Addresses: []string{"127.0.0.1", "::1", "[::ffff:127.0.0.2]"}[:2]}})
	urls := s.URLs()
	port := urls[0][strings.LastIndex(urls[0], ":"):]
	if want := []string{"ws://127.0.0.1" + port, "ws://[::1]" + port}; !slices.Equal(urls, want) {
		t.Fatalf("listens at %q, want %q", urls, want)
	}
	dial(t, urls[0]).Expect("127.0.0.1 127.0.0.1")
	dial(t, urls[1]).Expect("[::1] ::1") // RFC 3875, section 4.1.14
	var n int
	fmt.Sscanf(port, ":%d/", &n)
	if _, err := server.Listen(server.Config{Sockets: listen.Sockets{Addresses: []string{"127.0.0.1"}, Port: n}}); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a taken port: %v", err)
	}
	if _, err := server.Listen(server.Config{Rules: access.Rules{Origins: []string{"http://x/path"}}}); err == nil {
		t.Error("a malformed origin was taken")
	}
}
