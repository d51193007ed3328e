//go:build unix

package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
)

// canary is the content that no path may reach: files outside the directories, hidden files and the
// source of programs.
const canary = "SECRET"

// trapProgram must never be started.
const trapProgram = "#!/bin/sh\n# " + canary + "\necho TRAPPED >&2\nprintf 'Content-Type: text/plain\\n\\nTRAPPED'"

// trapTree creates all three directories, those of programs within that of files, and files around and
// between them that must not be reached.
func trapTree(t testing.TB) (root string, cfg server.Config) {
	t.Helper()
	const program = "#!/bin/sh\n# " + canary + "\n" + `printf 'Content-Type: text/plain\n\nanswer'`
	root = wspipetest.Tree(t, map[string]string{
		"secret.txt": canary, "trap.sh": trapProgram, "outside/secret.txt": canary, "outside/trap.sh": trapProgram, "outside/index.html": canary,
		"wwwevil/secret.txt": canary, // its name begins with www

		"www/index.html": "home", "www/a.txt": "plain", "www/sub/b.txt": "plain", "www/inner": "-> a.txt", "www/.env": canary, "www/.git/config": canary,
		"www/.git/hooks/x": trapProgram, "www/sub/.hidden/index.html": canary, "www/...": canary, "www/..x": canary, `www/back\slash`: canary,
		"www/self": "-> .", "www/loop": "-> loop", "www/ping": "-> pong", "www/pong": "-> ping", "www/up": "-> ..",
		"www/rel": "-> ../secret.txt", "www/dirlink": "-> ../outside", "www/chain": "-> rel", "www/chain2": "-> self/chain", "www/evil": "-> ../wwwevil",
		"www/there-and-back": "-> ../www/../secret.txt", "www/proc": "-> /proc", "www/etc": "-> /etc",

		"www/cgi/p.sh": program, "www/cgi/lib/data.txt": canary, "www/cgi/index.html": canary, "www/cgi/.hidden.sh": trapProgram, "www/cgi/.d/x.sh": trapProgram,
		"www/cgi/rel.sh": "-> ../../trap.sh", "www/cgi/dirlink": "-> ../../outside", "www/cgi/self": "-> .", "www/cgi/loop": "-> loop", "www/cgi/chain.sh": "-> rel.sh",
		"www/tocgi.sh": "-> cgi/p.sh", "www/tocgi": "-> cgi", "www/tolib": "-> cgi/lib", "www/tochain": "-> tocgi/self/p.sh", "www/tochain2": "-> tochain",

		"www/ws/e.sh": "#!/bin/sh\n# " + canary + "\necho answer", "www/ws/rel.sh": "-> ../../trap.sh", "www/ws/dirlink": "-> ../../outside", "www/ws/self": "-> .",
		"www/ws/.hidden.sh": trapProgram, "www/ws/cgi": "-> ../cgi", "www/tows.sh": "-> ws/e.sh",
	})
	link(t, root+"/secret.txt", root+"/www/abs")
	link(t, root+"/outside", root+"/www/absdir")
	link(t, root+"/trap.sh", root+"/www/cgi/abs.sh")
	link(t, root+"/trap.sh", root+"/www/ws/abs.sh")
	return root, server.Config{Dir: root + "/www/ws", CGIDir: root + "/www/cgi", StaticDir: root + "/www"}
}

// attacks returns paths that must be refused.
func attacks() []string {
	ups := []string{"..", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "..%00", "..;", "...", ". .", "..%20", "%c0%ae%c0%ae", "..%5c", `..\..`, "self/..", "%2e", "."}
	var paths []string
	for _, in := range []string{"/", "//", "/sub/", "/ws/", "/cgi/", "/self/", "/p.sh/../"} {
		for _, up := range ups {
			for _, sep := range []string{"/", "//", "%2f", "%2F", "%5c", `\`, "/./"} {
				for _, to := range []string{"secret.txt", "outside/secret.txt", "trap.sh", "www/.env"} {
					paths = append(paths, in+up+sep+to, in+up+sep+up+sep+to)
				}
			}
		}
	}
	for _, path := range []string{
		".env", ".git/config", ".git/hooks/x", ".git", ".git/", "%2eenv", "%2egit/config", "sub/.hidden/", "sub/.hidden", "...", "..x", "back%5cslash", `back\slash`,
		"abs", "absdir/secret.txt", "absdir/", "absdir", "rel", "dirlink/secret.txt", "dirlink", "dirlink/", "dirlink/trap.sh", "chain", "chain2", "evil/secret.txt",
		"there-and-back", "loop", "loop/", "loop/a.txt", "ping", "pong/x", "up/secret.txt", "up/www/a.txt", "up", "up/", "proc/self/environ", "proc/self/cwd/", "etc/passwd",
		"cgi/p.sh", "cgi/lib/data.txt", "cgi/index.html", "cgi/", "cgi", "cgi//p.sh", "self/cgi/p.sh", "%63gi/p.sh", "cgi/p%2esh", "tocgi.sh", "tocgi/p.sh", "tocgi/", "tocgi/index.html",
		"tolib/data.txt", "tochain", "tochain2", "cgi/self/p.sh", "cgi/p.sh/", "cgi/p.sh/x", "ws/e.sh", "tows.sh", "ws/self/e.sh", "ws/e.sh/", "lib/data.txt", "index.html/p.sh",
		"rel.sh", "abs.sh", "chain.sh", "dirlink/trap.sh", ".hidden.sh", ".d/x.sh", "self/rel.sh", "trap.sh", "ws/rel.sh", "self/.hidden.sh", "cgi/.hidden.sh",
		"a.txt%00", "a.txt%00.html", "%00", "a.txt/", "a.txt/../.env", "sub/%2e%2e/a.txt", "sub%2fb.txt", "sub%5cb.txt", "./.env", "sub/./.hidden",
		"a.txt%20", "a.txt.", "A.TXT", "%ff%fe", "%80", "\x80\xff", "a.txt::$DATA", "C:/secret.txt", "%25%32%65%25%32%65/secret.txt", "a.txt%0a", "~root", "-", "*",
		"%zz", "%", "%2", "a.txt%", "%u002e%u002e/secret.txt", strings.Repeat("x", 300), strings.Repeat("x", 60_000), strings.Repeat("%2e", 20_000), strings.Repeat("x/", 10_000),
		strings.Repeat("self/", 10_000), strings.Repeat("self/", 32) + "a.txt", strings.Repeat("../", 15_000) + "etc/passwd", strings.Repeat("/", 50_000) + "secret.txt",
	} {
		paths = append(paths, "/"+path)
	}
	return paths
}

// TestPathAttacks sends paths that no browser sends, each as a plain request and as a handshake.
func TestPathAttacks(t *testing.T) {
	t.Parallel()
	root, cfg := trapTree(t)
	s := serve(t, cfg)
	host := strings.TrimPrefix(strings.TrimSuffix(s.http(""), "/"), "http://")
	var attack func(c *wspipetest.Raw, method, target, version, fields string, want ...int) *wspipetest.Raw
	attack = func(c *wspipetest.Raw, method, target, version, fields string, want ...int) *wspipetest.Raw {
		t.Helper()
		if c == nil {
			c = wspipetest.Connect(t, s.Addr())
		}
		c.Send(method + " " + target + " " + version + "\r\nHost: " + host + "\r\n" + fields + "\r\n")
		resp, body := c.Whole(method)
		if all := body + fmt.Sprint(resp.Header); strings.Contains(all, canary) || strings.Contains(all, "TRAPPED") || strings.Contains(all, root) {
			t.Errorf("%s %.100q leaks: %.300q", method, target, all)
		}
		if to := resp.Header.Get("Location"); resp.StatusCode == 307 && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
			if resp.Close {
				c = nil
			}
			return attack(c, method, to, version, fields, want...) // a path without dots
		}
		ok := len(want) == 0 && resp.StatusCode/100 == 4
		for _, status := range want {
			ok = ok || resp.StatusCode == status
		}
		if !ok {
			t.Errorf("%s %.100q: got %d %.100q", method, target, resp.StatusCode, body)
		}
		if resp.Close {
			return nil
		}
		return c
	}
	var c *wspipetest.Raw
	for _, path := range attacks() {
		c = attack(c, "GET", path, "HTTP/1.1", "")
		c = attack(c, "GET", path, "HTTP/1.1", wspipetest.OpeningFields)
	}
	for _, path := range []string{"/.env", "/../secret.txt", "/rel", "/cgi/p.sh", "/%2e%2e/secret.txt"} {
		for _, method := range []string{"HEAD", "POST", "OPTIONS", "PUT", "TRACE"} {
			c = attack(c, method, path, "HTTP/1.1", "")
		}
		c = attack(c, "GET", path, "HTTP/1.0", "")
		c = attack(c, "GET", "http://"+host+path, "HTTP/1.1", "")
		c = attack(c, "GET", "http:"+path, "HTTP/1.1", "")
		c = attack(c, "GET", "file://"+root+path, "HTTP/1.1", "")
		c = attack(c, "GET", path[1:], "HTTP/1.1", "") // no slash: not a valid target
		c = attack(c, "GET", path+"#", "HTTP/1.1", "")
		c = attack(c, "GET", path+"?x#/../..", "HTTP/1.1", "")
		c = attack(c, "GET", path+" "+path, "HTTP/1.1", "")
		c = attack(c, "CONNECT", path, "HTTP/1.1", "")
	}
	c = attack(c, "CONNECT", host, "HTTP/1.1", "", 404, 405)
	c = attack(c, "OPTIONS", "*", "HTTP/1.1", "", 200, 404, 405)
	c = attack(c, "GET", "*", "HTTP/1.1", "", 400, 404)
	c = attack(c, "GET", "http://"+host, "HTTP/1.1", "", 301)
	// The files exist, and links within the directory work:
	for path, want := range map[string]string{"/": "home", "/a.txt": "plain", "/inner": "plain", "/self/self/a.txt": "plain", "/p.sh": "answer", "/self/p.sh/rest": "answer"} {
		if resp, body := get(t, strings.TrimSuffix(s.http(""), "/")+path); resp.StatusCode != 200 || body != want {
			t.Errorf("%s: got %d %q", path, resp.StatusCode, body)
		}
	}
	dial(t, s.ws+"e.sh").Expect("answer")
	if log := s.log.String(); strings.Contains(log, "TRAPPED") || strings.Contains(log, `"status":5`) || strings.Contains(log, "panic") {
		t.Error("something was started, or failed")
	}
	_ = c
}

// TestProgramDirectoriesAroundFiles: the static directory is in that of the programs, or is the same.
func TestProgramDirectoriesAroundFiles(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, map[string]string{
		"p.sh": "#!/bin/sh\n# " + canary + "\n" + textHeader + "echo answer", "pub/q.sh": "#!/bin/sh\n# " + canary + "\n" + textHeader + "echo answer",
		"pub/file": "plain", "pub/link": "-> q.sh", "pub/out": "-> ../p.sh", "lib.txt": canary, "link": "-> p.sh", "file": "plain", "pub/index.html": "home",
	})
	within := serve(t, server.Config{Dir: dir, StaticDir: dir + "/pub"})
	for path, want := range map[string]int{"file": 200, "": 200, "q.sh": 404, "link": 404, "out": 404, "p.sh": 404, "pub/q.sh": 404, "lib.txt": 404} {
		if resp, body := get(t, within.http(path)); resp.StatusCode != want || strings.Contains(body, canary) {
			t.Errorf("within, %s: got %d %q", path, resp.StatusCode, body)
		}
	}
	dial(t, within.ws+"pub/q.sh").Next()
	same := serve(t, server.Config{Dir: dir, StaticDir: dir, CGIDir: dir})
	for path, want := range map[string]string{"file": "plain", "p.sh": "answer\n", "pub/q.sh": "answer\n", "link": "answer\n", "pub/": "home"} {
		if resp, body := get(t, same.http(path)); resp.StatusCode != 200 || body != want {
			t.Errorf("same, %s: got %d %q", path, resp.StatusCode, body)
		}
	}
	dirOnly := serve(t, server.Config{Dir: dir, StaticDir: dir})
	for _, path := range []string{"p.sh", "pub/q.sh", "link", "pub/out"} {
		if resp, body := get(t, dirOnly.http(path)); resp.StatusCode != 404 || strings.Contains(body, canary) {
			t.Errorf("same, no CGI, %s: got %d %q", path, resp.StatusCode, body)
		}
	}
}

// TestMaxDepth: up to MaxDepth.
func TestMaxDepth(t *testing.T) {
	t.Parallel()
	deepest := strings.Repeat("d/", server.MaxDepth-1)
	files := map[string]string{deepest + "file": "plain", deepest + "d/file": "plain", deepest + "run": askFor, deepest + "d/run": askFor}
	dir := wspipetest.Tree(t, files)
	s := serve(t, server.Config{Dir: dir, StaticDir: dir})
	for path, want := range map[string]int{"file": 200, "d/file": 404} {
		if resp, _ := get(t, s.http(deepest+path)); resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, resp.StatusCode, want)
		}
	}
	dial(t, s.ws+deepest+"run").Expect("/" + deepest + "run|||0")
	expectNoWebSocket(t, s, deepest+"d/run")
}

// FuzzPaths searches for a path to a file that must not be reached.
func FuzzPaths(f *testing.F) {
	for _, path := range attacks() {
		if len(path) < 200 {
			f.Add(path)
		}
	}
	for _, path := range []string{"/", "/a.txt", "/self/a.txt", "/p.sh/rest", "/e.sh", "//self//inner?q", "/sub"} {
		f.Add(path)
	}
	_, cfg := trapTree(f)
	cfg.Addresses = []string{"127.0.0.1"}
	s, err := server.Listen(cfg)
	if err != nil {
		f.Fatal(err)
	}
	s.Close()
	f.Fuzz(func(t *testing.T, target string) {
		for _, fields := range []string{"", wspipetest.OpeningFields} {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields + "\r\n")))
			if err != nil {
				return // net/http answers with 400
			}
			if path, name, dir := s.Find(r); path != "" { // not trapProgram
				real, err := filepath.EvalSymlinks(path)
				if err != nil || !strings.HasPrefix(real, dir+"/") || strings.Contains(real, "/.") {
					t.Errorf("it starts %q, which is %q %v", path, real, err)
				}
				if strings.Contains(name, "//") || strings.Contains(name+"/", "/../") || !strings.HasPrefix(name, "/") {
					t.Errorf("SCRIPT_NAME %q", name)
				}
				continue
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r.WithContext(s.WithConn(r.Context(), nil)))
			body, _ := io.ReadAll(w.Result().Body)
			if w.Code >= 500 || strings.Contains(string(body)+fmt.Sprint(w.Result().Header), canary) {
				t.Errorf("got %d %q", w.Code, body)
			}
		}
	})
}
