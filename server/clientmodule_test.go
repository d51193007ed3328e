//go:build unix

package server_test

import (
	"bytes"
	"net/http"
	"testing"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/static"
)

// TestClientModule: every server serves it, whatever else it serves.
func TestClientModule(t *testing.T) {
	t.Parallel()
	dir := wspipetest.Tree(t, map[string]string{"ws/run": "#!/bin/sh\necho ws", "cgi/run": "#!/bin/sh\n" + textHeader + "echo cgi", "www/index.html": "file"})
	for name, cfg := range map[string]server.Config{
		"a command": {Endpoint: server.Endpoint{Child: sh(`echo started >&2`)}},
		"a console": {Endpoint: server.Endpoint{Child: sh(`echo started >&2`)}, Console: true},
		"all":       {Dir: dir + "/ws", CGIDir: dir + "/cgi", StaticDir: dir + "/www", Console: true},
	} {
		s := serve(t, cfg)
		for path, want := range map[string]struct {
			contentType string
			content     []byte
		}{
			".wspipe/client.js":   {"text/javascript; charset=utf-8", static.ClientModule},
			".wspipe/client.d.ts": {"text/plain; charset=utf-8", static.ClientTypes},
		} {
			resp, body := get(t, s.http(path))
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != want.contentType || !bytes.Equal([]byte(body), want.content) {
				t.Errorf("%s, %s: got %d, %s, %d bytes", name, path, resp.StatusCode, resp.Header, len(body))
			}
			// A page of a development server on another port may load it.
			if resp, _ := fetch(t, "GET", s.http(path), nil, "Origin", "http://localhost:3000"); resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s, %s: no other page can load it: %s", name, path, resp.Header)
			}
			if resp, body := fetch(t, "HEAD", s.http(path), nil); resp.StatusCode != 200 || body != "" || resp.ContentLength != int64(len(want.content)) {
				t.Errorf("%s, %s: HEAD got %d, %d bytes", name, path, resp.StatusCode, resp.ContentLength)
			}
			if resp.Header.Get("Cache-Control") != "no-cache" {
				t.Errorf("%s, %s: a new version would not be seen: %s", name, path, resp.Header)
			}
			if resp, _ := fetch(t, "GET", s.http(path), nil, "If-None-Match", resp.Header.Get("ETag")); resp.StatusCode != http.StatusNotModified {
				t.Errorf("%s, %s: asked with its ETag: got %d, want 304", name, path, resp.StatusCode)
			}
			if resp, _ := fetch(t, "POST", s.http(path), nil); resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s, %s: POST got %d", name, path, resp.StatusCode)
			}
		}
		if resp, body := get(t, s.http(".wspipe/static.go")); resp.StatusCode == 200 && !cfg.Console {
			t.Errorf("%s: another file: got %d %q", name, resp.StatusCode, body)
		}
	}
}
