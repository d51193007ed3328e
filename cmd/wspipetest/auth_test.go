//go:build unix

package wspipetest_test

import (
	"crypto/tls"
	"encoding/base64"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"wspipe/cmd/wspipetest"
	"wspipe/static"
)

// What the tests' users know.
const (
	alicesPassword = "open:sesame"
	bobsPassword   = "hunter 2"
	goodToken      = "tok-en.1_~+/=="
)

// everything is a directory tree with each kind of thing to serve. All of it
// says "content", and each program that runs leaves a file in $STARTED.
var everything = map[string]string{
	"ws/talk":               program + "echo content of a WebSocket\n",
	"ws/deep/talk":          program + "echo content of a WebSocket\n",
	"static/index.html":     "content of the index",
	"static/a.txt":          "content of a file",
	"static/sub/index.html": "content of another index",
	"static/sub/b.txt":      "content of another file",
	"cgi/run":               program + `printf 'Content-Type: text/plain\r\nX-Content: content\r\n\r\ncontent of %s: ' "$REQUEST_METHOD"; cat` + "\n",
	"cgi/deep/run":          program + `printf 'Location: /content\r\n\r\n'` + "\n",
}

const program = "#!/bin/sh\n: >\"$STARTED/$$\"\n"

// route is a request for something that wspipe can serve.
type route struct {
	line   string // {host} stands for the server's address
	fields string
	body   string
	status int    // of the answer, if the request may come in
	has    string // what the answer's body has then
}

// routes are requests for all that a server with everything can serve.
func routes(t *testing.T, withCommand bool) []route {
	list := []route{
		{line: "GET /talk HTTP/1.1", fields: upgradeFields, status: 101, has: "content"},
		{line: "GET /deep/talk/more?x=1 HTTP/1.1", fields: upgradeFields, status: 101, has: "content"},
		{line: "GET http://{host}/talk HTTP/1.1", fields: upgradeFields, status: 101, has: "content"},
		{line: "GET /talk HTTP/1.1", fields: "Connection: Upgrade\r\nUpgrade: websocket\r\n", status: 400},
		{line: "POST /talk HTTP/1.1", fields: upgradeFields, status: 405},

		{line: "GET / HTTP/1.1", status: 200, has: "content of the index"},
		{line: "GET /index.html HTTP/1.1", status: 200, has: "content of the index"},
		{line: "GET /%61.txt HTTP/1.1", status: 200, has: "content of a file"},
		{line: "GET //a.txt HTTP/1.1", status: 200, has: "content of a file"},
		{line: "GET /a.txt HTTP/1.0", status: 200, has: "content of a file"},
		{line: "GET http://{host}/a.txt HTTP/1.1", status: 200, has: "content of a file"},
		{line: "GET http://alice:secret@{host}/a.txt HTTP/1.1", status: 200, has: "content of a file"},
		{line: "GET /sub/ HTTP/1.1", status: 200, has: "content of another index"},
		{line: "GET /sub/b.txt HTTP/1.1", status: 200, has: "content of another file"},
		{line: "GET /a.txt HTTP/1.1", fields: "Range: bytes=3-6\r\n", status: 206, has: "tent"},
		{line: "GET /a.txt HTTP/1.1", fields: "Range: bytes=0-1,3-6\r\n", status: 206, has: "tent"},
		{line: "GET /a.txt HTTP/1.1", fields: "Range: bytes=9999-\r\n", status: 416},
		{line: "GET /a.txt HTTP/1.1", fields: "If-Modified-Since: Fri, 01 Jan 2038 00:00:00 GMT\r\n", status: 304},
		{line: "GET /a.txt HTTP/1.1", fields: "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT\r\n", status: 412},
		{line: "GET /a.txt HTTP/1.1", fields: "If-None-Match: *\r\n", status: 304},
		{line: "HEAD /a.txt HTTP/1.1", status: 200},
		{line: "POST /a.txt HTTP/1.1", body: "x", status: 405},
		{line: "DELETE /a.txt HTTP/1.1", status: 405},
		{line: "OPTIONS /a.txt HTTP/1.1", status: 405},
		{line: "GET /sub HTTP/1.1", status: 301},
		{line: "HEAD /sub?x=1 HTTP/1.1", status: 301},

		{line: "GET /run HTTP/1.1", status: 200, has: "content of GET"},
		{line: "GET /run/more?x HTTP/1.0", status: 200, has: "content of GET"},
		{line: "GET http://{host}/run HTTP/1.1", status: 200, has: "content of GET"},
		{line: "POST /run HTTP/1.1", body: "the body", status: 200, has: "content of POST: the body"},
		{line: "POST /run HTTP/1.1", fields: "Transfer-Encoding: chunked\r\n", body: "4\r\nbody\r\n0\r\n\r\n", status: 200, has: "content of POST: body"},
		{line: "PROPFIND /run HTTP/1.1", status: 200, has: "content of PROPFIND"},
		{line: "OPTIONS /run HTTP/1.1", status: 200, has: "content of OPTIONS"},
		{line: "HEAD /run HTTP/1.1", status: 200},
		{line: "GET /deep/run HTTP/1.1", status: 302},

		{line: "GET /nothing-here HTTP/1.1", status: 200, has: "<title>"}, // the console's page
		{line: "GET /nothing-here HTTP/1.0", status: 200, has: "<title>"},
		{line: "GET /../ws/talk HTTP/1.1", status: 307},
		{line: "GET /.hidden HTTP/1.1", status: 200, has: "<title>"},
		{line: "GET /.wspipe HTTP/1.1", status: 200, has: "<title>"},
		{line: "GET /.wspipe/ HTTP/1.1", status: 200, has: "<title>"},
		{line: "GET /.wspipe/client.js HTTP/1.1", status: 200, has: "export function connect"},
		{line: "GET /.wspipe/client.d.ts HTTP/1.1", status: 200, has: "export function connect"},
		{line: "GET /.wspipe/console HTTP/1.1", status: 200, has: "<title>"},
		{line: "GET /.wspipe/console/ HTTP/1.1", status: 404},
		{line: "GET /.wspipe/console/none.js HTTP/1.1", status: 404},
		{line: "GET /.wspipe/console/../console/console.js HTTP/1.1", status: 307},
		{line: "GET /.wspipe/console/console.js HTTP/1.1", fields: "Range: bytes=0-9\r\n", status: 206},
		{line: "HEAD /.wspipe/console/console.js HTTP/1.1", status: 200},
		{line: "POST /.wspipe/console/console.js HTTP/1.1", status: 405},
		{line: "GET /favicon.ico HTTP/1.1", status: 200, has: "<title>"},

		{line: "OPTIONS / HTTP/1.1", status: 405},
		{line: "OPTIONS * HTTP/1.1", status: 405},
		{line: "TRACE / HTTP/1.1", status: 405},
		{line: "BREW /nothing-here HTTP/1.1", status: 405},
		{line: "CONNECT {host} HTTP/1.1", status: 405},
		{line: "PRI * HTTP/2.0", status: 405},
	}
	if withCommand {
		list = append(list[5:], // any WebSocket is COMMAND's
			route{line: "GET / HTTP/1.1", fields: upgradeFields, status: 101, has: "content"},
			route{line: "GET /run HTTP/1.1", fields: upgradeFields, status: 101, has: "content"},
			route{line: "GET /.wspipe/console/console.js HTTP/1.1", fields: upgradeFields, status: 101, has: "content"})
	} else {
		list = append(list,
			route{line: "GET /none HTTP/1.1", fields: upgradeFields, status: 404},
			route{line: "GET /run HTTP/1.1", fields: upgradeFields, status: 404})
	}
	names, err := fs.Glob(static.Console, "console/*.*")
	if err != nil || len(names) < 5 {
		t.Fatalf("the console has %q, %v", names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(static.Console, name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, route{line: "GET /.wspipe/" + name + " HTTP/1.1", status: 200, has: string(text)})
	}
	return list
}

// proof is something that a client shows to come in.
type proof struct {
	name   string
	fields []string         // of the header
	query  string           // a parameter
	from   string           // the address that the client comes from, if not 127.0.0.1
	cert   *tls.Certificate // of the client
}

// request returns the text of a request for rt that shows p.
func (rt route) request(host string, p proof) string {
	line := strings.ReplaceAll(rt.line, "{host}", host)
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if p.query != "" && strings.Contains(target, "/") {
		separator := "?"
		if strings.Contains(target, "?") {
			separator = "&"
		}
		target += separator + p.query
	}
	var b strings.Builder
	b.WriteString(method + " " + target + " " + version + "\r\n")
	if version != "HTTP/1.0" {
		b.WriteString("Host: " + host + "\r\n")
	}
	for _, field := range p.fields {
		b.WriteString(field + "\r\n")
	}
	b.WriteString(rt.fields)
	if rt.body != "" && !strings.Contains(rt.fields, "chunked") {
		b.WriteString("Content-Length: " + strconv.Itoa(len(rt.body)) + "\r\n")
	}
	b.WriteString("\r\n" + rt.body)
	return b.String()
}

// canShow reports whether rt has a place for p: a target such as * has no query.
func (rt route) canShow(p proof) bool {
	target := strings.Fields(rt.line)[1]
	return p.query == "" || strings.Contains(target, "/")
}

func pair(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// proofs are right and wrong ones for all kinds of authentication: what one takes
// the others must not, nor any the right thing in the wrong place.
var proofs = []proof{
	{name: "nothing"},
	{name: "alice", fields: []string{wspipetest.Authorization("alice", alicesPassword)}},
	{name: "bob", fields: []string{wspipetest.Authorization("bob", bobsPassword)}},
	{name: "bearer", fields: []string{"Authorization: Bearer " + goodToken}},
	{name: "token in the query", query: "access_token=tok-en.1_~%2B/=="},
	{name: "token as subprotocol", fields: []string{"Sec-WebSocket-Protocol: " + wspipetest.OfferedToken(goodToken)}},
	{name: "proxy", fields: []string{"X-Remote-User: carol"}},

	{name: "wrong password", fields: []string{wspipetest.Authorization("alice", bobsPassword)}},
	{name: "wrong password of the file", fields: []string{wspipetest.Authorization("bob", alicesPassword)}},
	{name: "no password", fields: []string{wspipetest.Authorization("alice", "")}},
	{name: "no user", fields: []string{wspipetest.Authorization("", alicesPassword)}},
	{name: "alice twice", fields: []string{wspipetest.Authorization("alice", alicesPassword), wspipetest.Authorization("alice", alicesPassword)}},
	{name: "bob twice", fields: []string{wspipetest.Authorization("bob", bobsPassword), wspipetest.Authorization("bob", bobsPassword)}},
	{name: "a pair in clear", fields: []string{"Authorization: Basic alice:" + alicesPassword}},
	{name: "a pair as bearer", fields: []string{"Authorization: Bearer " + pair("alice", alicesPassword)}},
	{name: "a pair in clear as bearer", fields: []string{"Authorization: Bearer alice:" + alicesPassword}},
	{name: "a pair as token in the query", query: "access_token=" + pair("alice", alicesPassword)},
	{name: "a pair as subprotocol", fields: []string{"Sec-WebSocket-Protocol: " + wspipetest.OfferedToken("alice:"+alicesPassword)}},
	{name: "a pair for a proxy", fields: []string{"Proxy-Authorization: Basic " + pair("alice", alicesPassword)}},
	{name: "a pair as cookie", fields: []string{"Cookie: Authorization=Basic " + pair("alice", alicesPassword)}},

	{name: "wrong bearer", fields: []string{"Authorization: Bearer x" + goodToken}},
	{name: "wrong token in the query", query: "access_token=x"},
	{name: "wrong token as subprotocol", fields: []string{"Sec-WebSocket-Protocol: " + wspipetest.OfferedToken("x")}},
	{name: "right and wrong token", query: "access_token=x", fields: []string{"Authorization: Bearer " + goodToken}},
	{name: "token without a scheme", fields: []string{"Authorization: " + goodToken}},
	{name: "token as password", fields: []string{wspipetest.Authorization("alice", goodToken)}},
	{name: "token as user", fields: []string{wspipetest.Authorization(goodToken, "")}},
	{name: "token in another parameter", query: "token=" + goodToken},
	{name: "token as a subprotocol in clear", fields: []string{"Sec-WebSocket-Protocol: " + wspipetest.TokenSubprotocol + goodToken}},
	{name: "token as cookie", fields: []string{"Cookie: access_token=" + goodToken}},
	{name: "token in the referer", fields: []string{"Referer: http://127.0.0.1/?access_token=" + goodToken}},
	{name: "token in another field", fields: []string{"Access-Token: " + goodToken, "X-Access-Token: " + goodToken}},

	{name: "proxy at another address", from: "127.0.0.2", fields: []string{"X-Remote-User: carol"}},
	{name: "proxy that says it is another", from: "127.0.0.2", fields: []string{"X-Remote-User: carol", "X-Forwarded-For: 127.0.0.1"}},
	{name: "proxy with two users", fields: []string{"X-Remote-User: carol", "X-Remote-User: carol"}},
	{name: "proxy with no user", fields: []string{"X-Remote-User:"}},
	{name: "proxy with another header", fields: []string{"Remote-User: carol", "X_Remote_User: carol", "X-Forwarded-User: carol"}},
}

// authKind is a way to turn authentication on.
type authKind struct {
	name      string
	flags     []string
	env       []string
	comeIn    []string           // names of the right proofs; all others are wrong
	certs     []*tls.Certificate // wrong ones, if the client needs one
	cert      *tls.Certificate   // the right one
	refusedBy []string           // what a refusal's body names
}

var tokenProofs = []string{"bearer", "token in the query", "token as subprotocol"}

// authKinds are all ways to turn authentication on, and some together.
func authKinds(t *testing.T) []authKind {
	passwords := "--htpasswd=" + wspipetest.SecretFile(t, "file", wspipetest.HtpasswdLine(t, "bob", bobsPassword, bcrypt.MinCost))
	tokens := "--token-file=" + wspipetest.SecretFile(t, "file", goodToken+"\n")
	ca, stranger := wspipetest.NewCA(t, "ca"), wspipetest.NewCA(t, "stranger")
	certFile, keyFile := ca.Server(t)
	own, foreign := ca.Client(t, "dave"), stranger.Client(t, "dave")
	secure := []string{"--ssl", "--sslcert=" + certFile, "--sslkey=" + keyFile, "--sslca=" + ca.CertFile}
	var anything []string
	for _, p := range proofs {
		anything = append(anything, p.name)
	}
	return []authKind{
		{name: "basic-auth", flags: []string{"--basic-auth=alice:" + alicesPassword}, comeIn: []string{"alice"}, refusedBy: []string{"--basic-auth"}},
		{name: "WSPIPE_BASIC_AUTH", env: []string{"WSPIPE_BASIC_AUTH=alice:" + alicesPassword}, comeIn: []string{"alice"}, refusedBy: []string{"--basic-auth"}},
		{name: "htpasswd", flags: []string{passwords}, comeIn: []string{"bob"}, refusedBy: []string{"--htpasswd"}},
		{name: "token-file", flags: []string{tokens}, comeIn: tokenProofs, refusedBy: []string{"--token-file"}},
		{name: "auth-header", flags: []string{"--auth-header=X-Remote-User", "--trusted-proxy=127.0.0.1"},
			comeIn: []string{"proxy"}, refusedBy: []string{"--auth-header"}},
		{name: "basic-auth and token-file", flags: []string{"--basic-auth=alice:" + alicesPassword, tokens},
			comeIn: append([]string{"alice"}, tokenProofs...), refusedBy: []string{"--basic-auth", "--token-file"}},
		{name: "sslca", flags: secure, comeIn: anything, certs: []*tls.Certificate{nil, &foreign}, cert: &own, refusedBy: []string{"--sslca"}},
		{name: "sslca and htpasswd", flags: append(secure, passwords), comeIn: []string{"bob"},
			certs: []*tls.Certificate{nil, &foreign}, cert: &own, refusedBy: []string{"--htpasswd", "--sslca"}},
	}
}

// authSite is a site with everything and one kind of authentication.
type authSite struct {
	*site
	kind    authKind
	started string // directory with a file for each child
}

func startAuthSite(t *testing.T, kind authKind, command ...string) *authSite {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, everything)
	s := &authSite{kind: kind, started: t.TempDir()}
	args := []string{"--staticdir=" + dir + "/static", "--cgidir=" + dir + "/cgi", "--devconsole", "--setenv=STARTED=" + s.started}
	if command == nil {
		args = append(args, "--dir="+dir+"/ws")
	}
	s.site = startSite(t, kind.env, slices.Concat(args, kind.flags, command)...)
	return s
}

// expectRefused sends what must be refused, and nothing else may come of it.
func (s *authSite) expectRefused(t *testing.T, rt route, p proof) {
	t.Helper()
	v, err := s.dial(t, p.from, p.cert)
	if err != nil {
		return // no handshake
	}
	defer v.Close()
	a, err := v.ask(rt.request(s.host, p))
	if err != nil {
		if p.cert == nil || p.cert == s.kind.cert { // TLS 1.3 tells of a bad certificate late
			t.Errorf("%s with %s: no answer: %v", rt.line, p.name, err)
		}
		return
	}
	if a.StatusCode != http.StatusUnauthorized && a.StatusCode != http.StatusForbidden {
		t.Errorf("%s with %s: got %s %q", rt.line, p.name, a.Status, a.body)
	}
	if (a.StatusCode == http.StatusUnauthorized) != (a.Header.Get("WWW-Authenticate") != "") {
		t.Errorf("%s with %s: got %s with challenges %q", rt.line, p.name, a.Status, a.Header["Www-Authenticate"])
	}
	for name := range a.Header {
		if !slices.Contains([]string{"Content-Type", "Content-Length", "Connection", "Date", "X-Content-Type-Options", "Www-Authenticate"}, name) {
			t.Errorf("%s with %s: the refusal has the header %s: %q", rt.line, p.name, name, a.Header[name])
		}
	}
	if strings.HasPrefix(rt.line, "HEAD ") {
		return
	}
	named := func(flag string) bool { return strings.Contains(a.body, flag) }
	if !strings.HasPrefix(a.body, "wspipe: ") || strings.Count(a.body, "\n") != 1 || strings.Contains(a.body, "content") || !slices.ContainsFunc(s.kind.refusedBy, named) {
		t.Errorf("%s with %s: the refusal is %q", rt.line, p.name, a.body)
	}
	if s.kind.cert == nil && !strings.Contains(a.body, "("+strings.Join(s.kind.refusedBy, ", ")+")") {
		t.Errorf("%s with %s: the refusal %q does not name %q", rt.line, p.name, a.body, s.kind.refusedBy)
	}
}

// expectLetIn sends what must be answered.
func (s *authSite) expectLetIn(t *testing.T, rt route, p proof) {
	t.Helper()
	v, err := s.dial(t, p.from, p.cert)
	if err != nil {
		t.Fatalf("%s with %s: %v", rt.line, p.name, err)
	}
	defer v.Close()
	a, err := v.ask(rt.request(s.host, p))
	if err != nil {
		t.Errorf("%s with %s: %v", rt.line, p.name, err)
	} else if a.StatusCode != rt.status || !strings.Contains(a.body, rt.has) {
		t.Errorf("%s with %s: got %s %q, want %d %q", rt.line, p.name, a.Status, a.body, rt.status, rt.has)
	}
}

// walk takes every route with every proof, the wrong ones first.
func (s *authSite) walk(t *testing.T, list []route) {
	var right, wrong []proof
	for _, p := range proofs {
		p.cert = s.kind.cert
		if slices.Contains(s.kind.comeIn, p.name) {
			right = append(right, p)
			for _, cert := range s.kind.certs {
				p.cert = cert
				wrong = append(wrong, p)
			}
		} else {
			wrong = append(wrong, p)
		}
	}
	if len(right) == len(proofs) { // a certificate alone decides
		right, wrong = right[:1], wrong[:len(s.kind.certs)]
	}
	for _, rt := range list {
		for _, p := range wrong {
			if rt.canShow(p) {
				s.expectRefused(t, rt, p)
			}
		}
		if t.Failed() {
			return // all others would say the same
		}
	}
	if ran, err := os.ReadDir(s.started); err != nil || len(ran) > 0 {
		t.Errorf("%d programs ran for refused requests, %v", len(ran), err)
	}
	for _, rt := range list {
		for _, p := range right {
			if rt.canShow(p) {
				s.expectLetIn(t, rt, p)
			}
		}
	}
	if ran, err := os.ReadDir(s.started); err != nil || len(ran) == 0 {
		t.Errorf("no program left a file, %v", err)
	}
}

// TestNothingAnswersWithoutAuthentication, whatever is asked for, and with it
// everything does.
func TestNothingAnswersWithoutAuthentication(t *testing.T) {
	for _, kind := range authKinds(t) {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			startAuthSite(t, kind).walk(t, routes(t, false))
		})
		if kind.name == "basic-auth and token-file" {
			t.Run(kind.name+", COMMAND", func(t *testing.T) {
				t.Parallel()
				startAuthSite(t, kind, "/bin/sh", "-c", strings.TrimPrefix(everything["ws/talk"], "#!/bin/sh\n")).walk(t, routes(t, true))
			})
		}
	}
}

// TestAConnectionIsNotLetInForGood: each request on it must show who sends it,
// also one that came in the same segment as another's right proof.
func TestAConnectionIsNotLetInForGood(t *testing.T) {
	file := route{line: "GET /a.txt HTTP/1.1"}
	post := route{line: "POST /run HTTP/1.1", body: "the body"}
	refusedPost := route{line: "POST /a.txt HTTP/1.1", body: "GET /a.txt HTTP/1.1\r\n\r\n"} // which is no request
	for _, kind := range authKinds(t) {
		if kind.name == "sslca" {
			continue // there the connection is what shows it
		}
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := startAuthSite(t, kind)
			v, err := s.dial(t, "", kind.cert)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			right := proofs[slices.IndexFunc(proofs, func(p proof) bool { return p.name == kind.comeIn[0] })]
			steps := []struct {
				route
				proof
				letIn bool
			}{
				{file, proof{}, false}, {file, right, true}, {file, proof{}, false}, {refusedPost, proof{}, false}, {file, right, true},
				{post, right, true}, {post, proof{}, false}, {file, right, true},
				{route{line: "GET /talk HTTP/1.1", fields: upgradeFields}, proof{}, false},
				{route{line: "GET /.wspipe/console/console.js HTTP/1.1"}, proof{}, false},
				{route{line: "GET /talk HTTP/1.1", fields: upgradeFields}, right, true},
			}
			expect := func(i int, a answer, err error) {
				t.Helper()
				refused := err == nil && (a.StatusCode == http.StatusUnauthorized || a.StatusCode == http.StatusForbidden)
				if err != nil || refused == steps[i].letIn || strings.Contains(a.body, "content") != steps[i].letIn {
					t.Fatalf("request %d, %s: got %+v %q, %v; want it let in: %t", i, steps[i].line, a.Response, a.body, err, steps[i].letIn)
				}
			}
			var all strings.Builder
			for i, step := range steps[:len(steps)-1] {
				request := step.request(s.host, step.proof)
				all.WriteString(request)
				a, err := v.ask(request)
				expect(i, a, err)
			}
			if _, err := v.Write([]byte(all.String())); err != nil {
				t.Fatal(err)
			}
			for i, step := range steps[:len(steps)-1] {
				a, err := v.answer(step.line)
				expect(i, a, err)
			}
			last := len(steps) - 1
			a, err := v.ask(steps[last].request(s.host, right))
			expect(last, a, err)
		})
	}
}

// TestARefusedBodyIsNotAskedFor: who waits for 100 (Continue) before he sends a
// body hears of the refusal first.
func TestARefusedBodyIsNotAskedFor(t *testing.T) {
	t.Parallel()
	s := startAuthSite(t, authKind{flags: []string{"--basic-auth=alice:" + alicesPassword}, refusedBy: []string{"--basic-auth"}})
	s.expectRefused(t, route{line: "POST /run HTTP/1.1", fields: "Expect: 100-continue\r\nContent-Length: 8\r\n"}, proof{})
}
