//go:build unix

package server_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/access"
)

// The cookie by which the console's page has its parts, where only tokens are good.

// passOf returns the cookie that s sets when its page is loaded with token.
func (s *testServer) passOf(t *testing.T, token string) string {
	t.Helper()
	resp, body := get(t, s.http(wspipetest.WithToken("/", token)))
	cookies := resp.Cookies()
	if resp.StatusCode != 200 || len(cookies) != 1 {
		t.Fatalf("got %d %q, %.40q", resp.StatusCode, resp.Header, body)
	}
	return cookies[0].Name + "=" + cookies[0].Value
}

// consoleParts are the paths that a pass admits.
var consoleParts = []string{
	"/.wspipe/console/console.js", "/.wspipe/console/console.css", "/.wspipe/console/index.html", "/.wspipe/vendor/xterm/VERSIONS", "/.wspipe/client.js", "/.wspipe/client.d.ts",
	endpointPath + "?path=/", endpointsPath, handshakePath + "?path=/", "/.wspipe/", "/.wspipe/console",
}

// TestPassCookie: the attributes of the cookie, and that it does not reveal the token.
func TestPassCookie(t *testing.T) {
	t.Parallel()
	cfg := server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true, Rules: access.Rules{Auth: authOf(t, "token")}}
	s, another := serve(t, cfg), serve(t, cfg)
	resp, _ := get(t, s.http(wspipetest.WithToken("/", wspipetest.GoodToken)))
	fields := resp.Header["Set-Cookie"]
	if len(fields) != 1 {
		t.Fatalf("the cookies are %q", fields)
	}
	name, value, _ := strings.Cut(fields[0], "=")
	value, rest, _ := strings.Cut(value, ";")
	_, port, _ := strings.Cut(s.ws, "127.0.0.1:")
	if rest != " HttpOnly; SameSite=Strict" || name != "wspipe_"+strings.Trim(port, "/") {
		t.Errorf("the cookie is %s", fields[0])
	}
	if code, err := base64.RawURLEncoding.DecodeString(value); err != nil || len(code) != 32 || [sha256.Size]byte(code) == sha256.Sum256([]byte(wspipetest.GoodToken)) {
		t.Errorf("the value is %s: %v", value, err)
	}
	for _, path := range []string{"/a/b?x=1&access_token=tok-en.1_~%2B/==", "/.wspipe/x?access_token=tok-en.1_~%2B/=="} {
		if resp, _ := get(t, s.http(path)); !slices.Equal(resp.Header["Set-Cookie"], fields) {
			t.Errorf("%s: the cookies are %q", path, resp.Header["Set-Cookie"])
		}
	}
	if resp, body := fetch(t, "HEAD", s.http(wspipetest.WithToken("/", wspipetest.GoodToken)), nil); !slices.Equal(resp.Header["Set-Cookie"], fields) || body != "" {
		t.Errorf("HEAD: the cookies are %q", resp.Header["Set-Cookie"])
	}
	// A reload revalidates the page, perhaps after the server was restarted.
	if resp, _ := fetch(t, "GET", s.http(wspipetest.WithToken("/", wspipetest.GoodToken)), nil, "If-None-Match", resp.Header.Get("ETag")); resp.StatusCode != 304 || !slices.Equal(resp.Header["Set-Cookie"], fields) {
		t.Errorf("with a tag: got %d, the cookies are %q", resp.StatusCode, resp.Header["Set-Cookie"])
	}
	if own, others, foreign := s.passOf(t, wspipetest.GoodToken), s.passOf(t, wspipetest.OtherToken), another.passOf(t, wspipetest.GoodToken); own == others || own == foreign || others == foreign {
		t.Errorf("the same pass twice: %s, %s, %s", own, others, foreign)
	}
}

// TestPassIsSecureWithTLS: to the server or to a trusted proxy.
func TestPassIsSecureWithTLS(t *testing.T) {
	t.Parallel()
	auth := authOf(t, "token")
	ca := newCA(t)
	s := serveTLS(t, ca, `exec cat`, server.Config{Console: true, Rules: access.Rules{Auth: auth}})
	client := over(t, ca.client(t)).HTTPClient
	resp, err := client.Get("https" + strings.TrimPrefix(s.ws, "wss") + strings.TrimPrefix(wspipetest.WithToken("/", wspipetest.GoodToken), "/"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if cookies := resp.Cookies(); len(cookies) != 1 || !cookies[0].Secure {
		t.Errorf("with TLS: the cookies are %q", resp.Header["Set-Cookie"])
	}
	cfg := server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true, Rules: access.Rules{Auth: auth}}
	other := serve(t, cfg)
	cfg.TrustedProxies = proxies("127.0.0.1/32")
	trusting := serve(t, cfg)
	for _, test := range []struct {
		s      *testServer
		proto  string
		secure bool
	}{{trusting, "https", true}, {trusting, "http", false}, {other, "https", false}} {
		resp, _ := fetch(t, "GET", test.s.http(wspipetest.WithToken("/", wspipetest.GoodToken)), nil, "X-Forwarded-Proto", test.proto)
		if cookies := resp.Cookies(); len(cookies) != 1 || cookies[0].Secure != test.secure {
			t.Errorf("a proxy says %s: the cookies are %q, want secure: %t", test.proto, resp.Header["Set-Cookie"], test.secure)
		}
	}
}

// TestPassIsForThePageAlone: only the page, loaded with a token in its URL, sets the cookie.
func TestPassIsForThePageAlone(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, map[string]string{"a.txt": "file", "sub/index.html": "index", "cgi/run": "#!/bin/sh\n" + textHeader + "echo run"})
	everything := func(kinds string) *testServer {
		return serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true, StaticDir: dir, CGIDir: dir + "/cgi", Rules: access.Rules{Auth: authOf(t, kinds)}})
	}
	tokens, both, basic, none := everything("token"), everything("basic token"), everything("basic"), everything("")
	bearer, pair := []string{"Authorization", "Bearer " + wspipetest.OtherToken}, []string{"Authorization", "Basic " + wspipetest.BasicPair(wspipetest.BasicUser, wspipetest.BasicPassword)}
	wrong := []string{"Authorization", "Basic " + wspipetest.BasicPair(wspipetest.BasicUser, "wrong")}
	for _, test := range []struct {
		s            *testServer
		method, path string
		header       []string
		status       int
		given        bool
	}{
		{tokens, "GET", wspipetest.WithToken("/x", wspipetest.OtherToken), nil, 200, true},
		{tokens, "GET", wspipetest.WithToken("/x", wspipetest.OtherToken), bearer, 200, true},
		{both, "GET", wspipetest.WithToken("/x", wspipetest.OtherToken), nil, 200, true},
		{both, "GET", wspipetest.WithToken("/x", wspipetest.OtherToken), wrong, 200, true},

		{tokens, "GET", wspipetest.WithToken("/.wspipe/console/index.html", wspipetest.OtherToken), nil, 200, false},
		{tokens, "GET", wspipetest.WithToken("/.wspipe/console/console.js", wspipetest.OtherToken), nil, 200, false},
		{tokens, "GET", wspipetest.WithToken("/.wspipe/console/none.js", wspipetest.OtherToken), nil, 404, false},
		{tokens, "GET", wspipetest.WithToken("/.wspipe/client.js", wspipetest.OtherToken), nil, 200, false},
		{tokens, "GET", wspipetest.WithToken(endpointPath, wspipetest.OtherToken), nil, 200, false},
		{tokens, "GET", wspipetest.WithToken(endpointsPath, wspipetest.OtherToken), nil, 200, false},
		{tokens, "GET", wspipetest.WithToken(handshakePath, wspipetest.OtherToken), nil, 200, false},
		{tokens, "GET", wspipetest.WithToken("/a.txt", wspipetest.OtherToken), nil, 200, false},
		{tokens, "GET", wspipetest.WithToken("/sub", wspipetest.OtherToken), nil, 301, false},
		{tokens, "GET", wspipetest.WithToken("/run", wspipetest.OtherToken), nil, 200, false},
		{tokens, "POST", wspipetest.WithToken("/x", wspipetest.OtherToken), nil, 405, false},
		{tokens, "GET", wspipetest.WithToken("/x", "wrong"), nil, 401, false},
		{tokens, "GET", wspipetest.WithToken("/x", "wrong"), bearer, 401, false},
		{tokens, "GET", "/x", bearer, 200, false},
		{tokens, "GET", "/x", []string{"Sec-WebSocket-Protocol", wspipetest.OfferedToken(wspipetest.OtherToken)}, 200, false},
		{both, "GET", "/x", pair, 200, false},
		{both, "GET", wspipetest.WithToken("/x", wspipetest.OtherToken), pair, 200, false}, // a browser sends the password with the parts, too
		{both, "GET", wspipetest.WithToken("/x", "wrong"), pair, 200, false},
		{basic, "GET", wspipetest.WithToken("/x", wspipetest.OtherToken), pair, 200, false},
		{none, "GET", wspipetest.WithToken("/x", wspipetest.OtherToken), nil, 200, false},
	} {
		resp, body := fetch(t, test.method, test.s.http(test.path), nil, test.header...)
		if given := len(resp.Cookies()) == 1; resp.StatusCode != test.status || given != test.given || len(resp.Header["Set-Cookie"]) > 1 {
			t.Errorf("%s %s, %q: got %d %.40q, cookies %q, want %d and a cookie: %t", test.method, test.path, test.header, resp.StatusCode, body, resp.Header["Set-Cookie"], test.status, test.given)
		}
	}
}

// TestPassAdmitsToConsole: a correct pass admits a client to each part; without one, or with any other,
// it is refused.
func TestPassAdmitsToConsole(t *testing.T) {
	t.Parallel()
	cfg := server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true, Rules: access.Rules{Auth: authOf(t, "token")}}
	s, another := serve(t, cfg), serve(t, cfg)
	first, second := s.passOf(t, wspipetest.GoodToken), s.passOf(t, wspipetest.OtherToken)
	for _, path := range consoleParts {
		want, text := fetch(t, "GET", s.http(path), nil, "Authorization", "Bearer "+wspipetest.GoodToken)
		for _, cookie := range []string{first, second, "a=1; " + first + "; b=2", another.passOf(t, wspipetest.GoodToken) + "; " + second, "wspipe_80=x;" + first} {
			resp, body := fetch(t, "GET", s.http(path), nil, "Cookie", cookie)
			// The handshake of the check has a token in one case, and none in the other.
			if resp.StatusCode != 200 || want.StatusCode != 200 || body != text && !strings.Contains(path, "handshake") {
				t.Errorf("%s, %s: got %d %.40q, want %d %.40q", path, cookie, resp.StatusCode, body, want.StatusCode, text)
			}
			if len(resp.Header["Set-Cookie"]) != 0 {
				t.Errorf("%s, %s: a pass for a pass: %q", path, cookie, resp.Header["Set-Cookie"])
			}
		}
		if resp, body := fetch(t, "HEAD", s.http(path), nil, "Cookie", first); resp.StatusCode != 200 || body != "" {
			t.Errorf("HEAD %s: got %d", path, resp.StatusCode)
		}
		forged := []byte(first)
		forged[20] ^= 1
		for _, cookie := range []string{
			"", "wspipe_80=", "wspipe_80", string(forged), first + "A", first[:len(first)-1], "Wspipe" + first[6:], "x" + first, strings.Replace(first, "=", `="`, 1) + `"`,
			another.passOf(t, wspipetest.GoodToken), "wspipe_80=" + wspipetest.GoodToken, "wspipe_80=" + fmt.Sprintf("%x", sha256.Sum256([]byte(wspipetest.GoodToken))), "access_token=" + wspipetest.OtherToken,
		} {
			if resp, body := fetch(t, "GET", s.http(path), nil, "Cookie", cookie); resp.StatusCode != 401 {
				t.Errorf("%s, %q: got %d %.40q, want 401", path, cookie, resp.StatusCode, body)
			}
		}
	}
}

// TestPassAdmitsNothingElse: no WebSocket, no program, no file, and no method other than GET and HEAD.
func TestPassAdmitsNothingElse(t *testing.T) {
	t.Parallel()
	started := filepath.Join(t.TempDir(), "started")
	run := `echo >"` + started + `"; `
	dir := wspipetest.Tree(t, map[string]string{
		"static/a.txt": "file", "static/.wspipe/a.txt": "file", "cgi/run": "#!/bin/sh\n" + run + textHeader + "echo run", "cgi/.wspipe/run": "#!/bin/sh\n" + run + textHeader + "echo run",
		"ws/talk": "#!/bin/sh\n" + run + "exec cat", "ws/.wspipe/talk": "#!/bin/sh\n" + run + "exec cat",
	})
	cfg := server.Config{StaticDir: dir + "/static", CGIDir: dir + "/cgi", Console: true, Rules: access.Rules{Auth: authOf(t, "token")}}
	withDir, withCommand := cfg, cfg
	withDir.Dir, withCommand.Endpoint.Child = dir+"/ws", sh(run+`exec cat`)
	for name, cfg := range map[string]server.Config{"dir": withDir, "command": withCommand} {
		s := serve(t, cfg)
		cookie := "Cookie: " + s.passOf(t, wspipetest.GoodToken)
		to := s.Addr()
		requests := map[string]int{
			plain("GET", endpointsPath, "Host: localhost", cookie):    200, // the pass is correct
			plain("GET", "/.wspipe/run", "Host: localhost", cookie):   200, // the console's page, not a program
			plain("GET", "/.wspipe/a.txt", "Host: localhost", cookie): 200,

			plain("GET", "/x/.wspipe/console/console.js", "Host: localhost", cookie): 200, // as pages at /x/ request it
			plain("GET", "/run/.wspipe/client.js", "Host: localhost", cookie):        200,
		}
		for _, path := range append([]string{"/", "/talk", "/talk/.wspipe/", "/.wspipe", "/.wspipe/talk", "/.wspipe/x"}, consoleParts...) {
			requests[opening(path, "Host: localhost", cookie)] = 401
			requests[opening(path, "Host: localhost", "Origin: http://localhost", cookie)] = 401
		}
		for _, path := range []string{"/", "/run", "/run/.wspipe/", "/a.txt", "/.wspipe", "/none", "/../.wspipe/client.js"} {
			requests[plain("GET", path, "Host: localhost", cookie)] = 401
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
			for _, path := range consoleParts {
				requests[plain(method, path, "Host: localhost", cookie)] = 401
			}
		}
		for request, want := range requests {
			resp, body := ask(t, to, request)
			if resp.StatusCode != want {
				t.Errorf("%s: got %d %.60q, want %d\n%s", name, resp.StatusCode, body, want, request)
			}
			if resp.StatusCode == 200 && (strings.HasPrefix(body, "file") || strings.HasPrefix(body, "run")) {
				t.Errorf("%s: got %q\n%s", name, body, request)
			}
		}
		if _, err := os.Stat(started); err == nil {
			t.Errorf("%s: something was started", name)
		}
	}
}

// TestNoPassWithoutConsole: without the console there is no pass.
func TestNoPassWithoutConsole(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Rules: access.Rules{Auth: authOf(t, "token")}})
	if resp, _ := get(t, s.http(wspipetest.WithToken("/", wspipetest.GoodToken))); resp.StatusCode != 404 || len(resp.Header["Set-Cookie"]) > 0 {
		t.Errorf("got %d %q, want 404 and no cookie", resp.StatusCode, resp.Header["Set-Cookie"])
	}
}

// TestPassWithHandshakeCheck: the pass admits the check, but does not count for the handshake that
// it is about.
func TestPassWithHandshakeCheck(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true, Rules: access.Rules{Auth: authOf(t, "token")}})
	for path, want := range map[string]int{wspipetest.WithToken("/", wspipetest.GoodToken): 101, wspipetest.WithToken("/.wspipe/x", wspipetest.OtherToken): 101, wspipetest.WithToken("/", "wrong"): 401, "/": 401, "/.wspipe/x": 401, endpointPath: 401} {
		resp, body := fetch(t, "GET", s.http(handshakePath+"?path="+url.QueryEscape(path)), nil, "Cookie", s.passOf(t, wspipetest.GoodToken))
		var told server.Verdict
		if err := json.Unmarshal([]byte(body), &told); err != nil || resp.StatusCode != 200 || told.Status != want {
			t.Errorf("%s: got %d %q, want %d", path, resp.StatusCode, body, want)
		}
	}
}

// TestPassEndsWithItsToken: when the token is removed from the file, and not when another is.
func TestPassEndsWithItsToken(t *testing.T) {
	t.Parallel()
	auth := authOf(t, "token")
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true, Rules: access.Rules{Auth: auth}})
	first, second := s.passOf(t, wspipetest.GoodToken), s.passOf(t, wspipetest.OtherToken)
	expect := func(cookie string, want int) {
		t.Helper()
		if resp, _ := fetch(t, "GET", s.http(consoleParts[0]), nil, "Cookie", cookie); resp.StatusCode != want {
			t.Errorf("got %d, want %d", resp.StatusCode, want)
		}
	}
	expect(first, 200)
	wspipetest.Rewrite(t, auth.TokenFile, wspipetest.OtherToken+"\nthird\n")
	for end := time.Now().Add(wspipetest.Patience); ; <-time.After(10 * time.Millisecond) { // until the file has been read again
		resp, _ := fetch(t, "GET", s.http(consoleParts[0]), nil, "Cookie", first)
		if resp.StatusCode == 401 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("got %d, want 401", resp.StatusCode)
		}
	}
	expect(second, 200) // its token is at another place in the file
	third := s.passOf(t, "third")
	wspipetest.Rewrite(t, auth.TokenFile, "third\n")
	s.Reload()
	expect(second, 401)
	expect(third, 200)
	wspipetest.Rewrite(t, auth.TokenFile, wspipetest.GoodToken+"\n")
	s.Reload()
	expect(third, 401)
	expect(first, 200) // its token is valid again
}

// TestChildDoesNotGetPass: a browser also sends it with a WebSocket below its path.
func TestChildDoesNotGetPass(t *testing.T) {
	t.Parallel()
	const tell = `echo "${HTTP_COOKIE-none}|$(env | grep -c wspipe_[0-9])"`
	s := serveCGI(t, server.Config{Endpoint: server.Endpoint{Child: sh(tell)}, Console: true, Rules: access.Rules{Auth: authOf(t, "token")}}, map[string]string{"run": textHeader + tell})
	pass := s.passOf(t, wspipetest.GoodToken)
	for cookies, want := range map[string]string{pass: "none|0", "a=1; " + pass + "; b=2": "a=1; b=2|0", "wspipe_80=" + strings.Repeat("A", 43) + "; a=1": "a=1|0"} {
		header := http.Header{"Cookie": {cookies}, "Authorization": {"Bearer " + wspipetest.GoodToken}}
		for _, path := range []string{".wspipe/x", ".wspipe/console/endpoint", ""} {
			wspipetest.Dial(t, s.ws+path, &websocket.DialOptions{HTTPHeader: header}).Expect(want)
		}
		if resp, body := fetch(t, "GET", s.http("run"), nil, "Cookie", cookies, "Authorization", "Bearer "+wspipetest.GoodToken); resp.StatusCode != 200 || body != want+"\n" {
			t.Errorf("CGI got %d %q, want %q", resp.StatusCode, body, want)
		}
	}
	if log := s.log.String(); strings.Contains(log, pass) {
		t.Error("the log tells the pass")
	}
}

// authOf returns an Auth with these kinds of authentication.
func authOf(t *testing.T, kinds string) access.Auth {
	t.Helper()
	return access.Auth(wspipetest.NewSecrets(t, kinds))
}
