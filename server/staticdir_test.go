//go:build unix

package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
	"wspipe/server/access"
)

func serveFiles(t *testing.T, files map[string]string) *testServer {
	t.Helper()
	return serve(t, server.Config{StaticDir: wspipetest.Tree(t, files)})
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	names := []string{
		"with space", "per%cent", "per%2ecent", "ha#sh", "que?ry", "a&b=c", "semi;colon", "plus+", "co:lon", "tilde~", "dots..in..it", "ends.", "Ümläut",
		"日本", "new\nline", "tab\t", "'quote\"", "<b>", "sub/with space/deep er",
	}
	files := map[string]string{"index.html": "home", "page.html": "<p>", "x.css": "p{}", "x.js": "1", "x.svg": "<svg/>", "x.json": "{}", "x.webmanifest": "{}", "X.MJS": "1",
		"x.wasm": "\x00asm", "x.avif": "?", "x.woff2": "wOF2", "x.md": "# x", "empty": "", "none": "plain", "zero": "\x00\x01"}
	for _, name := range names {
		files[name] = "content of " + name
	}
	s := serveFiles(t, files)
	for _, name := range names {
		if resp, body := get(t, s.http((&url.URL{Path: "/" + name}).EscapedPath())); resp.StatusCode != 200 || body != files[name] {
			t.Errorf("%q: got %d %q", name, resp.StatusCode, body)
		}
		every := "" // each byte escaped
		for _, c := range []byte(name) {
			if c == '/' {
				every += "/"
			} else {
				every += "%" + string("0123456789abcdef"[c>>4]) + string("0123456789ABCDEF"[c&15])
			}
		}
		if resp, body := get(t, s.http(every)); resp.StatusCode != 200 || body != files[name] {
			t.Errorf("%s: got %d %q", every, resp.StatusCode, body)
		}
	}
	for name, want := range map[string]string{
		"": "text/html; charset=utf-8", "page.html": "text/html; charset=utf-8", "x.css": "text/css; charset=utf-8", "x.js": "text/javascript; charset=utf-8",
		"x.svg": "image/svg+xml", "x.json": "application/json", "x.webmanifest": "application/manifest+json", "X.MJS": "text/javascript; charset=utf-8",
		"x.wasm": "application/wasm", "x.avif": "image/avif", "x.woff2": "font/woff2", "x.md": "text/markdown; charset=utf-8", "none": "text/plain; charset=utf-8", "zero": "application/octet-stream",
	} {
		if resp, _ := get(t, s.http(name)); resp.StatusCode != 200 || resp.Header.Get("Content-Type") != want {
			t.Errorf("%s: got %d, type %q, want %q", name, resp.StatusCode, resp.Header.Get("Content-Type"), want)
		}
	}
	if resp, body := get(t, s.http("empty")); resp.StatusCode != 200 || resp.ContentLength != 0 || body != "" {
		t.Errorf("an empty file: got %d %q, length %d", resp.StatusCode, body, resp.ContentLength)
	}
}

func TestPartsOfStaticFiles(t *testing.T) {
	t.Parallel()
	s := serveFiles(t, map[string]string{"ten": "0123456789"})
	resp, _ := get(t, s.http("ten"))
	modified := resp.Header.Get("Last-Modified")
	if resp.ContentLength != 10 || resp.Header.Get("Accept-Ranges") != "bytes" || modified == "" {
		t.Errorf("length %d, %v", resp.ContentLength, resp.Header)
	}
	for _, test := range []struct {
		method, field, value string
		status               int
		body, part           string
	}{
		{"GET", "Range", "bytes=2-4", 206, "234", "bytes 2-4/10"},
		{"GET", "Range", "bytes=8-", 206, "89", "bytes 8-9/10"},
		{"GET", "Range", "bytes=-1", 206, "9", "bytes 9-9/10"},
		{"GET", "Range", "bytes=10-", 416, "invalid range: failed to overlap\n", "bytes */10"},
		{"HEAD", "Range", "bytes=2-4", 206, "", "bytes 2-4/10"},
		{"HEAD", "X", "", 200, "", ""},
		{"GET", "If-Modified-Since", modified, 304, "", ""},
		{"HEAD", "If-Modified-Since", modified, 304, "", ""},
		{"GET", "If-Modified-Since", time.Unix(1e9, 0).UTC().Format(http.TimeFormat), 200, "0123456789", ""},
		{"GET", "If-Unmodified-Since", time.Unix(1e9, 0).UTC().Format(http.TimeFormat), 412, "", ""},
	} {
		resp, body := fetch(t, test.method, s.http("ten"), nil, test.field, test.value)
		if resp.StatusCode != test.status || body != test.body || resp.Header.Get("Content-Range") != test.part {
			t.Errorf("%s, %s %s: got %d %q %v", test.method, test.field, test.value, resp.StatusCode, body, resp.Header)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"} {
		if resp, _ := fetch(t, method, s.http("ten"), nil); resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: got %d, Allow %q", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
}

func TestStaticDirectories(t *testing.T) {
	t.Parallel()
	s := serveFiles(t, map[string]string{
		"index.html": "home", "sub/index.html": "sub", "sub/a b:c/index.html": "deep", "bare/file": "file", "odd/index.html/file": "file", "evil.example/index.html": "x",
	})
	for path, want := range map[string]string{
		"/": "home", "/index.html": "home", "/sub/": "sub", "//sub///": "sub", "/sub/index.html": "sub", "/sub/a%20b:c/": "deep", "/bare/file": "file",
	} {
		if resp, body := get(t, strings.TrimSuffix(s.http(""), "/")+path); resp.StatusCode != 200 || body != want {
			t.Errorf("%s: got %d %q", path, resp.StatusCode, body)
		}
	}
	// No listings, and no paths below files.
	for _, path := range []string{"bare", "bare/", "odd", "odd/", "odd/index.html", "odd/index.html/", "index.html/", "bare/file/", "bare/file/more", "none", "none/"} {
		if resp, body := get(t, s.http(path)); resp.StatusCode != 404 || strings.Contains(body, "file\n") {
			t.Errorf("%s: got %d %q, want 404", path, resp.StatusCode, body)
		}
	}
	for path, want := range map[string]string{
		"/sub": "/sub/", "/sub?a=%41&b": "/sub/?a=%41&b", "/sub/a%20b:c?x": "/sub/a%20b:c/?x", "//evil.example": "//evil.example/",
		"///evil.example?q": "///evil.example/?q", "/%65vil.example": "/evil.example/", "//sub//a%20b:c": "//sub//a%20b:c/",
	} {
		from, err := url.Parse(strings.TrimSuffix(s.http(""), "/") + path)
		if err != nil {
			t.Fatal(err)
		}
		resp, _ := get(t, from.String())
		to, err := from.Parse(resp.Header.Get("Location")) // as a browser resolves it
		if err != nil || resp.StatusCode != 301 || to.Host != from.Host || to.RequestURI() != want {
			t.Errorf("%s: got %d to %q, want %s", path, resp.StatusCode, resp.Header.Get("Location"), want)
		}
	}
	for _, path := range []string{"//evil.example/%2e%2e", "/%2f/evil.example", `/\evil.example`} {
		c := wspipetest.Connect(t, s.Addr())
		c.Send("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		if resp, _ := c.Whole("GET"); resp.StatusCode != 404 || resp.Header.Get("Location") != "" {
			t.Errorf("%s: got %d to %q, want 404", path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

// TestAbsoluteLinks: those that stay inside are followed, also if the directory itself is given by a
// link.
func TestAbsoluteLinks(t *testing.T) {
	t.Parallel()
	root := wspipetest.Tree(t, map[string]string{
		"www/f.txt": "inside", "www/sub/index.html": "sub", "secret.txt": canary, "www-evil/f.txt": canary, "alias": "-> www", "www/up": "-> ..", "www/torel.txt": "-> sub/../abs.txt",
		"www/cgi/p": "#!/bin/sh\n# " + canary + "\n" + textHeader + "echo ran", "www/ws/e": "#!/bin/sh\necho ran",
	})
	for name, to := range map[string]string{"abs.txt": "www/f.txt", "dir": "www/sub", "aliased.txt": "alias/f.txt", "around.txt": "www/up/www/f.txt", "twice.txt": "www/abs.txt", "dots.txt": "www/sub/../f.txt",
		"out.txt": "secret.txt", "prefix.txt": "www-evil/f.txt", "up.txt": "www/../secret.txt", "away": "www-evil", "source": "www/cgi/p", "loop": "www/loop",
		"cgi/abs": "www/cgi/p", "cgi/out": "www/ws/e", "ws/abs": "www/ws/e", "ws/dir": "www/ws", "ws/out": "www/cgi/p"} {
		link(t, root+"/"+to, root+"/www/"+name)
	}
	for _, dir := range []string{root + "/www", root + "/alias"} {
		s := serve(t, server.Config{StaticDir: dir, CGIDir: dir + "/cgi", Dir: dir + "/ws"})
		for path, want := range map[string]string{"abs.txt": "inside", "dir/": "sub", "dir/index.html": "sub", "aliased.txt": "inside", "torel.txt": "inside", "twice.txt": "inside", "dots.txt": "inside", "abs": "ran\n"} {
			if resp, body := get(t, s.http(path)); resp.StatusCode != 200 || body != want {
				t.Errorf("%s: got %d %q", path, resp.StatusCode, body)
			}
		}
		for _, path := range []string{"out.txt", "prefix.txt", "up.txt", "up/www/f.txt", "around.txt", "away/f.txt", "source", "loop", "out", "cgi/abs"} {
			if resp, body := get(t, s.http(path)); resp.StatusCode != 404 || strings.Contains(body, canary) {
				t.Errorf("%s: got %d %q, want 404", path, resp.StatusCode, body)
			}
		}
		dial(t, s.ws+"abs").Expect("ran")
		dial(t, s.ws+"dir/abs").Expect("ran")
		if resp, _ := refused(t, s.ws+"out", nil); resp.StatusCode != 404 {
			t.Errorf("a link out of --dir: got %d, want 404", resp.StatusCode)
		}
		console := serve(t, server.Config{Dir: dir + "/ws", Console: true})
		if all := console.enumerate(t); !slices.Equal(all.Paths, []string{"/abs", "/e"}) {
			t.Errorf("the list is %q", all.Paths)
		}
	}
}

// TestDotsAreRedirected to the clean path, as net/http does.
func TestDotsAreRedirected(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{StaticDir: wspipetest.Tree(t, map[string]string{"f": "file", "sub/g": "g"}), CGIDir: wspipetest.Tree(t, map[string]string{"run": "#!"})})
	for target, want := range map[string]string{
		"/sub/../f": "/f", "/sub/./g?a=%41&b=/../": "/sub/g?a=%41&b=/../", "/..": "/", "/../../f": "/f", "/sub/..": "/", "/sub/.": "/sub", "/sub/x/../": "/sub/", "//evil.example/../f": "/f",
		"/..//evil.example/f": "/evil.example/f", `/x/../\evil.example`: "/%5Cevil.example", "/a%2fb/../%66%25": "/%66%25", "/run/../f": "/f", "/.wspipe/../f": "/f",
	} {
		for _, method := range []string{"GET", "POST"} {
			if resp, _ := ask(t, s.Addr(), plain(method, target, "Host: localhost")); resp.StatusCode != 307 || resp.Header.Get("Location") != want {
				t.Errorf("%s %s: got %d to %q, want %s", method, target, resp.StatusCode, resp.Header.Get("Location"), want)
			}
		}
	}
}

// TestHeadersOfStaticFiles: they keep pages of other origins from reading and framing files, unless
// --header-http allows it.
func TestHeadersOfStaticFiles(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, map[string]string{"index.html": "<p>", "sub/index.html": "<p>"})
	ours := server.Config{StaticDir: dir}
	theirs := ours
	theirs.HeadersHTTP = []server.Header{{"Cross-Origin-Resource-Policy", "cross-origin"}, {"Content-Security-Policy", "default-src 'self'"}}
	for policy, cfg := range map[string]server.Config{"same-origin; frame-ancestors 'self'": ours, "cross-origin; default-src 'self'": theirs} {
		for _, path := range []string{"", "sub"} {
			resp, _ := get(t, serve(t, cfg).http(path))
			h := resp.Header
			if got := h.Get("Cross-Origin-Resource-Policy") + "; " + h.Get("Content-Security-Policy"); got != policy || len(h.Values("Content-Security-Policy")) != 1 || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("/%s: %d %v", path, resp.StatusCode, h)
			}
		}
	}
}

// TestOnlyRegularFilesAreServed: a read of another file may block or have effects.
func TestOnlyRegularFilesAreServed(t *testing.T) {
	t.Parallel()
	s := serveFiles(t, map[string]string{"tofifo": "-> fifo", "null": "-> /dev/null", "tosocket": "-> socket", "dangling": "-> nothing"})
	makeOdd(t, s.cfg.StaticDir)
	for _, name := range []string{"fifo", "socket", "device", "tofifo", "tosocket", "null", "dangling"} {
		if resp, _ := get(t, s.http(name)); resp.StatusCode != 404 {
			t.Errorf("%s: got %d, want 404", name, resp.StatusCode)
		}
	}
}

// makeOdd creates files in dir that are not regular, as far as permitted.
func makeOdd(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mkfifo(dir+"/fifo", 0o777); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	// The path of a socket must be short.
	short, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: short + "/s"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(short+"/s", dir+"/socket"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir+"/socket", 0o777); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 { // only root may, and in a container not even root
		syscall.Mknod(dir+"/device", syscall.S_IFCHR|0o777, 1<<8|3)
	}
}

// TestAnUnreadableFile: unreadable except for root.
func TestAnUnreadableFile(t *testing.T) {
	t.Parallel()
	s := serveFiles(t, map[string]string{"file": "SECRET", "sub/file": "SECRET"})
	for _, name := range []string{"file", "sub"} {
		if err := os.Chmod(s.cfg.StaticDir+"/"+name, 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(s.cfg.StaticDir+"/sub", 0o700) })
	if os.Getuid() == 0 {
		return // root can read every file
	}
	for name, want := range map[string]int{"file": 403, "sub/file": 404} {
		if resp, body := get(t, s.http(name)); resp.StatusCode != want || strings.Contains(body, "SECRET") {
			t.Errorf("%s: got %d %q, want %d", name, resp.StatusCode, body, want)
		}
	}
}

func TestFilesAreCurrent(t *testing.T) {
	t.Parallel()
	s := serveFiles(t, nil)
	for _, want := range []string{"first", "second, and longer"} {
		if resp, _ := get(t, s.http("file")); resp.StatusCode != 404 {
			t.Errorf("before: got %d", resp.StatusCode)
		}
		path := s.cfg.StaticDir + "/file"
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, body := get(t, s.http("file")); body != want {
			t.Errorf("got %q, want %q", body, want)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplacedFile: a file that is replaced after it has been found is checked again.
func TestReplacedFile(t *testing.T) {
	t.Parallel()
	outside := wspipetest.Tree(t, map[string]string{"secret.txt": canary})
	s := serveFiles(t, map[string]string{"file": "plain"})
	path := s.cfg.StaticDir + "/file"
	for name, replace := range map[string]func() error{
		"removed":     func() error { return nil },
		"a directory": func() error { return os.Mkdir(path, 0o700) },
		"a link out":  func() error { return os.Symlink(outside+"/secret.txt", path) },
		"a FIFO":      func() error { return syscall.Mkfifo(path, 0o600) },
	} {
		if err := os.WriteFile(path, []byte("plain"), 0o600); err != nil {
			t.Fatal(err)
		}
		r, w := httptest.NewRequest("GET", "http://localhost/file", nil), httptest.NewRecorder()
		why := s.ServeAfter(w, r.WithContext(s.WithConn(r.Context(), nil)), func() {
			os.Remove(path)
			if err := replace(); err != nil {
				t.Fatal(err)
			}
		})
		if why == nil || why.Status != 404 || strings.Contains(w.Body.String(), canary) {
			t.Errorf("%s: got %v %q", name, why, w.Body)
		}
		os.Remove(path)
	}
}

// TestHiddenFiles: files with secrets, and the program itself.
func TestHiddenFiles(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, map[string]string{
		"run.sh": "#!/bin/sh\necho in", "tokens": "sesame\n", "link": "-> tokens", "page.txt": "a page",
	})
	s := serve(t, server.Config{StaticDir: dir, Endpoint: server.Endpoint{Child: process.Spec{Path: filepath.Join(dir, "run.sh")}}, Rules: access.Rules{Auth: access.Auth{TokenFile: filepath.Join(dir, "tokens")}}})
	for path, status := range map[string]int{"run.sh": 404, "tokens": 404, "link": 404, "page.txt": 200} {
		if resp, body := fetch(t, "GET", s.http(path), nil, "Authorization", "Bearer sesame"); resp.StatusCode != status {
			t.Errorf("%s: got %d %q, want %d", path, resp.StatusCode, body, status)
		}
	}
}
