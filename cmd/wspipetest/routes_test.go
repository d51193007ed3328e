//go:build unix

package wspipetest_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// routed is a wspipe with --routes.
type routed struct {
	*wspipetest.Server
	file    string
	reloads int
}

// startRouted starts wspipe with a file of routes.
func startRouted(t *testing.T, routes string, flags ...string) *routed {
	t.Helper()
	s := &routed{file: filepath.Join(t.TempDir(), "routes")}
	s.write(t, routes)
	s.Server = wspipetest.Start(t, append([]string{"--routes=" + s.file}, flags...)...)
	return s
}

func (s *routed) write(t *testing.T, routes string) {
	t.Helper()
	if err := os.WriteFile(s.file, []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reload replaces the routes and waits until they are in effect.
func (s *routed) reload(t *testing.T, routes string) {
	t.Helper()
	s.write(t, routes)
	s.reloads++
	s.Signal(syscall.SIGHUP)
	s.AwaitStderrFunc("routes reloaded", func(stderr string) bool { return strings.Count(stderr, `msg="routes reloaded"`) == s.reloads })
}

// dial opens a WebSocket at path.
func (s *routed) dial(t *testing.T, path string) *wspipetest.Client {
	t.Helper()
	return dial(t, s.WS+strings.TrimPrefix(path, "/"))
}

// status returns the status of a handshake at path.
func (s *routed) status(t *testing.T, path string) int {
	t.Helper()
	conn, resp, err := websocket.Dial(t.Context(), s.WS+strings.TrimPrefix(path, "/"), nil)
	if err == nil {
		conn.CloseNow()
	}
	if resp == nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// where prints the route of a request, by its number, and what is left of the path.
const where = `sh -c 'echo "$0 $SCRIPT_NAME|$PATH_INFO"' `

// The longest route that matches answers a request.
func TestRoutesMatch(t *testing.T) {
	t.Parallel()
	s := startRouted(t, "# all\n/a -- "+where+"1\n/b/ -- "+where+"2\n/b/c -- "+where+"3\n/b/c/ -- "+where+"4\n/caf%C3%A9/ -- "+where+"5\n'/x y' -- "+where+"6\n/b -- "+where+"7\n")
	for path, want := range map[string]string{
		"/a": "1 /a|", "/a?q=/b/": "1 /a|", "/%61": "1 /a|",
		"/b/": "2 /b|/", "/b/x": "2 /b|/x", "/b/x/y/": "2 /b|/x/y/", "/b/cc": "2 /b|/cc", "/b//c": "2 /b|//c",
		"/b/c": "3 /b/c|", "/b/c/": "4 /b/c|/", "/b/c/d%20e": "4 /b/c|/d e", "/caf%C3%A9/x": "5 /café|/x", "/x%20y": "6 /x y|", "/b": "7 /b|",
		"/": "", "/a/": "", "/ab": "", "/x": "", "//a": "", "/A": "", "/caf%C3%A9": "", "/b/../a": "", "/b/%2e%2e/a": "",
	} {
		if want != "" {
			s.dial(t, path).Expect(want)
		} else if got := s.status(t, path); got != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, got)
		}
	}
	all := startRouted(t, "/ -- "+where+"1\n/b/ -- "+where+"2\n")
	for path, want := range map[string]string{"/": "1 |/", "/x": "1 |/x", "/b": "1 |/b", "/b/": "2 /b|/"} {
		all.dial(t, path).Expect(want)
	}
}

// Each route has its own flags, and those of the command line as defaults.
func TestRoutesHaveTheirFlags(t *testing.T) {
	t.Parallel()
	s := startRouted(t, `
/defaults -- sh -c 'echo "$A $B"; exit 3'
/own --setenv=B=own --exit-close-code=false --subprotocol=mine -- sh -c 'echo "$A $B $WEBSOCKET_PROTOCOL"; exit 3'
/words -- printf '[%s]\n' "$HOME" *  ';' "a \"b\""
`, "--setenv=A=a", "--setenv=B=b", "--exit-close-code", "--subprotocol=theirs")
	c := s.dial(t, "/defaults")
	c.Expect("a b")
	c.ExpectEnd(4003, "exit 3")
	c = wspipetest.Dial(t, s.WS+"own", &websocket.DialOptions{Subprotocols: []string{"mine"}})
	c.Expect("a own mine")
	c.ExpectEnd(1000, "exit 3")
	s.dial(t, "/words").Expect("[$HOME]", "[*]", "[;]", `[a "b"]`)
}

// A plain request to a route is a client if that has --http. Programs of --cgidir and files come first.
func TestRoutesOverHTTP(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("a file"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := startRouted(t, "/both/ --http -- "+where+"1\n/file --http -- "+where+"2\n/socket -- "+where+"3\n/room/ --http --share=broadcast --share-by=path -- "+pidAndEcho, "--staticdir="+dir)
	url := "http" + strings.TrimPrefix(s.WS, "ws")
	for path, want := range map[string]string{"both/a%20b": "200 1 /both|/a b\n", "file": "200 a file", "socket": "404 wspipe: no page at this path\n", "both": "404 wspipe: no page at this path\n"} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := fmt.Sprintf("%d %s", resp.StatusCode, body); got != want || err != nil {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	s.dial(t, "/file").Expect("2 /file|")
	blue, red := s.dial(t, "/room/blue"), s.dial(t, "/room/red")
	readPid(t, blue)
	readPid(t, red)
	resp, err := http.Post(url+"room/blue", "text/plain", strings.NewReader("posted"))
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("got %v, %v", resp, err)
	}
	resp.Body.Close()
	blue.Expect("posted")
	red.Send("only here")
	red.Expect("only here")
}

// A room belongs to nobody: its child gets no header and no user of the client that starts it.
func TestRoomsHaveNoUser(t *testing.T) {
	t.Parallel()
	const script = `env | grep -c "^HTTP_\|^REMOTE_\|^AUTH_TYPE=."; exec cat`
	for _, by := range []string{"path", "query:room"} {
		s := wspipetest.Start(t, "--share=broadcast", "--share-by="+by, "--basic-auth=user:secret", "/bin/sh", "-c", script)
		header := http.Header{"Authorization": {"Basic " + wspipetest.BasicPair("user", "secret")}, "X-Name": {"value"}}
		wspipetest.Dial(t, s.WS+"a?room=a", &websocket.DialOptions{HTTPHeader: header}).Expect("0")
	}
}

// The file is not served, nor is the COMMAND of a route, also of one that is new.
func TestRoutesAreHidden(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"page.html": 0o644, "old.sh": 0o755, "new.sh": 0o755} {
		wspipetest.WriteMode(t, filepath.Join(dir, name), "#!/bin/sh\n", mode)
	}
	s := &routed{file: filepath.Join(dir, "routes")}
	s.write(t, "/page.html -- "+dir+"/old.sh")
	s.Server = wspipetest.Start(t, "--routes="+s.file, "--staticdir="+dir)
	get := func(path string) int {
		t.Helper()
		resp, err := http.Get("http" + strings.TrimPrefix(s.WS, "ws") + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	expect := func(want map[string]int) {
		t.Helper()
		for path, status := range want {
			if got := get(path); got != status {
				t.Errorf("%s: status %d, want %d", path, got, status)
			}
		}
	}
	expect(map[string]int{"page.html": 200, "routes": 404, "old.sh": 404, "new.sh": 200})
	s.reload(t, "/x -- "+dir+"/new.sh")
	expect(map[string]int{"page.html": 200, "routes": 404, "old.sh": 200, "new.sh": 404})
}

// pidAndEcho is a command of a route that prints its process ID and then what it reads.
const pidAndEcho = `sh -c 'echo $$; exec cat'`

func TestRoutesReload(t *testing.T) {
	t.Parallel()
	const shared = "--share=broadcast --replay=1 --linger=-1 -- " + pidAndEcho
	s := startRouted(t, "/same "+shared+"\n/changed "+shared+"\n/removed "+shared+"\n/idle "+shared+"\n/plain -- "+pidAndEcho+"\n")
	clients, pids := make(map[string]*wspipetest.Client), make(map[string]int)
	for _, path := range []string{"/same", "/changed", "/removed", "/idle", "/plain"} {
		clients[path] = s.dial(t, path)
		pids[path] = readPid(t, clients[path])
	}
	clients["/idle"].Close(1000, "")
	s.AwaitStderr("msg=disconnect")
	// A bad file changes nothing, and each of its mistakes is in the log.
	s.write(t, "/same -- cat\n/x --foo -- cat\nbad -- cat\n")
	s.Signal(syscall.SIGHUP)
	s.AwaitStderr(`msg="cannot reload routes" error="` + s.file + `:3: the path bad does not begin with /"`)
	if !strings.Contains(s.Stderr(), `error="`+s.file+`:2: unknown flag --foo"`) || s.status(t, "/x") != 404 || gone(pids["/idle"]) {
		t.Errorf("a bad file has changed something:\n%s", s.Stderr())
	}
	if err := os.Remove(s.file); err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGHUP)
	s.AwaitStderr("no such file")
	// The order of the lines and the way in which they are written do not matter.
	s.reload(t, "/new -- "+pidAndEcho+"\n/changed --setenv=A=1 "+shared+"\n\"/same\" --linger=-1 --replay=1 --share broadcast \\\n  -- "+pidAndEcho)
	until(t, "the idle child of a changed route is gone", func() bool { return gone(pids["/idle"]) })
	for path, c := range clients { // connections stay
		if path != "/idle" {
			c.Send("still here")
			c.Expect("still here")
		}
	}
	if got := s.dial(t, "/same").Next(); got != "still here" {
		t.Errorf("a new client of an unchanged route gets %q, not the replay of its child", got)
	}
	if got := readPid(t, s.dial(t, "/changed")); got == pids["/changed"] {
		t.Error("a new client of a changed route shares the old child")
	}
	for _, path := range []string{"/removed", "/plain", "/idle"} {
		if got := s.status(t, path); got != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, got)
		}
	}
	readPid(t, s.dial(t, "/new"))
	for _, path := range []string{"/changed", "/removed"} { // until its clients disconnect
		if gone(pids[path]) {
			t.Errorf("the child of %s has been stopped", path)
		}
		clients[path].Close(1000, "")
		until(t, "the child of "+path+" is gone", func() bool { return gone(pids[path]) })
	}
}

// A session goes on when its route has changed.
func TestRoutesReloadAndSessions(t *testing.T) {
	t.Parallel()
	s := startRouted(t, "/a --resume=1h -- "+pidAndEcho)
	const session = "/a?wspipe_session=0123456789abcdefghijkl"
	c := s.dial(t, session)
	pid := readPid(t, c)
	s.reload(t, "/a --resume=1h --setenv=A=1 -- "+pidAndEcho)
	c.CloseNow()
	c = s.dial(t, session+"&wspipe_after=1")
	c.Send("x")
	c.Expect("x")
	if got := readPid(t, s.dial(t, strings.ReplaceAll(session, "0", "1"))); got == pid {
		t.Error("another session has the child")
	}
}

// A terminal that a reload would add for everybody on the network is a mistake, too.
func TestRoutesReloadWithATerminal(t *testing.T) {
	t.Parallel()
	s := startRouted(t, "/a -- cat\n", "--address=0.0.0.0")
	s.write(t, "/b --pty -- cat\n")
	s.Signal(syscall.SIGHUP)
	s.AwaitStderr(`msg="cannot reload routes" error="` + s.file + `:1: serve a terminal on 0.0.0.0:`)
}

func TestManyRoutes(t *testing.T) {
	t.Parallel()
	const n = 200
	var routes strings.Builder
	for i := range n {
		fmt.Fprintf(&routes, "/%d/ --share=broadcast --replay=10 --setenv=N=%d -- sh -c 'echo $N'\n", i, i)
	}
	wspipetest.Soon(t, 5*time.Second, func() time.Duration { // with the race detector
		begin := time.Now()
		s := startRouted(t, routes.String())
		took := time.Since(begin)
		s.dial(t, "/0/x").Expect("0")
		s.dial(t, fmt.Sprintf("/%d/", n-1)).Expect(fmt.Sprint(n - 1))
		return took
	})
}
