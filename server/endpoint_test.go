//go:build unix

package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/bridge/framing"
	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// describe requests the Description of the endpoint at path, as the console does.
func (s *testServer) describe(t *testing.T, path string) (one server.Description) {
	t.Helper()
	s.getJSON(t, endpointPath+"?path="+url.QueryEscape(path), &one)
	return one
}

// enumerate requests the list of endpoints.
func (s *testServer) enumerate(t *testing.T) (all server.Enumeration) {
	t.Helper()
	s.getJSON(t, endpointsPath, &all)
	return all
}

// getJSON requests JSON that only pages of the server may read.
func (s *testServer) getJSON(t *testing.T, path string, answer any) {
	t.Helper()
	resp, body := get(t, s.http(path))
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": ""} {
		if got := resp.Header.Get(name); resp.StatusCode != 200 || got != want {
			t.Fatalf("got %d, %s %q: %q", resp.StatusCode, name, got, body)
		}
	}
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(answer); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
}

// TestEndpointOfACommand: the fields of the response, and that every path has an endpoint.
func TestEndpointOfACommand(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`), MaxMessage: 1 << 20}, Console: true, Software: "wspipe/1.2.3"})
	const want = `{"version":"1.2.3","endpoint":{"path":"/","program":"sh","framing":"lines","pty":false,"lineBuffered":false,` +
		`"share":"","shareBy":"","readonly":false,"clients":0,"rooms":[],"resume":0,"subprotocols":[],"maxMessage":1048576,"once":false,"http":false,"parameters":[]}}` + "\n"
	for _, path := range []string{"/", "/any/path?q=/../", "//x", "/%20"} {
		if _, body := get(t, s.http(endpointPath+"?path="+url.QueryEscape(path))); body != want {
			t.Errorf("%s: got %s, want %s", path, body, want)
		}
	}
	for _, query := range []string{"", "?path=", "?path=a", "?path=%3Fq", "?path=/../x", "?path=/a/%252e%252e", "?path=/a%255c../", "?path=/%25zz", "?path=http://localhost/"} {
		if _, body := get(t, s.http(endpointPath+query)); body != `{"version":"1.2.3","endpoint":null}`+"\n" {
			t.Errorf("%s: got %s", query, body)
		}
	}
	if _, body := get(t, s.http(endpointsPath+"?path=/")); body != `{"up":"./","endpoints":[],"more":false,"rooms":[]}`+"\n" {
		t.Errorf("the list is %s", body)
	}
	for _, path := range []string{endpointPath + "?path=/", endpointsPath} {
		if resp, body := fetch(t, "HEAD", s.http(path), nil); resp.StatusCode != 200 || body != "" {
			t.Errorf("HEAD %s: got %d %q", path, resp.StatusCode, body)
		}
	}
}

// TestEndpointsOfRoutes: each has its path, its program and its flags.
func TestEndpointsOfRoutes(t *testing.T) {
	t.Parallel()
	route := func(path string, e server.Endpoint) server.Route {
		e.Child = sh(`exec cat`)
		return server.Route{Path: path, Endpoint: e}
	}
	s := serve(t, server.Config{Console: true, Routes: []server.Route{
		route("/x y", server.Endpoint{Framing: framing.NUL}), route("/b/", server.Endpoint{Share: server.ShareMux}), route("/b/c", server.Endpoint{Resume: time.Second}),
	}})
	if got, want := s.enumerate(t).Paths, []string{"/b/", "/b/c", "/x%20y"}; !slices.Equal(got, want) {
		t.Errorf("the list is %q, want %q", got, want)
	}
	for path, want := range map[string]string{"/x%20y?q": "/x%20y nul  0", "/b/d/e": "/b/ lines mux 0", "/b/c": "/b/c lines  1000", "/b/" + strings.Repeat("/x", 5000): "/b/ lines mux 0", strings.Repeat("/x", 5000): "", "/b": "", "/": ""} {
		got := ""
		if e := s.describe(t, path).Endpoint; e != nil {
			got = fmt.Sprint(e.Path, " ", e.Framing, " ", e.Share, " ", e.Resume)
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// TestEndpointReportsFlags: those that the console uses.
func TestEndpointReportsFlags(t *testing.T) {
	t.Parallel()
	plain := server.EndpointInfo{Path: "/", Program: "sh", Framing: "lines", Subprotocols: []string{}, Parameters: []server.ParameterInfo{}, Rooms: []server.RoomInfo{}}
	for name, test := range map[string]struct {
		set  func(cfg *server.Config)
		want func(info *server.EndpointInfo)
	}{
		"no limit":     {func(cfg *server.Config) { cfg.Endpoint.MaxMessage = -1 }, func(*server.EndpointInfo) {}},
		"framing":      {func(cfg *server.Config) { cfg.Endpoint.Framing = framing.NUL }, func(info *server.EndpointInfo) { info.Framing = "nul" }},
		"pty":          {func(cfg *server.Config) { cfg.Endpoint.Child.Terminal = process.FullTerminal }, func(info *server.EndpointInfo) { info.PTY = true }},
		"lines":        {func(cfg *server.Config) { cfg.Endpoint.Child.Terminal = process.StdoutTerminal }, func(info *server.EndpointInfo) { info.LineBuffered = true }},
		"broadcast":    {func(cfg *server.Config) { cfg.Endpoint.Share, cfg.Endpoint.ReadOnly = server.ShareBroadcast, true }, func(info *server.EndpointInfo) { info.Share, info.ReadOnly = "broadcast", true }},
		"mux":          {func(cfg *server.Config) { cfg.Endpoint.Share = server.ShareMux }, func(info *server.EndpointInfo) { info.Share = "mux" }},
		"resume":       {func(cfg *server.Config) { cfg.Endpoint.Resume = time.Minute }, func(info *server.EndpointInfo) { info.Resume = 60000 }},
		"subprotocols": {func(cfg *server.Config) { cfg.Endpoint.Subprotocols = []string{"b", "a"} }, func(info *server.EndpointInfo) { info.Subprotocols = []string{"b", "a"} }},
		"once":         {func(cfg *server.Config) { cfg.Once = true }, func(info *server.EndpointInfo) { info.Once = true }},
	} {
		cfg, want := server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true}, plain
		test.set(&cfg)
		test.want(&want)
		if got := serve(t, cfg).describe(t, "/"); got.Endpoint == nil || !reflect.DeepEqual(*got.Endpoint, want) {
			t.Errorf("%s: got %+v, want %+v", name, got.Endpoint, want)
		}
	}
}

// TestOwnPathsAccessRules: the access rules apply, the console's paths require --devconsole, and
// WebSockets at all of them still work.
func TestOwnPathsAccessRules(t *testing.T) {
	t.Parallel()
	cfg := server.Config{Endpoint: server.Endpoint{Child: sh(`echo "$PATH_INFO"`)}}
	without := serve(t, cfg)
	cfg.Console = true
	open := serve(t, cfg)
	cfg.Auth.Basic = "me:secret"
	closed := serve(t, cfg)
	for path, query := range map[string]string{endpointPath: "?path=/", endpointsPath: "", handshakePath: "?path=/", "/.wspipe/client.js": "", "/.wspipe/console/console.js": ""} {
		if resp, _ := get(t, closed.http(path+query)); resp.StatusCode != 401 {
			t.Errorf("%s without a password: got %d, want 401", path, resp.StatusCode)
		}
		if resp, body := ask(t, open.Addr(), plain("GET", path+query, "Host: evil.example")); resp.StatusCode != 403 || strings.Contains(body, "{") {
			t.Errorf("%s under a name that is not ours: got %d %q", path, resp.StatusCode, body)
		}
		if resp, _ := get(t, without.http(path+query)); (resp.StatusCode == 404) != strings.Contains(path, "console") {
			t.Errorf("%s without --devconsole: got %d", path, resp.StatusCode)
		}
		dial(t, open.ws+path[1:]).Expect(path)
	}
}

// TestEndpointCountsClients: of a shared child, as they connect and disconnect.
func TestEndpointCountsClients(t *testing.T) {
	t.Parallel()
	for _, share := range []server.Share{server.ShareBroadcast, server.ShareMux} {
		dir := wspipetest.Tree(t, map[string]string{"a": "#!/bin/sh\nexec cat >&2", "b": "#!/bin/sh\nexec cat >&2"})
		s := serve(t, server.Config{Dir: dir, Console: true, Endpoint: server.Endpoint{Share: share, MaxMessage: 1 << 20, Linger: -1}})
		count := func(path string, want int) {
			t.Helper()
			wspipetest.Eventually(t, "the clients are counted", func() bool { return s.describe(t, path).Endpoint.Clients == want })
		}
		count("/a", 0)
		first := dial(t, s.ws+"a")
		count("/a/info?q", 1)
		second := dial(t, s.ws+"a/other")
		third := dial(t, s.ws+"b")
		count("/a", 2)
		count("/b", 1)
		first.CloseNow()
		count("/a", 1)
		second.Close(websocket.StatusNormalClosure, "")
		count("/a", 0) // the child lingers
		count("/b", 1)
		third.Close(websocket.StatusNormalClosure, "")
		count("/b", 0)
	}
}

// TestEndpointsOfADir: the list has the paths at which a WebSocket starts a program.
func TestEndpointsOfADir(t *testing.T) {
	t.Parallel()
	const program = "#!/bin/sh\n" + `echo "$SCRIPT_NAME"`
	outside := wspipetest.Tree(t, map[string]string{"run": program, "dir/run": program})
	dir := wspipetest.Tree(t, map[string]string{
		"run": program, "sub/deep/run.py": program, "text": "echo", ".hidden": program, ".git/run": program, "sub/.run": program, "dangling": "-> nothing", "loop": "-> loop",
		"out": "-> " + outside + "/run", "outdir": "-> " + outside + "/dir", "up": "-> ../run", "self": "-> .", "sub/back": "-> ..", "sub/link": "-> deep/run.py", "current": "-> sub/deep",
		"a b": program, "100%": program, "a#b": program, "a?b": program, `a"b'c`: program, "a\nb": program, "a:b;c&d=e+f": program, "ä€": program, "<b>": program,
		"bad\xffname": program, `back\slash`: program, "...": program, "%41": program, "*": program,
	})
	makeOdd(t, dir)
	s := serve(t, server.Config{Dir: dir, Console: true})
	got := s.enumerate(t)
	want := []string{
		"/%2541", "/%2A", "/%3Cb%3E", "/100%25", "/a%0Ab", "/a%20b", "/a%22b%27c", "/a%23b", "/a%3Fb", "/a:b;c&d=e+f", "/current/run.py", "/run", "/sub/deep/run.py", "/sub/link", "/%C3%A4%E2%82%AC",
	}
	slices.Sort(want)
	listed := slices.Clone(got.Paths)
	slices.Sort(listed)
	if !slices.Equal(listed, want) || got.More {
		t.Errorf("got %q, more %v, want %q", listed, got.More, want)
	}
	if info := s.describe(t, "/none").Endpoint; info != nil {
		t.Errorf("there is %+v at /none", info)
	}
	for _, path := range got.Paths { // each path has an endpoint
		name, err := url.PathUnescape(path)
		if err != nil {
			t.Fatal(err)
		}
		dial(t, strings.TrimSuffix(s.ws, "/")+path).Expect(strings.ReplaceAll(name, "\n", " "))
		if info := s.describe(t, path+"/info?q").Endpoint; info == nil || info.Path != path || info.Program != name[strings.LastIndex(name, "/")+1:] {
			t.Errorf("%s: got %+v", path, info)
		}
	}
	if !slices.IsSortedFunc(got.Paths, func(a, b string) int {
		a, _ = url.PathUnescape(a)
		b, _ = url.PathUnescape(b)
		return strings.Compare(a, b)
	}) {
		t.Errorf("not in order: %q", got.Paths)
	}
}

// TestEndpointsAreCurrent: the list is current.
func TestEndpointsAreCurrent(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, map[string]string{"a": askFor, "b": askFor})
	s := serve(t, server.Config{Dir: dir, Console: true})
	expect := func(want ...string) {
		t.Helper()
		if got := s.enumerate(t).Paths; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect("/a", "/b")
	for _, err := range []error{os.Chmod(dir+"/a", 0o644), syscall.Rename(dir+"/b", dir+"/c")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	expect("/c")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	expect([]string{}...)
}

// TestPathsFromThePagesDirectory: the console requests paths below the directory of its page and names
// endpoints relative to it, because a proxy may have removed a prefix.
func TestPathsFromThePagesDirectory(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Dir: wspipetest.Tree(t, map[string]string{"a/b/c.sh": "#!/bin/sh\n", "d.sh": "#!/bin/sh\n"}), Console: true})
	for _, test := range []struct{ dir, path, up, endpoint string }{
		{"", "./d.sh", "./", "/d.sh"},
		{"", "./a/b/c.sh/info", "./", "/a/b/c.sh"},
		{"a/b/", "./c.sh", "./../../", "/a/b/c.sh"},
		{"a/b/", "./../../d.sh/", "./../../", "/d.sh"},
		{"a/b/c.sh/", "./../c.sh", "./../../../", "/a/b/c.sh"},
		{"a/.wspipe/", "./../b/c.sh", "./../../", "/a/b/c.sh"},
		{"a/", "./../../d.sh", "./../", ""}, // outside the prefix
		{"a/", "d.sh", "./../", ""},
	} {
		_, body := get(t, s.http("/"+test.dir+".wspipe/console/endpoint?path="+url.QueryEscape(test.path)))
		if found := strings.Contains(body, `"path":"`+test.endpoint+`"`); found != (test.endpoint != "") || !found && !strings.Contains(body, `"endpoint":null`) {
			t.Errorf("%s from /%s: got %s", test.path, test.dir, body)
		}
		_, body = get(t, s.http("/"+test.dir+".wspipe/handshake?path="+url.QueryEscape(test.path)))
		if strings.Contains(body, `"status":101`) != (test.endpoint != "") {
			t.Errorf("a handshake at %s from /%s: got %s", test.path, test.dir, body)
		}
		if _, body := get(t, s.http("/"+test.dir+".wspipe/console/endpoints")); body != `{"up":"`+test.up+`","endpoints":["/a/b/c.sh","/d.sh"],"more":false,"rooms":[]}`+"\n" {
			t.Errorf("the list for /%s is %s", test.dir, body)
		}
	}
}
