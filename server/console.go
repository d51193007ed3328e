package server

import (
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"wspipe/server/access"
	"wspipe/static"
)

// The console's page finds its parts below these.
const (
	consolePrefix = ownPrefix + "console/"
	vendorPrefix  = ownPrefix + "vendor/"
)

// consolePolicy lets the page run its own files only, and connect anywhere: it
// may try out any server.
const consolePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src *; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// consoleFiles are all parts of the console by their paths.
var consoleFiles = sync.OnceValue(func() map[string]asset {
	files := make(map[string]asset)
	fs.WalkDir(static.Console, ".", func(name string, _ fs.DirEntry, _ error) error {
		if content, err := fs.ReadFile(static.Console, name); err == nil { // else a directory
			files[ownPrefix+name] = newAsset(name, content)
		}
		return nil
	})
	return files
})

// serveConsole answers with a part of the console, or with its page, at whatever
// other path: the page opens the WebSocket of the path that it has been loaded
// from.
func serveConsole(w http.ResponseWriter, r *http.Request, client *access.Client, _ admission) *access.Refusal {
	if why := refuseWrite(w, r, "the console"); why != nil {
		return why
	}
	_, name, _ := ownPath(r.URL.Path)
	if !strings.HasPrefix(name, consolePrefix) && !strings.HasPrefix(name, vendorPrefix) {
		name = consolePrefix + "index.html"
		client.SetPass(w, r)
	}
	file, ok := consoleFiles()[name]
	if !ok {
		return &access.Refusal{Status: http.StatusNotFound, Why: "no such file in the console"}
	}
	w.Header().Set("Content-Security-Policy", consolePolicy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	file.write(w, r)
	return nil
}
