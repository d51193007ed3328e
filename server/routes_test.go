//go:build unix

package server_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// http returns the URL of path for plain requests.
func (s *testServer) http(path string) string {
	return "http" + strings.TrimPrefix(s.ws, "ws") + strings.TrimPrefix(path, "/")
}

// once does not follow redirects and keeps no connection.
var once = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       2 * wspipetest.Patience,
}

// fetch makes a plain request and returns the response and its body. more has header fields, each a name
// and a value.
func fetch(t *testing.T, method, url string, body io.Reader, more ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(more); i += 2 {
		req.Header.Add(more[i], more[i+1])
	}
	resp, err := once.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("after %d bytes of body: %v", len(text), err)
	}
	return resp, string(text)
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	return fetch(t, "GET", url, nil)
}

const textHeader = `printf 'Content-Type: text/plain\n\n'` + "\n"

// TestOrderOfRoutes: each directory has the same name.
func TestOrderOfRoutes(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, map[string]string{
		"ws/all": "#!/bin/sh\necho ws $SCRIPT_NAME", "ws/only": "#!/bin/sh\necho ws only",
		"cgi/all": "#!/bin/sh\n" + textHeader + "echo cgi $SCRIPT_NAME",
		"www/all": "file all", "www/two": "file two",
	})
	s := serve(t, server.Config{Dir: dir + "/ws", CGIDir: dir + "/cgi", StaticDir: dir + "/www", Console: true})
	for path, want := range map[string]string{"all": "cgi /all\n", "two": "file two", "all/more": "cgi /all\n"} {
		if resp, body := get(t, s.http(path)); resp.StatusCode != 200 || body != want {
			t.Errorf("GET %s: got %d %q, want %q", path, resp.StatusCode, body, want)
		}
	}
	for _, path := range []string{"", "only", "two/more", "nothing"} {
		if resp, body := get(t, s.http(path)); resp.StatusCode != 200 || !strings.Contains(body, "<html") {
			t.Errorf("GET %s: got %d %q, want the console", path, resp.StatusCode, body)
		}
	}
	if resp, _ := get(t, s.http(".wspipe/console/console.js")); resp.StatusCode != 200 {
		t.Errorf("a part of the console: got %d", resp.StatusCode)
	}
	dial(t, s.ws+"all").Expect("ws /all")
	dial(t, s.ws+"only").Expect("ws only")
	expectNoWebSocket(t, s, "", "two", "nothing")
}

// expectNoWebSocket checks that paths have no WebSocket endpoints.
func expectNoWebSocket(t *testing.T, s *testServer, paths ...string) {
	t.Helper()
	for _, path := range paths {
		resp, body := refused(t, s.ws+path, nil)
		if resp.StatusCode != 404 || !strings.HasPrefix(body, "wspipe: ") {
			t.Errorf("WebSocket %s: got %d %q, want 404 and a reason", path, resp.StatusCode, body)
		}
	}
}

func TestCommandWithFilesAndCGI(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, map[string]string{
		"cgi/answer": "#!/bin/sh\n" + textHeader + `echo "cgi $#"`, "www/index.html": "home",
	})
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: process.Spec{Path: "/bin/echo", Args: []string{"a", "b"}}}, CGIDir: dir + "/cgi", StaticDir: dir + "/www"})
	for _, path := range []string{"", "answer", "any/path"} {
		dial(t, s.ws+path).Expect("a b")
	}
	for path, want := range map[string]string{"": "home", "answer": "cgi 0\n"} { // no arguments of COMMAND
		if _, body := get(t, s.http(path)); body != want {
			t.Errorf("GET %s: got %q, want %q", path, body, want)
		}
	}
	if resp, _ := get(t, s.http("nothing")); resp.StatusCode != 404 {
		t.Errorf("got %d, want 404", resp.StatusCode)
	}
}

func TestDirectoriesThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, map[string]string{"file": ""})
	for _, path := range []string{dir + "/none", dir + "/file"} {
		for flag, cfg := range map[string]server.Config{"dir": {Dir: path}, "cgidir": {CGIDir: path}, "staticdir": {StaticDir: path}} {
			cfg.Addresses = []string{"127.0.0.1"}
			if _, err := server.Listen(cfg); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("open directory %q: ", path)) {
				t.Errorf("%s: %v", flag, err)
			}
		}
	}
}

func link(t testing.TB, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

// TestReplacedDirectories: a new version may replace a directory or the target of a link.
func TestReplacedDirectories(t *testing.T) {
	t.Parallel()
	version := func(n string) map[string]string {
		return map[string]string{
			"www/" + n: n, "www/cgi/p" + n: "#!/bin/sh\n# SECRET\n" + textHeader + "echo " + n, "www/ws/e" + n: "#!/bin/sh\n# SECRET\necho " + n,
			"www/c" + n: "-> cgi/p" + n,
		}
	}
	link := wspipetest.Tree(t, map[string]string{"dir": "-> " + wspipetest.Tree(t, version("1"))}) + "/dir"
	for how, replace := range map[string]func(dir, by string) error{
		"renamed": func(dir, by string) error {
			if err := os.Rename(dir+"/www", dir+"/old"); err != nil {
				return err
			}
			return os.Rename(by+"/www", dir+"/www")
		},
		"relinked": func(dir, by string) error {
			if err := os.Remove(dir); err != nil {
				return err
			}
			return os.Symlink(by, dir)
		},
	} {
		t.Run(how, func(t *testing.T) {
			dir := link
			if how == "renamed" {
				dir = wspipetest.Tree(t, version("1"))
			}
			s := serve(t, server.Config{Dir: dir + "/www/ws", CGIDir: dir + "/www/cgi", StaticDir: dir + "/www"})
			for _, n := range []string{"1", "2"} {
				if n == "2" {
					if err := replace(dir, wspipetest.Tree(t, version("2"))); err != nil {
						t.Fatal(err)
					}
				}
				for path, want := range map[string]string{n: n, "p" + n: n + "\n"} {
					if resp, body := get(t, s.http(path)); resp.StatusCode != 200 || body != want {
						t.Errorf("%s: got %d %q", path, resp.StatusCode, body)
					}
				}
				dial(t, s.ws+"e"+n).Expect(n)
				for _, path := range []string{"cgi/p" + n, "ws/e" + n, "c" + n} {
					if resp, body := get(t, s.http(path)); resp.StatusCode != 404 || strings.Contains(body, "SECRET") {
						t.Errorf("%s: got %d %q", path, resp.StatusCode, body)
					}
				}
			}
			for _, path := range []string{"1", "p1", "cgi/p1", "c1"} {
				if resp, _ := get(t, s.http(path)); resp.StatusCode != 404 {
					t.Errorf("%s of the old one: got %d", path, resp.StatusCode)
				}
			}
		})
	}
}
