//go:build unix

package server_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// askFor is a program that prints its CGI variables.
const askFor = "#!/bin/sh\n" + `echo "$SCRIPT_NAME|$PATH_INFO|$QUERY_STRING|$#"`

func TestDirMapsPathsToPrograms(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Dir: wspipetest.Tree(t, map[string]string{
		"top": askFor, "a/b.sh": askFor, "a/b/c d/é%": askFor, "link": "-> a/b.sh", "dirlink": "-> a", "a/up": "-> ../top", "later": "-> a/link2", "a/link2": "-> b.sh",
	})})
	for path, want := range map[string]string{
		"/top":                                "/top|||0",
		"/top/":                               "/top|/||0",
		"/top?":                               "/top|||0",
		"/top?a=%41&b#":                       "/top||a=%41&b|0",
		"/a/b.sh":                             "/a/b.sh|||0",
		"/a/b.sh/rest":                        "/a/b.sh|/rest||0",
		"/a/b.sh/rest/of/it/?q":               "/a/b.sh|/rest/of/it/|q|0",
		"/a/b.sh/a%20b%3f":                    "/a/b.sh|/a b?||0",
		"/a/b.sh/..a/a../...":                 "/a/b.sh|/..a/a../...||0",
		"/a/b.sh/.hidden":                     "/a/b.sh|/.hidden||0",
		"/a/b.sh/b.sh":                        "/a/b.sh|/b.sh||0",
		"//a///b.sh":                          "/a/b.sh|||0",
		"/a/b/c%20d/%C3%A9%25/x":              "/a/b/c d/é%|/x||0",
		"/%61/b%2esh":                         "/a/b.sh|||0",
		"/link/rest":                          "/link|/rest||0",
		"/dirlink/b.sh/rest":                  "/dirlink/b.sh|/rest||0",
		"/a/up":                               "/a/up|||0",
		"/later":                              "/later|||0",
		"/top/" + strings.Repeat("x/", 10000): "/top|/" + strings.Repeat("x/", 10000) + "||0",
	} {
		c := dial(t, strings.TrimSuffix(s.ws, "/")+strings.TrimSuffix(path, "#"))
		if got := c.Next(); got != want {
			t.Errorf("%.60s: got %.60q, want %.60q", path, got, want)
		}
	}
}

// TestDirStartsOnlyPrograms: regular, executable files. Other paths are refused before the upgrade.
func TestDirStartsOnlyPrograms(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, map[string]string{
		"text": "echo no program", "sub/run": askFor, ".hidden": askFor, ".git/hooks/x": askFor, "dangling": "-> nothing",
		"tofifo": "-> fifo", "totext": "-> text", "null": "-> /dev/null", "sh": "-> /bin/sh", "back\\slash": askFor,
	})
	if err := os.WriteFile(dir+"/plain", []byte(askFor), 0o666); err != nil {
		t.Fatal(err)
	}
	makeOdd(t, dir)
	s := serve(t, server.Config{Dir: dir, Console: true})
	expectNoWebSocket(t, s, "", "none", "text", "plain", "sub", "sub/", "sub/none", "fifo", "socket", "device", "dangling", "tofifo", "totext", "null", "sh",
		".hidden", ".git/hooks/x", "text/sub/run", "sub/../sub/run", "sub/./run", "./sub/run", "sub%2frun", "sub%5crun", "back%5cslash", "run",
		"sub/run/..", "sub/run/../run", "sub/run/a/%2e%2e/b", "sub/run/..%2fx", "sub/run/a%2f..", "sub/run/a%5c..", "sub/run/..%5c",
		"SUB/RUN", "sub%00/run", "sub/run%00", strings.Repeat("x", 300), strings.Repeat("x/", 10000))
	dial(t, s.ws+"sub/run").Expect("/sub/run|||0")
	if log := s.log.String(); strings.Count(log, `"connect"`) != 1 {
		t.Error("something else was started")
	}
}

func TestProgramsAreCurrent(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, nil)
	s := serve(t, server.Config{Dir: dir})
	expectNoWebSocket(t, s, "new/run")
	other := wspipetest.Tree(t, map[string]string{"new/run": askFor})
	if err := os.Rename(other+"/new", dir+"/new"); err != nil {
		t.Fatal(err)
	}
	dial(t, s.ws+"new/run").Expect("/new/run|||0")
	if err := os.Chmod(dir+"/new/run", 0o644); err != nil {
		t.Fatal(err)
	}
	expectNoWebSocket(t, s, "new/run")
	if err := os.RemoveAll(dir + "/new"); err != nil {
		t.Fatal(err)
	}
	expectNoWebSocket(t, s, "new/run")
}

// TestRelativeDirWithCwd: --dir is relative to the server's working directory, not to that of the
// child. It is not parallel because it changes the former.
func TestRelativeDirWithCwd(t *testing.T) {
	dir, cwd := wspipetest.Tree(t, map[string]string{"programs/run": "#!/bin/sh\npwd -P; echo $0"}), wspipetest.Tree(t, nil)
	t.Chdir(dir)
	s := serve(t, server.Config{Dir: "programs", Endpoint: server.Endpoint{Child: process.Spec{Dir: cwd}}})
	dial(t, s.ws+"run").Expect(cwd, dir+"/programs/run")
	t.Chdir(cwd) // a later change must have no effect
	dial(t, s.ws+"run").Expect(cwd, dir+"/programs/run")
	without := serve(t, server.Config{Dir: dir + "/programs"})
	dial(t, without.ws+"run").Expect(cwd, dir+"/programs/run") // as in websocketd, the server's
}

func TestProgramsThatCannotStart(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Dir: wspipetest.Tree(t, map[string]string{
		"bad": "#!/no/such/interpreter\n", "windows": "#!/bin/sh\r\necho", "none": "#!\n", "fine": askFor,
	}), MaxChildren: 1})
	wspipetest.WriteMode(t, s.cfg.Dir+"/elf", "\x7fELF", 0o755)
	for path, want := range map[string]string{
		"bad": "bad interpreter", "windows": "bad interpreter",
		"none": "not an executable for this machine, nor a script that begins with #!", "elf": "not an executable for this machine, nor a script that begins with #!",
	} {
		dial(t, s.ws+path).ExpectEnd(1011, "cannot start: "+want)
		awaitFree(t, s)
	}
	dial(t, s.ws+"fine").ExpectEnd(1000, "exit 0")
}

// TestScriptsWithoutPermission: the refusal names scripts that are not executable, but no other files.
// So does the handshake check.
func TestScriptsWithoutPermission(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, map[string]string{"sub/script.sh": "#!/bin/sh\n", "data.txt": "# data"})
	if err := os.Chmod(dir+"/sub/script.sh", 0o644); err != nil {
		t.Fatal(err)
	}
	const script, none = "the script /sub/script.sh is not executable", "at this path"
	s := serve(t, server.Config{Dir: dir, CGIDir: dir})
	console := serve(t, server.Config{Dir: dir, CGIDir: dir, Console: true})
	for path, want := range map[string]string{"sub/script.sh": script, "sub//script.sh/info": script, "data.txt": none, "sub": none, "none": none} {
		if resp, body := refused(t, s.ws+path, nil); resp.StatusCode != 404 || !strings.Contains(body, want) {
			t.Errorf("a WebSocket at /%s: got %d %q", path, resp.StatusCode, body)
		}
		if resp, body := get(t, s.http(path)); resp.StatusCode != 404 || !strings.Contains(body, want) {
			t.Errorf("/%s: got %d %q", path, resp.StatusCode, body)
		}
		if _, body := get(t, console.http("/.wspipe/handshake?path=/"+path)); !strings.Contains(body, want) {
			t.Errorf("/%s: the console is told %s", path, body)
		}
		if resp, body := get(t, console.http(path)); (want == script) != (resp.StatusCode == 404) {
			t.Errorf("/%s with a console: got %d %.100q", path, resp.StatusCode, body)
		}
	}
	s.log.Await(t, dir+"/sub/script.sh", 4)
}

// TestProgramIsRemoved: after it has been found.
func TestProgramIsRemoved(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Dir: wspipetest.Tree(t, map[string]string{"removed": askFor, "denied": askFor, "directory": askFor}), MaxChildren: 1})
	expectNoWebSocket(t, s, "none")
	s.log.Await(t, `"request"`, 1) // Serve is running; the handler below is called directly
	between := map[string]func(path string) error{
		"/removed":   os.Remove,
		"/denied":    func(path string) error { return os.Chmod(path, 0o644) },
		"/directory": func(path string) error { os.Remove(path); return os.Mkdir(path, 0o755) },
	}
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		why := s.ServeAfter(w, r, func() {
			if err := between[r.URL.Path](filepath.Join(s.cfg.Dir, r.URL.Path)); err != nil {
				t.Error(err)
			}
		})
		if why != nil {
			why.Write(w, r)
		}
	}))
	front.Config.ConnContext = s.WithConn
	front.Start()
	defer front.Close()
	for path, want := range map[string]string{"/removed": "no such file", "/denied": "not executable", "/directory": "is a directory"} {
		dial(t, "ws"+strings.TrimPrefix(front.URL, "http")+path).ExpectEnd(1011, "cannot start: "+want)
		awaitFree(t, s)
	}
}

// TestCommandGetsNoDotDot: COMMAND gets no PATH_INFO with "..", either.
func TestCommandGetsNoDotDot(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo "$PATH_INFO"`)}})
	expectNoWebSocket(t, s, "../x", "a/../../x", "%2e%2e/x", "a/..%2fx", "..%5cx", "a/..")
	dial(t, s.ws+"a/..b/.../x").Expect("/a/..b/.../x")
}
