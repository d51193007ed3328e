//go:build unix

package server_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// What CGI programs get and what becomes of their answers (RFC 3875).

// serveCGI serves scripts, by name, from a directory.
func serveCGI(t *testing.T, cfg server.Config, scripts map[string]string) *testServer {
	t.Helper()
	files := map[string]string{}
	for name, script := range scripts {
		files[name] = "#!/bin/sh\n" + script
	}
	cfg.CGIDir = wspipetest.Tree(t, files)
	return serve(t, cfg)
}

func TestCGIAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		status int
		header http.Header // required fields
		body   string
	}{
		"plain":             {textHeader + `echo hello`, 200, http.Header{"Content-Type": {"text/plain"}}, "hello\n"},
		"line ends of HTTP": {`printf 'Content-Type: text/x\r\nX-A:  b \r\n\r\n\r\nbody'`, 200, http.Header{"Content-Type": {"text/x"}, "X-A": {"b"}}, "\r\nbody"},
		"any case":          {`printf 'content-TYPE: text/x\nstatus: 404\n\n'`, 404, http.Header{"Content-Type": {"text/x"}}, ""},
		"status":            {`printf 'Status: 404 Not Here\nContent-Type: text/x\n\ngone'`, 404, http.Header{"Content-Type": {"text/x"}, "Status": nil}, "gone"},
		"status alone":      {`printf 'Status: 503\n\n'`, 503, http.Header{}, ""},
		"location":          {`printf 'Location: http://a.example/b?c\n\n'`, 302, http.Header{"Location": {"http://a.example/b?c"}}, ""},
		"location, status":  {`printf 'Location: /b\nStatus: 307 Later\n\n'`, 307, http.Header{"Location": {"/b"}}, ""},
		"location, body":    {`printf 'Location: /b\nContent-Type: text/x\n\nmoved'`, 302, http.Header{"Location": {"/b"}}, "moved"},
		"several of one": {`printf 'Set-Cookie: a=1\nX-B: c\nSet-Cookie: b=2\nContent-Type: text/x\n\n'`, 200,
			http.Header{"Set-Cookie": {"a=1", "b=2"}, "X-B": {"c"}}, ""},
		"a connection's": {`printf 'Connection: close\nUpgrade: x\nKeep-Alive: 1\nTrailer: X\nTransfer-Encoding: gzip\nContent-Type: text/x\n\nbody'`, 200,
			http.Header{"Upgrade": nil, "Keep-Alive": nil, "Trailer": nil, "Transfer-Encoding": nil, "Connection": nil}, "body"},
		"the same twice": {`printf 'Content-Length: 4\nContent-Type: text/x\ncontent-length: 4\nContent-Type: text/x\nStatus: 200\nStatus: 200\n\nbody'`, 200,
			http.Header{"Content-Length": {"4"}, "Content-Type": {"text/x"}}, "body"},
		"its length":       {`printf 'Content-Length: 4\nContent-Type: text/x\n\nbody'`, 200, http.Header{"Content-Length": {"4"}}, "body"},
		"longer than said": {`printf 'Content-Length: 4\nContent-Type: text/x\n\nbody\n'`, 200, http.Header{"Content-Length": {"4"}}, "body"},
		"no content":       {`printf 'Status: 204\n\nbody'`, 204, http.Header{}, ""},
		"not modified":     {`printf 'Status: 304\n\nbody'`, 304, http.Header{}, ""},
		"a failure after":  {textHeader + `echo done; exit 3`, 200, http.Header{}, "done\n"},
		"a long header": {`printf 'X-Long: '; head -c 60000 /dev/zero | tr '\0' x; printf '\nContent-Type: text/x\n\nbody'`, 200,
			http.Header{"X-Long": {strings.Repeat("x", 60000)}}, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveCGI(t, server.Config{}, map[string]string{"run": test.script})
			c := wspipetest.Connect(t, s.Addr()) // not closed: the end of the response must be visible
			c.Send("GET /run HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
			resp, body := c.Whole("GET")
			if resp.StatusCode != test.status || body != test.body {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, body, test.status, test.body)
			}
			for field, want := range test.header {
				if field == "Transfer-Encoding" {
					if slices.Contains(resp.TransferEncoding, "gzip") {
						t.Error("the program's Transfer-Encoding was sent")
					}
				} else if got := resp.Header[field]; !slices.Equal(got, want) {
					t.Errorf("%s: got %q, want %q", field, got, want)
				}
			}
		})
	}
}

// TestBadCGIAnswers: without a valid header, the output is not sent, and the program is stopped even if
// its output is endless.
func TestBadCGIAnswers(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"nothing":            `:`,
		"nothing, failed":    `exit 3`,
		"killed":             `kill -9 $$`,
		"no type":            `printf 'X-A: SECRET\n\nSECRET'`,
		"no header":          `echo SECRET`,
		"an empty header":    `printf '\nSECRET'`,
		"no end":             `printf 'Content-Type: text/plain\nX: SECRET\n'`,
		"half a line":        `printf 'Content-Type: SECRET'`,
		"a bad status":       `printf 'Status: SECRET\n\n'`,
		"an interim status":  `printf 'Status: 101\n\nSECRET'`,
		"a huge status":      `printf 'Status: 600\n\nSECRET'`,
		"a longer header":    `printf 'Content-Type: text/plain\n'; yes X: SECRET | head -n 8000; printf '\nSECRET'`,
		"an endless line":    `exec tr '\0' x </dev/zero`,
		"an endless header":  `printf 'Content-Type: text/plain\n'; exec yes X: SECRET`,
		"garbage, then more": `echo SECRET; exec yes`,
		"closed":             `exec >&-`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveCGI(t, server.Config{MaxChildren: 1}, map[string]string{"run": script, "fine": textHeader + `echo fine`})
			resp, body := get(t, s.http("run"))
			if resp.StatusCode != 500 || !strings.HasPrefix(body, "wspipe: ") || strings.Contains(body+fmt.Sprint(resp.Header), "SECRET") {
				t.Errorf("got %d %q %v, want 500", resp.StatusCode, body, resp.Header)
			}
			s.log.Await(t, `"level":"ERROR","msg":"cgi program sent no valid response"`, 1)
			awaitFree(t, s)
			if resp, body := get(t, s.http("fine")); resp.StatusCode != 200 {
				t.Errorf("then: %d %q", resp.StatusCode, body)
			}
		})
	}
}

// TestContradictoryCGIAnswers: a client and a proxy could use different fields (RFC 9112, section 6.3).
func TestContradictoryCGIAnswers(t *testing.T) {
	t.Parallel()
	for _, fields := range []string{`Content-Length: 4\nContent-Length: 6`, `Content-Length: 4, 6`, `Content-Length: 4\nContent-Length:`, `Content-Length: +4`,
		`Content-Length: -1`, `Content-Length: 0x4`, `Content-Length:`, `Content-Length: 99999999999999999999`, `content-type: a/b`, `Status: 200\nStatus: 404`,
		`Status: 200 OK\nStatus: 200 Fine`, `Location: /a\nLocation: /b`} {
		s := serveCGI(t, server.Config{}, map[string]string{"run": `printf 'Content-Type: text/x\n` + fields + `\n\nSECRET'`})
		if resp, body := get(t, s.http("run")); resp.StatusCode != 502 || !strings.HasPrefix(body, "wspipe: ") || strings.Contains(body, "SECRET") {
			t.Errorf("%s: got %d %q %v, want 502", fields, resp.StatusCode, body, resp.Header)
		}
	}
}

func TestCGIHead(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{}, map[string]string{"run": `printf 'Content-Length: 4\nContent-Type: text/x\nX-Method: '"$REQUEST_METHOD"'\n\nbody'`})
	c := wspipetest.Connect(t, s.Addr())
	for range 2 {
		c.Send("HEAD /run HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		resp, _ := c.Whole("HEAD")
		if resp.StatusCode != 200 || resp.ContentLength != 4 || resp.Header.Get("X-Method") != "HEAD" {
			t.Errorf("got %d, length %d, %v", resp.StatusCode, resp.ContentLength, resp.Header)
		}
	}
}

// variables returns a script that prints its environment. (A shell would print a repeated name once.)
func variables() string {
	if runtime.GOOS == "linux" {
		return textHeader + `tr '\n\0' ' \n' </proc/$$/environ`
	}
	return textHeader + `env`
}

func TestCGIEnvironment(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{Software: "wspipe/test"}, map[string]string{"a/run.cgi": variables()})
	dir, err := filepath.EvalSymlinks(s.cfg.CGIDir)
	if err != nil {
		t.Fatal(err)
	}
	resp, text := fetch(t, "POST", s.http("a//run.cgi/in%20fo/?q=%41&r"), strings.NewReader("12345"), "Content-Type", "text/x; y", "X-Mine", "z", "Proxy", "http://evil.example")
	if resp.StatusCode != 200 {
		t.Fatalf("got %d %q", resp.StatusCode, text)
	}
	got := map[string][]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		got[name] = append(got[name], value)
	}
	for name, want := range map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "wspipe/test", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "127.0.0.1",
		"REQUEST_METHOD": "POST", "SCRIPT_NAME": "/a/run.cgi", "PATH_INFO": "/in fo/", "QUERY_STRING": "q=%41&r",
		"REQUEST_URI": "/a//run.cgi/in%20fo/?q=%41&r", "SCRIPT_FILENAME": dir + "/a/run.cgi",
		"CONTENT_LENGTH": "5", "CONTENT_TYPE": "text/x; y", "HTTP_X_MINE": "z", "REMOTE_ADDR": "127.0.0.1", "PATH": os.Getenv("PATH"),
	} {
		if values := got[name]; !slices.Equal(values, []string{want}) {
			t.Errorf("%s is %q, want %q", name, values, want)
		}
	}
	for name, values := range got {
		if len(values) != 1 || name == "HTTP_PROXY" {
			t.Errorf("%s is %q", name, values)
		}
	}
}

func TestCGIWorkingDirectory(t *testing.T) {
	t.Parallel()
	scripts := map[string]string{"top": textHeader + `pwd -P`, "a/b/run": textHeader + `pwd -P; echo $0`}
	s := serveCGI(t, server.Config{}, scripts)
	dir := s.cfg.CGIDir
	for path, want := range map[string]string{"top": dir + "\n", "a/b/run": dir + "/a/b\n" + dir + "/a/b/run\n"} {
		if _, body := get(t, s.http(path)); body != want {
			t.Errorf("%s runs in %q, want %q", path, body, want)
		}
	}
	cwd := wspipetest.Tree(t, nil)
	if _, body := get(t, serveCGI(t, server.Config{Endpoint: server.Endpoint{Child: process.Spec{Dir: cwd}}}, scripts).http("top")); body != cwd+"\n" {
		t.Errorf("with --cwd it runs in %q, want %q", body, cwd)
	}
}

func TestCGIProgramThatCannotStart(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{CGIDir: wspipetest.Tree(t, map[string]string{"run": "#!/no/such/interpreter\n# SECRET"}), MaxChildren: 1})
	for range 2 { // the slot was freed
		resp, body := get(t, s.http("run"))
		if resp.StatusCode != 500 || body != "wspipe: cannot start: bad interpreter\n" {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
	}
	s.log.Await(t, `"cannot start"`, 2)
}

func TestCGIStderrGoesToTheLog(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{}, map[string]string{"run": `echo complaint >&2; ` + textHeader + `echo pid $$`})
	_, body := get(t, s.http("run"))
	s.log.Await(t, `"msg":"stderr"`, 1)
	pid := strings.TrimSpace(strings.TrimPrefix(body, "pid "))
	if want := `"pid":` + pid + `,"line":"complaint"`; !strings.Contains(s.log.String(), want) || strings.Contains(body, "complaint") {
		t.Errorf("no %s in the log, or the answer is %q", want, body)
	}
}

func TestCGITakesASlot(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{MaxChildren: 1}, map[string]string{"run": textHeader + `echo in; cat`})
	c := wspipetest.Connect(t, s.Addr())
	c.Send("POST /run HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
	first := c.Response("POST")
	resp, body := get(t, s.http("run"))
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, "--maxforks") {
		t.Errorf("got %d %q %v, want 429", resp.StatusCode, body, resp.Header)
	}
	c.Send("0\r\n\r\n")
	first.Body.Close()
	awaitFree(t, s)
	if resp, _ := get(t, s.http("run")); resp.StatusCode != 200 {
		t.Errorf("then: %d", resp.StatusCode)
	}
}

// TestCGIMayWriteMoreThanIsSent: output beyond Content-Length does not block the program.
func TestCGIMayWriteMoreThanIsSent(t *testing.T) {
	t.Parallel()
	// The client may disconnect after its response, and on a busy machine the rest may take more than
	// 100 ms.
	s := serveCGI(t, server.Config{Endpoint: server.Endpoint{Child: process.Spec{Grace: wspipetest.Patience}}}, map[string]string{
		"none":   `printf 'Status: 204\n\n'; head -c 1000000 /dev/zero; echo finished >&2`,
		"head":   textHeader + `head -c 1000000 /dev/zero; echo finished >&2`,
		"length": `printf 'Content-Type: text/x\nContent-Length: 3\n\n'; head -c 1000000 /dev/zero; echo finished >&2`,
	})
	for i, test := range []struct {
		method, path string
		size         int
	}{{"GET", "none", 0}, {"HEAD", "head", 0}, {"GET", "length", 3}} {
		if _, body := fetch(t, test.method, s.http(test.path), nil); len(body) != test.size {
			t.Errorf("%s: got %d bytes", test.path, len(body))
		}
		s.log.Await(t, `"finished"`, i+1)
	}
}
