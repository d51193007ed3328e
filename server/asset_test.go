//go:build unix

package server_test

import (
	"cmp"
	"compress/gzip"
	"io"
	"io/fs"
	"path"
	"strings"
	"testing"

	"wspipe/process"
	"wspipe/server"
	"wspipe/static"
)

// TestConsoleFiles: each file is served unchanged with the right type, and 304 if it has not changed.
func TestConsoleFiles(t *testing.T) {
	t.Parallel()
	s, without := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true}), serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}})
	types := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".mjs": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	served := make(map[string]int)
	err := fs.WalkDir(static.Console, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		served[path.Dir(name)]++
		content, err := fs.ReadFile(static.Console, name)
		if err != nil {
			return err
		}
		url := "/.wspipe/" + name
		resp, body := get(t, s.http(url))
		if resp.StatusCode != 200 || body != string(content) || resp.Header.Get("Content-Type") != cmp.Or(types[path.Ext(name)], "text/plain; charset=utf-8") {
			t.Errorf("%s: got %d, %s, %d bytes", name, resp.StatusCode, resp.Header, len(body))
		}
		policy := resp.Header.Get("Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || !strings.HasPrefix(policy, "default-src 'none';") {
			t.Errorf("%s: the policy is %q", name, policy)
		}
		for field, want := range map[string]string{"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"} {
			if got := resp.Header.Get(field); got != want {
				t.Errorf("%s: %s is %q, want %q", name, field, got, want)
			}
		}
		tag := resp.Header.Get("ETag")
		if resp, body := fetch(t, "GET", s.http(url), nil, "If-None-Match", tag); resp.StatusCode != 304 || body != "" || tag == "" {
			t.Errorf("%s: asked with its tag %s: got %d", name, tag, resp.StatusCode)
		}
		if resp, body := fetch(t, "GET", s.http(url), nil, "If-None-Match", `"other"`); resp.StatusCode != 200 || body != string(content) {
			t.Errorf("%s: asked with another tag: got %d", name, resp.StatusCode)
		}
		if resp, _ := get(t, without.http(url)); resp.StatusCode != 404 {
			t.Errorf("%s: without --devconsole: got %d, want 404", name, resp.StatusCode)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if served["console"] == 0 || len(served) < 2 {
		t.Errorf("the files are in %v", served)
	}
}

// TestConsoleHasNoOtherFiles: only its files exist below its prefixes; its page is at all other paths.
func TestConsoleHasNoOtherFiles(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true})
	for _, path := range []string{
		"console/", "console/none.js", "console/console", "console/vendor/x", "console/index.html/", "console//index.html",
		"vendor/", "vendor/none.mjs", "vendor/%2e%2e/console/index.html",
	} {
		resp, body := get(t, s.http("/.wspipe/"+path))
		if resp.StatusCode != 404 || !strings.Contains(body, "no such file") {
			t.Errorf("%s: got %d %.40q, want 404", path, resp.StatusCode, body)
		}
	}
	page, _ := fs.ReadFile(static.Console, "console/index.html")
	for _, path := range []string{"/", "/a/b.js", "/.wspipe/", "/.wspipe/console", "/.wspipe/vendor", "/vendor/x", "/.wspipe/consolexyz"} {
		if resp, body := get(t, s.http(path)); resp.StatusCode != 200 || body != string(page) {
			t.Errorf("%s: got %d %.40q, want the page", path, resp.StatusCode, body)
		}
	}
	for _, path := range []string{"/", "/.wspipe/console/index.html", "/.wspipe/vendor/none", endpointPath, endpointsPath} {
		if resp, body := fetch(t, "PUT", s.http(path), nil); resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("PUT %s: got %d %q, want 405", path, resp.StatusCode, body)
		}
	}
}

// TestAssetsAreZipped: for clients that accept gzip, with a different tag.
func TestAssetsAreZipped(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true})
	for _, url := range []string{"/.wspipe/client.js", "/.wspipe/console/console.css", "/"} {
		plain, content := fetch(t, "GET", s.http(url), nil, "Accept-Encoding", "identity")
		tags := map[string]bool{plain.Header.Get("ETag"): true}
		if plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: got %v", url, plain.Header)
		}
		for _, accepted := range []string{"gzip", "deflate, gzip, br", "br;q=1, gzip"} {
			resp, zipped := fetch(t, "GET", s.http(url), nil, "Accept-Encoding", accepted)
			r, err := gzip.NewReader(strings.NewReader(zipped))
			if err != nil {
				t.Fatalf("%s with %q: %v", url, accepted, err)
			}
			if got, err := io.ReadAll(r); string(got) != content || err != nil || resp.Header.Get("Content-Encoding") != "gzip" || len(zipped) > len(content)/2 {
				t.Errorf("%s with %q: %d bytes of %d, %v, %v", url, accepted, len(zipped), len(content), resp.Header, err)
			}
			tags[resp.Header.Get("ETag")] = true
			if again, body := fetch(t, "GET", s.http(url), nil, "Accept-Encoding", accepted, "If-None-Match", resp.Header.Get("ETag")); again.StatusCode != 304 || body != "" {
				t.Errorf("%s with %q: asked again got %d", url, accepted, again.StatusCode)
			}
		}
		for _, accepted := range []string{"gzip;q=0", "br", "gzipped"} {
			if resp, body := fetch(t, "GET", s.http(url), nil, "Accept-Encoding", accepted); body != content || resp.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s with %q: got %v", url, accepted, resp.Header)
			}
		}
		if len(tags) != 2 {
			t.Errorf("%s: the tags are %v", url, tags)
		}
	}
}

// TestConsoleIsQuiet: requests for parts of the console are not in the access log, unless they are
// refused.
func TestConsoleIsQuiet(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true})
	for _, path := range []string{"/.wspipe/console/console.js", "/a/.wspipe/vendor/xterm/xterm.css", endpointPath, endpointsPath, "/.wspipe/console/none", "/page"} {
		get(t, s.http(path))
	}
	s.log.Await(t, `"path":"/page"`, 1)
	var logged []string
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, `"level":"DEBUG+2"`) {
			logged = append(logged, line[strings.Index(line, `"path"`):])
		}
	}
	if len(logged) != 2 || !strings.Contains(logged[0], "console/none") {
		t.Errorf("the access log has %q", logged)
	}
}

// TestVendoredFiles are served wherever there is a terminal.
func TestVendoredFiles(t *testing.T) {
	t.Parallel()
	terminal, plain := sh(`exec cat`), sh(`exec cat`)
	terminal.Terminal = process.FullTerminal
	for status, spec := range map[int]process.Spec{200: terminal, 404: plain} {
		s := serve(t, server.Config{Endpoint: server.Endpoint{Child: spec}})
		if resp, _ := get(t, s.http("/.wspipe/vendor/xterm/xterm.mjs")); resp.StatusCode != status {
			t.Errorf("terminal %v: got %d, want %d", spec.Terminal, resp.StatusCode, status)
		}
		if resp, _ := get(t, s.http("/.wspipe/console/console.js")); resp.StatusCode != 404 {
			t.Errorf("terminal %v: the console is served, too", spec.Terminal)
		}
	}
}
