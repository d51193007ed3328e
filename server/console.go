package server

import (
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"

	"wspipe/process"
	"wspipe/server/access"
	"wspipe/static"
)

// The prefixes of the paths of the console's parts.
const (
	consolePrefix = ownPrefix + "console/"
	vendorPrefix  = ownPrefix + "vendor/"
)

// isConsolePart reports whether path is one that the console's page requests by itself.
func isConsolePart(path string) bool {
	_, name, _ := ownPath(path)
	return strings.HasPrefix(name, consolePrefix) || isVendored(name) || name == tracePath
}

// isVendored reports whether name is below vendorPrefix. These files are for pages of the user,
// too, wherever there is an endpoint with a terminal.
func isVendored(name string) bool { return strings.HasPrefix(name, vendorPrefix) }

// consolePolicy is the Content-Security-Policy of the page. It may run only its own files, and
// connect to any server.
const consolePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src *; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// consoleFiles returns the parts of the console by their paths.
var consoleFiles = sync.OnceValue(func() map[string]asset {
	files := make(map[string]asset)
	fs.WalkDir(static.Console, ".", func(name string, _ fs.DirEntry, _ error) error {
		if content, err := fs.ReadFile(static.Console, name); err == nil { // otherwise a directory
			files[ownPrefix+name] = newAsset(name, content)
		}
		return nil
	})
	return files
})

// serveConsole serves a part of the console or, at any other path, its page. The page opens a
// WebSocket to the path from which it was loaded.
func serveConsole(w http.ResponseWriter, r *http.Request, client *access.Client, _ admission) *access.Refusal {
	if why := refuseWrite(w, r, "the console"); why != nil {
		return why
	}
	_, name, _ := ownPath(r.URL.Path)
	if !strings.HasPrefix(name, consolePrefix) && !isVendored(name) {
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

// hasTerminals reports whether an endpoint has a full terminal.
func (s *Server) hasTerminals() bool {
	isFull := func(e *Endpoint) bool { return e.Child.Terminal == process.FullTerminal }
	return isFull(&s.cfg.Endpoint) || slices.ContainsFunc(s.routes(), isFull)
}
