package server

import (
	"bytes"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"wspipe/static"
)

// consolePrefix is where the console's page finds its parts.
const consolePrefix = "/.wspipe/console/"

// consolePolicy lets the page run its own files only, and connect anywhere: it
// may try out any server.
const consolePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src *; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// consoleTypes are said here and not taken from the system, which may know
// others: a script of type text/plain would not run.
var consoleTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
}

// serveConsole answers with the console's page, at whatever path: the page
// opens the WebSocket of the path that it has been loaded from.
func serveConsole(w http.ResponseWriter, r *http.Request, _ *visitor, _ func()) *refusal {
	if !isSafe(r.Method) {
		w.Header().Set("Allow", "GET, HEAD")
		return &refusal{status: http.StatusMethodNotAllowed, why: "the console is read with GET"}
	}
	name, isPart := strings.CutPrefix(r.URL.Path, consolePrefix)
	if !isPart {
		name = "index.html"
	}
	content, err := fs.ReadFile(static.Console, name)
	if err != nil {
		return &refusal{status: http.StatusNotFound, why: "the console has no such file"}
	}
	h := w.Header()
	h.Set("Content-Type", consoleTypes[path.Ext(name)])
	h.Set("Content-Security-Policy", consolePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	// Not ServeFileFS, which redirects /x/index.html to /x/.
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	return nil
}
