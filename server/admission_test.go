//go:build unix

package server_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/listen"
)

// gateServer is a server with all routes. Its programs write to a file when they are started.
type gateServer struct {
	*testServer
	started string // the path of that file
}

func serveGate(t *testing.T, f gateFlags, files string) *gateServer {
	t.Helper()
	cgi, started := t.TempDir(), filepath.Join(t.TempDir(), "started")
	wspipetest.WriteFile(t, filepath.Join(cgi, "run.sh"), "#!/bin/sh\necho $REQUEST_METHOD $REQUEST_URI >>"+started+
		"\nprintf 'Content-Type: text/plain\\n\\nanswer to %s' $REQUEST_METHOD\n")
	cfg := server.Config{
		Sockets: listen.Sockets{
			Addresses:  []string{"127.0.0.1"},
			UnixSocket: filepath.Join(shortDir(t), "s"),
		},
		Endpoint:  server.Endpoint{Child: sh(`echo $REQUEST_METHOD $REQUEST_URI >>` + started + `; echo in`)},
		CGIDir:    cgi,
		StaticDir: files,
		Console:   true,
	}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		l.Close()
		cfg.Addresses = append(cfg.Addresses, "::1")
	}
	if f.host != "" {
		cfg.Hosts = []string{f.host}
	}
	if f.origin != "" {
		cfg.Origins = []string{f.origin}
	}
	return &gateServer{serve(t, cfg), started}
}

// shortDir returns a temporary directory whose path is short enough for a socket in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// ask sends a request unchanged and returns the response with its body, or with the first message of
// a WebSocket.
func ask(t *testing.T, to net.Addr, request string) (*http.Response, string) {
	t.Helper()
	c := wspipetest.Connect(t, to)
	defer c.Close()
	c.Send(request)
	method, _, _ := strings.Cut(request, " ")
	return c.Whole(method)
}

// try sends each request to the server at to, and returns the refused ones by the flag that would allow
// them.
func (s *gateServer) try(t *testing.T, f gateFlags, to net.Addr, questions []asked) map[string][]asked {
	t.Helper()
	refusals := make(map[string][]asked)
	for _, q := range questions {
		resp, body := ask(t, to, q.text())
		host, origin, flag := f.judge(q)
		if !host && !origin {
			if resp.StatusCode != q.kind.status || !strings.Contains(body, q.kind.body) {
				t.Errorf("got %d %q, want %d %q\n%s", resp.StatusCode, body, q.kind.status, q.kind.body, q.text())
			}
			continue
		}
		refusals[flag] = append(refusals[flag], q)
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("got %d %q, want 403\n%s", resp.StatusCode, body, q.text())
		}
		if q.kind.method == http.MethodHead {
			continue
		}
		hostWhy := fmt.Sprintf("the host name %q is not a name of this server", q.to.host)
		if strings.Contains(body, hostWhy) != host || strings.Contains(body, q.why()) != origin ||
			!strings.HasSuffix(body, "; to allow it, start wspipe with "+flag+"\n") {
			t.Errorf("got %q, want host %t, origin %t, %s\n%s", body, host, origin, flag, q.text())
		}
	}
	return refusals
}

// why returns the part of a refusal that is about q's origin.
func (q asked) why() string {
	if q.from.site != "" {
		return "the request comes from a page on another site"
	}
	if q.from.why == "" {
		return otherHost
	}
	return q.from.why
}

// check checks the log and the started programs for all requests.
func (s *gateServer) check(t *testing.T, f gateFlags, questions []asked) {
	t.Helper()
	s.log.Await(t, `"msg":"request"`, len(questions))
	type record struct {
		Msg, Method, Path, Refused, Allow string
		Status                            int
	}
	logged := make(map[string]record)
	for line := range strings.Lines(s.log.String()) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Msg == "request" {
			logged[r.Method+" "+r.Path] = r
		}
	}
	var programs []string
	for _, q := range questions {
		host, origin, flag := f.judge(q)
		r, refused := logged[q.String()], host || origin
		if refused != (r.Status == 403) || r.Allow != flag || origin != strings.Contains(r.Refused, q.why()) ||
			host != strings.Contains(r.Refused, "not a name of this server") {
			t.Errorf("logged %+v, want host %t, origin %t, flag %q\n%s", r, host, origin, flag, q.text())
		}
		if !refused && q.kind.program {
			programs = append(programs, q.String())
		}
	}
	text, err := os.ReadFile(s.started)
	if err != nil && len(programs) > 0 {
		t.Fatal(err)
	}
	started := strings.FieldsFunc(string(text), func(c rune) bool { return c == '\n' })
	slices.Sort(started)
	slices.Sort(programs)
	if !slices.Equal(started, programs) {
		t.Errorf("programs were started for %d requests, want %d:\n%q\n%q", len(started), len(programs), started, programs)
	}
}

// TestAccessRules sends all combinations of the above to servers with all combinations of flags, each
// to one of the server's listeners.
func TestAccessRules(t *testing.T) {
	for _, f := range []gateFlags{{}, {host: "foreign.example"}, {origin: listedOrigin}, {origin: "null"}, {origin: "*"}} {
		t.Run(fmt.Sprintf("%+v", f), func(t *testing.T) {
			t.Parallel()
			files := t.TempDir()
			s := serveGate(t, f, files)
			var all []asked
			refusals := make(map[string][]asked)
			for n, l := range s.Addrs() {
				ip, port := "127.0.0.1", "8080"
				if host, p, err := net.SplitHostPort(l.String()); err == nil {
					port = p
					if strings.Contains(host, ":") {
						ip = "[" + host + "]"
					}
				}
				var questions []asked
				for i, to := range namesFor(t, ip, port) {
					own := func(combination int) bool { return (i+combination)%len(s.Addrs()) == n }
					questions = append(questions, combine(t, files, len(all)+len(questions), to, pagesFor(to), own)...)
				}
				all = append(all, questions...)
				for flag, refused := range s.try(t, f, l, questions) {
					refusals[flag] = append(refusals[flag], refused...)
				}
			}
			if f == (gateFlags{}) {
				tryAgain(t, files, refusals)
			}
			s.check(t, f, all)
		})
	}
}

// TestAccessRulesWithoutOrigin: if browsers omit Origin, they send Sec-Fetch-Site (Fetch Metadata).
func TestAccessRulesWithoutOrigin(t *testing.T) {
	var from []webPage
	for _, site := range []string{"none", "same-origin", "same-site", "cross-site"} {
		for _, dest := range []string{"document", "image", "iframe", "empty"} {
			from = append(from, webPage{site: site, dest: dest, allow: "--origin='*'"})
		}
	}
	for _, f := range []gateFlags{{}, {host: "foreign.example"}, {origin: "*"}} {
		t.Run(fmt.Sprintf("%+v", f), func(t *testing.T) {
			t.Parallel()
			files := t.TempDir()
			s := serveGate(t, f, files)
			var all []asked
			for _, to := range []called{{host: "127.0.0.1", trusted: true, loopback: true}, {host: "192.0.2.7", trusted: true}, {host: "foreign.example"}} {
				all = append(all, combine(t, files, len(all), to, from, func(int) bool { return true })...)
			}
			refusals := s.try(t, f, s.Addr(), all)
			if f == (gateFlags{}) {
				tryAgain(t, files, refusals)
			}
			s.check(t, f, all)
		})
	}
}

// combine returns every kind of request from each page, as far as they are wanted, numbered from first,
// and creates the files that they request.
func combine(t *testing.T, files string, first int, to called, from []webPage, wanted func(combination int) bool) (questions []asked) {
	t.Helper()
	for i, p := range from {
		for j, k := range kinds {
			if k.upgrade && to.old || !wanted(i+j) {
				continue // HTTP/1.0 has no WebSockets
			}
			q := asked{number: first + len(questions), kind: k, to: to, from: p}
			if strings.HasSuffix(k.path, ".txt") {
				wspipetest.WriteFile(t, filepath.Join(files, q.path()), "a file")
			}
			questions = append(questions, q)
		}
	}
	return questions
}

// tryAgain sends the refused requests to servers with the flag that the refusal names. They must be
// admitted.
func tryAgain(t *testing.T, files string, refusals map[string][]asked) {
	t.Helper()
	for flag, questions := range refusals {
		name, value, _ := strings.Cut(flag, "=")
		value = strings.Trim(value, "'")
		f := gateFlags{host: value}
		if name == "--origin" {
			f = gateFlags{origin: value}
		}
		s := serveGate(t, f, files)
		for _, q := range questions {
			resp, body := ask(t, s.Addr(), q.text())
			if resp.StatusCode != q.kind.status {
				t.Errorf("with %s: got %d %q, want %d\n%s", flag, resp.StatusCode, body, q.kind.status, q.text())
			}
		}
	}
}
