//go:build unix

package server_test

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/access"
)

// extra has headers for every response, some of which the server sets itself.
var extra = server.Config{
	Headers:     []server.Header{{"X-All", "all"}, {"x-two", "1"}, {"X-Two", "2"}, {"Cache-Control", "no-store"}, {"Vary", "Origin"}},
	HeadersWS:   []server.Header{{"X-WS", "ws"}, {"X-Two", "3"}},
	HeadersHTTP: []server.Header{{"X-HTTP", "http"}, {"X-Two", "4"}, {"Content-Security-Policy", "sandbox"}},
}

// serveExtra returns a server with all routes that adds the headers of extra.
func serveExtra(t *testing.T, cfg server.Config) *testServer {
	t.Helper()
	cfg.Headers, cfg.HeadersWS, cfg.HeadersHTTP = extra.Headers, extra.HeadersWS, extra.HeadersHTTP
	cfg.Endpoint.Child = sh(`echo in; exec cat`)
	cfg.StaticDir, cfg.CGIDir, cfg.Console = t.TempDir(), t.TempDir(), true
	wspipetest.WriteFile(t, filepath.Join(cfg.StaticDir, "f.txt"), "0123456789")
	wspipetest.WriteFile(t, filepath.Join(cfg.CGIDir, "run.sh"), `#!/bin/sh
printf 'Content-Type: text/plain\nCache-Control: max-age=60\nX-All: mine\nX-Two: mine\nX-Own: mine\nSet-Cookie: a=1\nSet-Cookie: b=2\n\nanswer'
`)
	wspipetest.WriteFile(t, filepath.Join(cfg.CGIDir, "bad.sh"), "#!/bin/sh\necho no header\n")
	return serve(t, cfg)
}

// checkExtra checks that a response has the headers of extra, and no other values of them.
func checkExtra(t *testing.T, what string, resp *http.Response) {
	t.Helper()
	want := http.Header{"X-All": {"all"}, "X-Two": {"1", "2", "4"}, "X-Http": {"http"}, "X-Ws": nil,
		"Cache-Control": {"no-store"}, "Vary": {"Origin"}, "Content-Security-Policy": {"sandbox"}}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		want["X-Two"], want["X-Http"], want["X-Ws"], want["Content-Security-Policy"] = []string{"1", "2", "3"}, nil, []string{"ws"}, nil
	}
	for name, values := range want {
		if got := resp.Header[name]; !slices.Equal(got, values) {
			t.Errorf("%s: %s is %q, want %q", what, name, got, values)
		}
	}
}

func TestExtraHeaders(t *testing.T) {
	t.Parallel()
	s := serveExtra(t, server.Config{Endpoint: server.Endpoint{Subprotocols: []string{"known"}}})
	const host = "Host: localhost"
	for _, test := range []struct {
		request string
		status  int
	}{
		{opening("/", host), 101},
		{opening("/", host, "Sec-WebSocket-Protocol: known"), 101},
		{opening("/", host, "Origin: http://evil.example"), 403},
		{opening("/", host, "Sec-WebSocket-Protocol: unknown"), 400},
		{strings.Replace(opening("/", host), "Version: 13", "Version: 8", 1), 400}, // the library's response
		{plain("GET", "/f.txt", host), 200},
		{plain("HEAD", "/f.txt", host), 200},
		{plain("GET", "/f.txt", host, "Range: bytes=2-4"), 206},
		{plain("GET", "/f.txt", host, "Range: bytes=20-"), 416},
		{plain("GET", "/f.txt", host, "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT"), 304},
		{plain("POST", "/f.txt", host), 405},
		{plain("GET", "/f.txt", "Host: evil.example"), 403},
		{plain("GET", "/", host), 200},
		{plain("HEAD", "/", host), 200},
		{plain("GET", "/.wspipe/console/console.css", host), 200},
		{plain("GET", "/.wspipe/console/none", host), 404},
		{plain("GET", "/run.sh", host), 200},
		{plain("HEAD", "/run.sh", host), 200},
		{plain("POST", "/run.sh", host), 200},
		{plain("GET", "/bad.sh", host), 500},
	} {
		resp, _ := ask(t, s.Addr(), test.request)
		if resp.StatusCode != test.status {
			t.Errorf("got %d, want %d\n%s", resp.StatusCode, test.status, test.request)
		}
		checkExtra(t, test.request, resp)
		if own := resp.Header["X-Own"]; strings.Contains(test.request, "run.sh") && (!slices.Equal(own, []string{"mine"}) || len(resp.Header["Set-Cookie"]) != 2) {
			t.Errorf("the program's own headers are %q", resp.Header)
		}
	}
}

// TestExtraHeadersOfLimits: also in refusals by authentication and limits.
func TestExtraHeadersOfLimits(t *testing.T) {
	t.Parallel()
	s := serveExtra(t, server.Config{MaxChildren: 1})
	const host = "Host: localhost"
	resp, _ := send(t, s.Addr(), opening("/", host))
	checkExtra(t, "101", resp)
	for _, request := range []string{opening("/", host), plain("GET", "/run.sh", host)} {
		resp, _ := ask(t, s.Addr(), request)
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" {
			t.Errorf("got %d %q, want 429", resp.StatusCode, resp.Header)
		}
		checkExtra(t, request, resp)
	}
	s = serveExtra(t, server.Config{Rules: access.Rules{Auth: access.Auth{Basic: "user:pass"}}})
	resp, _ = ask(t, s.Addr(), plain("GET", "/", host))
	if resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("got %d %q, want 401", resp.StatusCode, resp.Header)
	}
	checkExtra(t, "401", resp)
}

// TestOwnHeadersStay: without the flags, the server's own headers stay.
func TestOwnHeadersStay(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo in`)}, Console: true, HeadersWS: extra.HeadersWS})
	resp, _ := ask(t, s.Addr(), plain("GET", "/", "Host: localhost"))
	if got := resp.Header; got.Get("Cache-Control") != "no-cache" || !strings.Contains(got.Get("Content-Security-Policy"), "default-src 'none'") || got.Get("X-Ws") != "" {
		t.Errorf("the console's headers are %q", got)
	}
}

// TestFilesWithExtraHeaders: range and HEAD requests work.
func TestFilesWithExtraHeaders(t *testing.T) {
	t.Parallel()
	s := serveExtra(t, server.Config{})
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	wspipetest.WriteFile(t, filepath.Join(s.cfg.StaticDir, "large"), string(large))
	to := s.Addr()
	for ranges, want := range map[string][]byte{"0-0": large[:1], "5-1000000": large[5:1000001], "-7": large[len(large)-7:], "1048575-": large[len(large)-1:], "0-": large} {
		resp, body := ask(t, to, plain("GET", "/large", "Host: localhost", "Range: bytes="+ranges))
		if resp.StatusCode != 206 || body != string(want) || resp.ContentLength != int64(len(want)) ||
			!strings.HasSuffix(resp.Header.Get("Content-Range"), fmt.Sprintf("/%d", len(large))) {
			t.Errorf("%s: got %d, %d bytes, %q", ranges, resp.StatusCode, len(body), resp.Header)
		}
		checkExtra(t, ranges, resp)
	}
	resp, body := ask(t, to, plain("GET", "/large", "Host: localhost", "Range: bytes=1-2,20-23"))
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	checkExtra(t, "two ranges", resp)
	for parts, i := multipart.NewReader(strings.NewReader(body), params["boundary"]), 0; i < 2; i++ {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(part); string(got) != []string{"12", "4567"}[i] {
			t.Errorf("part %d is %q", i, got)
		}
	}
	if resp, body := ask(t, to, plain("GET", "/large", "Host: localhost")); body != string(large) || resp.ContentLength != int64(len(large)) {
		t.Errorf("got %d of %d bytes", len(body), resp.ContentLength)
	}
	resp, body = ask(t, to, plain("HEAD", "/large", "Host: localhost"))
	if body != "" || resp.ContentLength != int64(len(large)) || resp.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("HEAD: got %q, length %d, %q", body, resp.ContentLength, resp.Header)
	}
	// The response to HEAD has no body, so the next response follows at once.
	both := "HEAD /f.txt HTTP/1.1\r\nHost: localhost\r\n\r\n" + plain("GET", "/f.txt", "Host: localhost")
	_, conn := send(t, to, "GET /f.txt HTTP/1.1\r\nHost: localhost\r\nIf-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT\r\n\r\n")
	if _, err := io.WriteString(conn, both); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil || strings.Count(string(text), "HTTP/1.1 200 OK\r\n") != 2 || strings.Count(string(text), "\r\n\r\n") != 2 || !strings.HasSuffix(string(text), "\r\n\r\n0123456789") {
		t.Errorf("got %q, %v", text, err)
	}
}
