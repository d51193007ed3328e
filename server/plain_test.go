//go:build unix

package server_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"wspipe/bridge/framing"
	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// Section 14 of the contract: plain HTTP requests as clients, with real children.

// withHTTP lets plain requests in.
func withHTTP(cfg server.Config) server.Config {
	cfg.Endpoint.HTTP = true
	return cfg
}

// own is a server of a child for each client, which runs script.
func own(script string) server.Config {
	return withHTTP(server.Config{Endpoint: server.Endpoint{Child: sh(script), MaxMessage: 1 << 20}})
}

// inFraming is own with another framing.
func inFraming(f framing.Framing, script string) server.Config {
	cfg := own(script)
	cfg.Endpoint.Framing = f
	return cfg
}

// plainReply is a response with all of its body. cut says that the body is not complete.
type plainReply struct {
	*http.Response
	body string
	cut  bool
}

// request sends a plain request with header lines, and a body for POST and PUT.
func (s *testServer) request(t *testing.T, method, target, body string, header ...string) plainReply {
	t.Helper()
	return readReply(t, s.begin(t, method, target, strings.NewReader(body), header...))
}

// begin sends a request and returns when the header of the response has arrived.
func (s *testServer) begin(t *testing.T, method, target string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	if method == "GET" || method == "HEAD" {
		body = nil
	}
	r, err := http.NewRequestWithContext(t.Context(), method, strings.Replace(s.ws, "ws", "http", 1)+target, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range header {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Add(name, value)
		}
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func readReply(t *testing.T, resp *http.Response) plainReply {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	return plainReply{resp, string(body), err != nil}
}

// exit returns what the response says of the child's end.
func (r plainReply) exit() string { return r.Trailer.Get("Wspipe-Exit") + r.Header.Get("Wspipe-Exit") }

const events = "Accept: text/event-stream"

// TestHTTPClients: what a client of a child of its own gets.
func TestHTTPClients(t *testing.T) {
	pty := own("cat")
	pty.Endpoint.Child.Terminal = process.FullTerminal
	for name, test := range map[string]struct {
		cfg               server.Config
		method, body      string
		header            string
		status            int
		typ, answer, exit string
	}{
		"lines":                {own(`echo a; printf 'b\r\n\nc\377'`), "GET", "", "", 200, "text/plain; charset=utf-8", "a\nb\n\nc\uFFFD\n", "exit 0"},
		"bytes":                {inFraming(framing.Bytes, `printf 'a\n\377b'`), "GET", "", "", 200, "application/octet-stream", "a\n\xffb", "exit 0"},
		"length":               {inFraming(framing.Length, `printf '\0\0\0\1a\0\0\0\2bc'`), "GET", "", "", 200, "application/octet-stream", "\x00\x00\x00\x01a\x00\x00\x00\x02bc", "exit 0"},
		"lsp":                  {inFraming(framing.LSP, `printf 'Content-Length: 2\r\nX: y\r\n\r\n{}'`), "GET", "", "", 200, "application/octet-stream", "Content-Length: 2\r\nX: y\r\n\r\n{}", "exit 0"},
		"stdin is empty":       {own("cat; echo end"), "GET", "", "", 200, "text/plain; charset=utf-8", "end\n", "exit 0"},
		"a filter":             {own("sort"), "POST", "b\na\n", "", 200, "text/plain; charset=utf-8", "a\nb\n", "exit 0"},
		"upload":               {inFraming(framing.Bytes, "wc -c | tr -d ' '"), "PUT", strings.Repeat("x", 3<<20), "", 200, "application/octet-stream", "3145728\n", "exit 0"},
		"an empty body":        {own("cat; echo end"), "POST", "", "", 200, "text/plain; charset=utf-8", "end\n", "exit 0"},
		"stdin is not read":    {own("exec <&-; echo no"), "POST", strings.Repeat("x", 100_000), "", 200, "text/plain; charset=utf-8", "no\n", "exit 0"},
		"fails at once":        {own("exit 3"), "GET", "", "", 500, "text/plain; charset=utf-8", "exit 3", "exit 3"},
		"does not start":       {withHTTP(server.Config{Endpoint: server.Endpoint{Child: process.Spec{Path: "/no/such"}}}), "GET", "", "", 500, "text/plain; charset=utf-8", "cannot start: no such file", ""},
		"the environment":      {own(`echo "$REQUEST_METHOD $CONTENT_TYPE $CONTENT_LENGTH"`), "POST", "abc", "Content-Type: x/y", 200, "text/plain; charset=utf-8", "POST x/y 3\n", "exit 0"},
		"events":               {own(`printf 'a\n b\n\n\rx\ry'`), "GET", "", events, 200, "text/event-stream", "id: 1\ndata: a\n\nid: 2\ndata:  b\n\nid: 3\ndata: \n\nid: 4\ndata: \ndata: x\ndata: y\n\n" + closeEvent("exit 0"), "exit 0"},
		"events of lines":      {inFraming(framing.NUL, `printf 'a\nb\r\nc\0'`), "GET", "", events, 200, "text/event-stream", "id: 1\ndata: a\ndata: b\ndata: c\n\n" + closeEvent("exit 0"), "exit 0"},
		"binary events":        {inFraming(framing.Length, `printf '\0\0\0\4abcd'`), "GET", "", "Accept: application/json, text/event-stream", 200, "text/event-stream", "id: 1\nevent: binary\ndata: YWJjZA==\n\n" + closeEvent("exit 0"), "exit 0"},
		"events of a failure":  {own("exit 3"), "GET", "", events, 200, "text/event-stream", "id: 0\n" + closeEvent("exit 3"), "exit 3"},
		"events of no start":   {withHTTP(server.Config{Endpoint: server.Endpoint{Child: process.Spec{Path: "/no/such"}}}), "GET", "", events, 200, "text/event-stream", "event: close\ndata: {\"code\":1011,\"reason\":\"cannot start: no such file\"}\n\n", ""},
		"events of a POST":     {own("cat"), "POST", "a\n", events, 200, "text/event-stream", "id: 1\ndata: a\n\n" + closeEvent("exit 0"), "exit 0"},
		"no events, q=0":       {own("echo a"), "GET", "", events + ";q=0", 200, "text/plain; charset=utf-8", "a\n", "exit 0"},
		"HEAD":                 {own("echo a"), "HEAD", "", "", 405, "text/plain; charset=utf-8", "", ""},
		"DELETE":               {own("echo a"), "DELETE", "", "", 405, "text/plain; charset=utf-8", "wspipe: this endpoint supports only GET, POST and PUT\n", ""},
		"a terminal":           {pty, "GET", "", "", 426, "text/plain; charset=utf-8", "wspipe: this endpoint is a terminal (--pty) and supports only WebSockets\n", ""},
		"another site's POST":  {own("echo a"), "POST", "", "Sec-Fetch-Site: cross-site", 403, "text/plain; charset=utf-8", "wspipe: the request comes from a page on another site; to allow it, start wspipe with --origin='*'\n", ""},
		"the EventSource ends": {own("echo a"), "GET", "", "Last-Event-ID: 1", 200, "text/plain; charset=utf-8", "a\n", "exit 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, test.cfg).request(t, test.method, "", test.body, strings.Split(test.header, "\n")...)
			if r.StatusCode != test.status || r.Header.Get("Content-Type") != test.typ || r.body != test.answer || r.exit() != test.exit || r.cut {
				t.Errorf("%d %q %.200q (cut: %t) %q, want %d %q %.200q %q", r.StatusCode, r.Header.Get("Content-Type"), r.body, r.cut, r.exit(), test.status, test.typ, test.answer, test.exit)
			}
			stream := test.status == 200 || test.status == 500
			if stream != (r.Header.Get("Cache-Control") == "no-store") || stream && (r.Header.Get("X-Accel-Buffering") != "no" || r.Header.Get("X-Content-Type-Options") != "nosniff") {
				t.Errorf("header %v", r.Header)
			}
			if allow := r.Header.Get("Allow"); (test.status == 405) != (allow == "GET, POST, PUT") || (test.status == 426) != (r.Header.Get("Upgrade") == "websocket") {
				t.Errorf("header %v", r.Header)
			}
		})
	}
}

// closeEvent is the last event of a stream whose child has ended.
func closeEvent(reason string) string {
	return `event: close` + "\n" + `data: {"code":1000,"reason":"` + reason + "\"}\n\n"
}

// next reads a piece of a body that is still being sent.
func next(t *testing.T, resp *http.Response) string {
	t.Helper()
	p := make([]byte, 1000)
	n, err := resp.Body.Read(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(p[:n])
}

// TestHTTPStream: each line goes both ways at once, and a client that disconnects stops
// its child.
func TestHTTPStream(t *testing.T) {
	t.Parallel()
	s := serve(t, own("cat"))
	body, input := io.Pipe()
	go input.Write([]byte("a\n")) // ends when the request has it
	resp := s.begin(t, "POST", "", body)
	for _, word := range []string{"a", "b", "c"} {
		if got := next(t, resp); got != word+"\n" {
			t.Fatalf("%q, want %q", got, word)
		}
		go input.Write([]byte{word[0] + 1, '\n'})
	}
	input.CloseWithError(io.ErrUnexpectedEOF) // the transport hangs up
	s.log.Await(t, `"code":1006`, 1)
}

// TestHTTPHeader: the header of a silent child's response is sent after 2 s, and a
// failure is then in the trailer.
func TestHTTPHeader(t *testing.T) {
	t.Parallel()
	cfg := own(`read -r x; exit 3`)
	cfg.Timeouts.Body, cfg.Timeouts.Unread = time.Second, time.Second // which end no client whose child runs
	s := serve(t, cfg)
	body, input := io.Pipe()
	since := time.Now()
	resp := s.begin(t, "POST", "", body)
	if took := time.Since(since); took < 2*time.Second || resp.StatusCode != 200 {
		t.Errorf("%d after %v", resp.StatusCode, took)
	}
	input.Close()
	if r := readReply(t, resp); r.exit() != "exit 3" || r.body != "" {
		t.Errorf("%q %q", r.exit(), r.body)
	}
}

// TestHTTPDisconnect: the child of a client that disconnects is stopped, whatever it
// does with its input.
func TestHTTPDisconnect(t *testing.T) {
	for name, test := range map[string]struct{ script, body string }{
		"silent":               {"echo $$; exec sleep 1000", ""},
		"does not read":        {"echo $$; exec sleep 1000", strings.Repeat("x", 4<<20)},
		"writes all the while": {"echo $$; exec yes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := own(test.script)
			cfg.Endpoint.PingInterval = 100 * time.Millisecond
			s := serve(t, cfg)
			method := "GET"
			if test.body != "" {
				method = "POST"
			}
			resp := s.begin(t, method, "", io.MultiReader(strings.NewReader(test.body), neverEnds{t}))
			pid := atoi(t, strings.SplitN(next(t, resp), "\n", 2)[0])
			resp.Body.Close()
			awaitGone(t, pid)
			s.log.Await(t, `"code":1006`, 1)
		})
	}
}

// neverEnds is a body that is not complete before the test is.
type neverEnds struct{ t *testing.T }

func (n neverEnds) Read([]byte) (int, error) {
	<-n.t.Context().Done()
	return 0, io.ErrUnexpectedEOF
}

// TestHTTPRoutes: who gets what of a request.
func TestHTTPRoutes(t *testing.T) {
	t.Parallel()
	cfg := own("echo child")
	cfg.Console, cfg.StaticDir, cfg.CGIDir = true, wspipetest.Tree(t, map[string]string{"a.txt": "file"}),
		wspipetest.Tree(t, map[string]string{"cgi": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\ncgi'\n"})
	s := serve(t, cfg)
	for _, test := range []struct{ target, header, want string }{
		{"a.txt", "", "file"},
		{"a.txt", "Accept: text/html", "file"},
		{"cgi", "", "cgi"},
		{"b.txt", "", "child\n"},
		{"", "", "child\n"},
		{"", "Sec-Fetch-Mode: navigate", "<!doctype html>"},
		{"", "Accept: text/html,*/*;q=0.8", "<!doctype html>"},
	} {
		if r := s.request(t, "GET", test.target, "", test.header); !strings.HasPrefix(r.body, test.want) {
			t.Errorf("%+v: %.40q", test, r.body)
		}
	}
	dir := server.Config{Dir: cfg.CGIDir}
	dir.Endpoint.HTTP = true
	d := serve(t, dir)
	for target, want := range map[string]string{"cgi/x": "Content-Type: text/plain\n\ncgi\n", "no": "wspipe: no program at this path\n"} {
		if r := d.request(t, "GET", target, ""); r.body != want {
			t.Errorf("%s in a directory: %q", target, r.body)
		}
	}
	routes := serve(t, server.Config{Routes: []server.Route{{Path: "/a", Endpoint: own("echo a").Endpoint}, {Path: "/b"}}})
	for target, want := range map[string]string{"a": "a\n", "b": "wspipe: this is a WebSocket", "c": "wspipe: no route at this path\n"} {
		if r := routes.request(t, "GET", target, ""); !strings.HasPrefix(r.body, want) {
			t.Errorf("route %s: %q", target, r.body)
		}
	}
	cfg.Endpoint.HTTP = false
	if r := serve(t, cfg).request(t, "POST", "", ""); r.StatusCode != 405 {
		t.Errorf("without --http: %d", r.StatusCode)
	}
}
