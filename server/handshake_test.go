//go:build unix

package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/access"
)

// What is said of a handshake that does not take place, beside the real one.

// question is a handshake check.
type question struct {
	path      string   // with its query
	origin    string   // of the page; empty for none
	protocols string   // the offered ones
	header    []string // of the check and of the handshake
	query     string   // further parameters of the check
}

// plain returns the check as sent. A page of another origin always sends Origin; a page of the server
// uses a parameter.
func (q question) plain(ofOurs bool) string {
	query := url.Values{"path": {q.path}}
	if q.protocols != "" {
		query.Set("protocols", q.protocols)
	}
	header := append([]string{"Host: localhost"}, q.header...)
	switch {
	case q.origin == "":
	case ofOurs:
		query.Set("origin", q.origin)
	default:
		header = append(header, "Origin: "+q.origin)
	}
	return plain("GET", handshakePath+"?"+query.Encode()+q.query, header...)
}

// handshake returns the opening handshake of q.
func (q question) handshake() string {
	header := append([]string{"Host: localhost"}, q.header...)
	if q.origin != "" {
		header = append(header, "Origin: "+q.origin)
	}
	if q.protocols != "" {
		header = append(header, "Sec-WebSocket-Protocol: "+q.protocols)
	}
	return opening(q.path, header...)
}

// rehearse sends the check in both ways and returns the Verdict, which must be the same.
func (s *testServer) rehearse(t *testing.T, q question) (v server.Verdict) {
	t.Helper()
	var first string
	for _, ofOurs := range []bool{true, false} {
		resp, body := ask(t, s.Addr(), q.plain(ofOurs))
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*",
		} {
			if got := resp.Header.Get(name); resp.StatusCode != 200 || got != want {
				t.Fatalf("%+v: got %d, %s %q: %q", q, resp.StatusCode, name, got, body)
			}
		}
		if ofOurs {
			first = body
		} else if body != first {
			t.Errorf("%+v: a page of ours is told %q, one of another origin %q", q, first, body)
		}
	}
	answer := json.NewDecoder(strings.NewReader(first))
	answer.DisallowUnknownFields()
	if err := answer.Decode(&v); err != nil {
		t.Fatalf("%+v: %q: %v", q, first, err)
	}
	return v
}

// checkVerdict compares v with the response to the handshake.
func checkVerdict(t *testing.T, v server.Verdict, resp *http.Response, body string) {
	t.Helper()
	if v.Status != resp.StatusCode {
		t.Errorf("told %+v, got %d %q", v, resp.StatusCode, body)
	}
	if v.Status == http.StatusSwitchingProtocols {
		if v.Subprotocol == nil || *v.Subprotocol != resp.Header.Get("Sec-WebSocket-Protocol") || v.Why != "" || v.Flag != "" {
			t.Errorf("told %+v, got the subprotocol %q", v, resp.Header.Get("Sec-WebSocket-Protocol"))
		}
		return
	}
	want := "wspipe: " + v.Why
	if v.Flag != "" {
		want += "; to allow it, start wspipe with " + v.Flag
	}
	if v.Subprotocol != nil || body != want+"\n" {
		t.Errorf("told %+v, got %q", v, body)
	}
}

// TestHandshakeCheck: status, reason, flag and subprotocol.
func TestHandshakeCheck(t *testing.T) {
	t.Parallel()
	const in = `echo in; exec cat`
	id, other := strings.Repeat("a", 22), strings.Repeat("b", 22)
	dir := func(cfg server.Config) server.Config {
		cfg.Dir = wspipetest.Tree(t, map[string]string{"a": "#!/bin/sh\n" + in, "b": "#!/bin/sh\n" + in, "text": "no program"})
		return cfg
	}
	one := func(cfg server.Config) server.Config { cfg.MaxChildren = 1; return cfg }
	command, evil := server.Config{Endpoint: server.Endpoint{Child: sh(in)}}, "http://evil.example"
	for name, test := range map[string]struct {
		cfg    server.Config
		held   string // the path of a connected client, or empty
		q      question
		status int
	}{
		"open":                      {command, "", question{path: "/"}, 101},
		"any path":                  {command, "", question{path: "/any/path?q=%20&wspipe_size=x", origin: "http://localhost:3000"}, 101},
		"a channel":                 {command, "", question{path: "/", protocols: "other, v5.channel.k8s.io, v1.wspipe"}, 101},
		"a subprotocol":             {server.Config{Endpoint: server.Endpoint{Child: sh(in), Subprotocols: []string{"a", "b"}}}, "", question{path: "/", protocols: "b,c , A"}, 101},
		"no subprotocol":            {server.Config{Endpoint: server.Endpoint{Child: sh(in), Subprotocols: []string{"a", "b"}}}, "", question{path: "/"}, 101},
		"another subprotocol":       {server.Config{Endpoint: server.Endpoint{Child: sh(in), Subprotocols: []string{"a", "b"}}}, "", question{path: "/", protocols: "c"}, 400},
		"another, but none is ours": {command, "", question{path: "/", protocols: "c"}, 101},
		"another origin":            {command, "", question{path: "/", origin: evil}, 403},
		"a listed origin":           {server.Config{Endpoint: server.Endpoint{Child: sh(in)}, Rules: access.Rules{Origins: []string{"evil.example"}}}, "", question{path: "/", origin: evil}, 101},
		"null origin":               {command, "", question{path: "/", origin: "null"}, 403},
		"a malformed origin":        {command, "", question{path: "/", origin: "evil.example"}, 403},
		"upwards":                   {command, "", question{path: "/a/../b"}, 404},
		"a program":                 {dir(server.Config{}), "", question{path: "/a/info?q"}, 101},
		"no program":                {dir(server.Config{}), "", question{path: "/text"}, 404},
		"no program, other origin":  {dir(server.Config{}), "", question{path: "/text", origin: evil}, 403},
		"files alone":               {server.Config{StaticDir: t.TempDir()}, "", question{path: "/"}, 404},
		"maxforks":                  {one(command), "/", question{path: "/", origin: "http://localhost"}, 429},
		"maxforks, other origin":    {one(command), "/", question{path: "/", origin: evil}, 403},
		"max-per-ip":                {server.Config{Endpoint: server.Endpoint{Child: sh(in)}, MaxPerIP: 1}, "/", question{path: "/"}, 429},
		"of a client elsewhere": {server.Config{Endpoint: server.Endpoint{Child: sh(in)}, MaxPerIP: 1, Rules: access.Rules{TrustedProxies: access.TrustedProxies{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}}},
			"/", question{path: "/", header: []string{"X-Forwarded-For: 192.0.2.1"}}, 101},
		"the shared child":        {one(dir(server.Config{Endpoint: server.Endpoint{Share: server.ShareBroadcast}})), "/a", question{path: "/a"}, 101},
		"another shared child":    {one(dir(server.Config{Endpoint: server.Endpoint{Share: server.ShareBroadcast}})), "/a", question{path: "/b"}, 429},
		"too many who share":      {server.Config{Endpoint: server.Endpoint{Child: sh(in), Share: server.ShareBroadcast}, MaxPerIP: 1, MaxChildren: 1}, "/", question{path: "/"}, 429},
		"a lost session, sharing": {one(server.Config{Endpoint: server.Endpoint{Child: sh(in), Share: server.ShareBroadcast}, MaxPerIP: 1}), "/", question{path: "/?wspipe_after=1"}, 101},
		"no session":              {resuming(in), "", question{path: "/?wspipe_session=short"}, 400},
		"no number":               {resuming(in), "", question{path: "/?wspipe_session=" + id + "&wspipe_after=x"}, 400},
		"no session, none here":   {command, "", question{path: "/?wspipe_session=short"}, 400},
		"the session":             {one(resuming(in)), "/?wspipe_session=" + id, question{path: "/?a&wspipe_session=" + id}, 101},
		"the session goes on":     {one(resuming(in)), "/?wspipe_session=" + id, question{path: "/?wspipe_after=0&wspipe_session=" + id}, 101},
		"another session":         {one(resuming(in)), "/?wspipe_session=" + id, question{path: "/?wspipe_session=" + other}, 429},
		"a lost session":          {one(resuming(in)), "/?wspipe_session=" + id, question{path: "/?wspipe_after=1&wspipe_session=" + other}, 101},
		"beside a session":        {one(resuming(in)), "/?wspipe_session=" + id, question{path: "/"}, 429},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.cfg)
			if test.held != "" {
				dial(t, strings.TrimSuffix(s.ws, "/")+test.held).Expect("in")
			}
			told := s.rehearse(t, test.q)
			if told.Status != test.status {
				t.Errorf("told %+v, want %d", told, test.status)
			}
			resp, body := openOnly(t, s, test.q)
			checkVerdict(t, told, resp, body)
		})
	}
}

// openOnly makes the handshake of q and returns the response, without messages.
func openOnly(t *testing.T, s *testServer, q question) (*http.Response, string) {
	t.Helper()
	resp, _ := send(t, s.Addr(), q.handshake())
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestHandshakeCheckHasNoEffect: a check takes no slot and starts nothing.
func TestHandshakeCheckHasNoEffect(t *testing.T) {
	t.Parallel()
	const in = `echo in; exec cat`
	for name, cfg := range map[string]server.Config{"alone": {Endpoint: server.Endpoint{Child: sh(in)}}, "broadcast": shared(in), "mux": mux(`echo '{"to":"*","data":"in"}'; exec cat >&2`), "resume": resuming(in)} {
		for _, once := range []bool{false, true} {
			cfg.MaxChildren, cfg.MaxPerIP, cfg.Once = 1, 1, once
			s := serve(t, cfg)
			for range 25 {
				for _, path := range []string{"/", "/?wspipe_session=" + newID(), "/?wspipe_session=" + newID() + "&wspipe_after=7"} {
					if told := s.rehearse(t, question{path: path}); told.Status != 101 {
						t.Fatalf("%s: told %+v", name, told)
					}
				}
			}
			wspipetest.Eventually(t, name+": nothing is taken", func() bool { return s.Usage() == server.Usage{} })
			if log := s.log.String(); strings.Contains(log, `"connect"`) || strings.Contains(log, `"pid"`) {
				t.Errorf("%s: something was started", name)
			}
			dial(t, s.ws+"?wspipe_session="+newID()).Expect("in")
		}
	}
}

// TestHandshakeCheckWithOnce: with --once, on a connection that was open before.
func TestHandshakeCheckWithOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo in; exec cat`)}, Once: true})
	q := question{path: "/", origin: "http://localhost"}
	to := s.Addr()
	// A server that stops listening closes connections without a request.
	const early = "GET " + handshakePath + "?path=/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
	resp, asking := send(t, to, early)
	io.Copy(io.Discard, resp.Body)
	resp, coming := send(t, to, early)
	io.Copy(io.Discard, resp.Body)
	c := dial(t, s.ws)
	c.Expect("in")
	var told server.Verdict
	if err := json.NewDecoder(sendOn(t, asking, q.plain(true)).Body).Decode(&told); err != nil {
		t.Fatal(err)
	}
	resp = sendOn(t, coming, q.handshake())
	body, _ := io.ReadAll(resp.Body)
	checkVerdict(t, told, resp, string(body))
	if told.Status != http.StatusServiceUnavailable || !strings.Contains(told.Why, "--once") {
		t.Errorf("told %+v, want 503", told)
	}
	c.Close(1000, "")
	<-s.status
}

// TestHandshakeCheckRefusals: a refusal of the check is the same as one of the handshake.
func TestHandshakeCheckRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}})
	const host, page = "Host: evil.example", "Origin: http://evil.example"
	to := s.Addr()
	resp, why := ask(t, to, opening("/", host, page))
	for _, header := range [][]string{{host}, {host, "Sec-Fetch-Site: same-origin"}, {host, page}} {
		if got, body := ask(t, to, plain("GET", handshakePath+"?path=/", header...)); got.StatusCode != resp.StatusCode || body != why || !strings.Contains(why, "--host=evil.example") {
			t.Errorf("%q: got %d %q, the handshake got %d %q", header, got.StatusCode, body, resp.StatusCode, why)
		}
	}
}

// TestHandshakeCheckDuringShutdown: checks are refused as handshakes are.
func TestHandshakeCheckDuringShutdown(t *testing.T) {
	t.Parallel()
	s, c, _ := serveDownload(t, time.Hour) // the shutdown waits for it
	var early []net.Conn
	for range 2 {
		resp, conn := send(t, s.Addr(), "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n")
		io.Copy(io.Discard, resp.Body)
		early = append(early, conn)
	}
	download := c.Response("GET")
	s.stop()
	wspipetest.Eventually(t, "the server stops", s.Stopping)
	q := question{path: "/"}
	for i, request := range []string{q.plain(true), q.handshake()} {
		resp := sendOn(t, early[i], request)
		if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 503 || string(body) != "wspipe: the server is shutting down\n" {
			t.Errorf("got %d %q\n%s", resp.StatusCode, body, request)
		}
	}
	io.Copy(io.Discard, download.Body)
}

// TestHandshakeCheckOrigin: the origin that the browser sends counts.
func TestHandshakeCheckOrigin(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Rules: access.Rules{Origins: []string{"http://good.example"}}})
	for _, lie := range []string{"http://good.example", "http://localhost", "*", ""} {
		for _, origin := range []string{"http://evil.example", "null"} {
			resp, body := fetch(t, "GET", s.http(handshakePath+"?path=/&origin="+url.QueryEscape(lie)), nil, "Origin", origin)
			var told server.Verdict
			if err := json.Unmarshal([]byte(body), &told); err != nil || resp.StatusCode != 200 {
				t.Fatalf("got %d %q: %v", resp.StatusCode, body, err)
			}
			if told.Status != 403 || told.Flag != "--origin="+origin {
				t.Errorf("a page of %s that claims to be %q is told %q", origin, lie, body)
			}
		}
	}
}

// TestHandshakeCheckSecrets: a token in the path or among the subprotocols counts as in the handshake,
// and appears nowhere.
func TestHandshakeCheckSecrets(t *testing.T) {
	t.Parallel()
	file := wspipetest.SecretFile(t, "tokens", "SECRET-good\nSECRET-another\n")
	cfg := resuming(`echo in; exec cat`)
	cfg.Auth, cfg.MaxChildren = access.Auth{TokenFile: file}, 1
	s := serve(t, cfg)
	good := []string{"Authorization: Bearer SECRET-good"}
	session := "wspipe_session=SECRET" + newID()
	c := wspipetest.Dial(t, s.ws+"?"+session, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer SECRET-good"}}})
	c.Expect("in")
	const encoded = "base64url.bearer.authorization.k8s.io." + "U0VDUkVULWdvb2Q" // SECRET-good
	for _, test := range []struct {
		q      question
		status int
	}{
		{question{path: "/?" + session, header: good}, 101},
		{question{path: "/?" + session, header: []string{"Authorization: Bearer SECRET-another"}}, 429}, // the session of another user
		{question{path: "/", header: good}, 429},
		{question{path: "/?" + session + "&access_token=SECRET-good", header: good}, 101},
		{question{path: "/?" + session + "&access_token=SECRET-bad", header: good}, 401},
		{question{path: "/?" + session, protocols: "x," + encoded, header: good}, 101},
		{question{path: "/?" + session, protocols: "x," + encoded + "x", header: good}, 401},
		{question{path: "/?" + session + "&access_token=SECRET-good", query: "&access_token=SECRET-good"}, 101},
		{question{path: "/?" + session, protocols: "v1.wspipe," + encoded, query: "&access_token=SECRET-good"}, 101},
		{question{path: "/?" + session, query: "&access_token=SECRET-good"}, 401}, // the handshake has none
	} {
		told := s.rehearse(t, test.q)
		if told.Status != test.status {
			t.Errorf("%+v: told %+v, want %d", test.q, told, test.status)
		}
		if text, _ := json.Marshal(told); bytes.Contains(text, []byte("SECRET")) {
			t.Errorf("%+v: the answer tells a secret: %s", test.q, text)
		}
		resp, body := openOnly(t, s, test.q)
		checkVerdict(t, told, resp, body)
	}
	for _, query := range []string{"", "&access_token=SECRET-bad"} { // of the check
		if resp, _ := ask(t, s.Addr(), question{path: "/?access_token=SECRET-good", query: query}.plain(true)); resp.StatusCode != 401 {
			t.Errorf("a question with %q is answered with %d", query, resp.StatusCode)
		}
	}
	if strings.Contains(s.log.String(), "SECRET") {
		t.Error("the log tells a secret")
	}
}

// TestHandshakeCheckInvalid: without a path, or with a method other than GET and HEAD.
func TestHandshakeCheckInvalid(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}})
	for _, path := range []string{"", "relative", "http://localhost/", "?q", "/%zz", "*"} {
		if told := s.rehearse(t, question{path: path}); told.Status != 400 || !strings.Contains(told.Why, "path") {
			t.Errorf("%q: told %+v", path, told)
		}
	}
	if _, body := fetch(t, "GET", s.http(handshakePath+"?path=/"), nil, "Sec-WebSocket-Protocol", "v1.wspipe"); body != `{"status":101,"subprotocol":""}`+"\n" {
		t.Errorf("a question that offers a subprotocol itself: got %q", body)
	}
	if resp, body := fetch(t, "HEAD", s.http(handshakePath+"?path=/"), nil); resp.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: got %d %q", resp.StatusCode, body)
	}
	if resp, _ := fetch(t, "POST", s.http(handshakePath+"?path=/"), nil); resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: got %d", resp.StatusCode)
	}
	s.log.Await(t, `"path":"`+handshakePath+`","status":200`, 14)
	s.log.Await(t, `"path":"`+handshakePath+`","status":405`, 1)
}
