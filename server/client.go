package server

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"

	"wspipe/static"
)

// clientFiles are the module for pages, and its types, by the path at which
// they stand before everything else.
var clientFiles = map[string]clientFile{
	"/.wspipe/client.js":   newClientFile(static.ClientModule, "text/javascript; charset=utf-8"),
	"/.wspipe/client.d.ts": newClientFile(static.ClientTypes, "text/plain; charset=utf-8"), // application/typescript would be downloaded, not shown
}

type clientFile struct {
	content     []byte
	contentType string
	tag         string
}

func newClientFile(content []byte, contentType string) clientFile {
	sum := sha256.Sum256(content)
	return clientFile{content, contentType, fmt.Sprintf(`"%x"`, sum[:16])}
}

// serve answers r with the file.
func (f clientFile) serve(w http.ResponseWriter, r *http.Request, _ *visitor, _ func()) *refusal {
	if !isSafe(r.Method) {
		w.Header().Set("Allow", "GET, HEAD")
		return &refusal{status: http.StatusMethodNotAllowed, why: "the client module is read with GET"}
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.tag)
	// Modules are loaded by the rules of CORS, and a page of another port, a
	// development server beside us, is of another origin. The file is the same for
	// everybody and holds no secret. With "*" browsers send no password for it, so
	// where one is asked for, the gate keeps pages of other origins out.
	h.Set("Access-Control-Allow-Origin", "*")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
	return nil
}
