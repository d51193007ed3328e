package server

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"wspipe/server/access"
)

// asset is a file that is embedded in the program.
type asset struct {
	content     []byte
	contentType string
	tag         string        // tells it from other versions
	zipped      func() []byte // content in gzip's format, made when it is first wanted
}

func newAsset(name string, content []byte) asset {
	sum := sha256.Sum256(content)
	return asset{content, assetType(name), fmt.Sprintf("%x", sum[:16]), sync.OnceValue(func() []byte { return zip(content) })}
}

func zip(content []byte) []byte {
	var zipped bytes.Buffer
	w, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression) // fails for unknown levels
	w.Write(content)
	w.Close() // a bytes.Buffer takes everything
	return zipped.Bytes()
}

// assetType returns the content type of the asset called name. What is to be read,
// such as a license or TypeScript, must be text: browsers would download other
// types, not show them.
func assetType(name string) string {
	return cmp.Or(contentType(name), "text/plain; charset=utf-8")
}

// write answers r, which reads, with the file.
func (a asset) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache") // but ask with the tag: there may be a new version
	h.Add("Vary", "Accept-Encoding")
	content, tag := a.content, a.tag
	// There is no secret in it that its compressed size could tell of. A client that
	// gives gzip a weight gets it plain.
	if slices.Contains(access.HeaderList(r.Header.Values("Accept-Encoding")), "gzip") {
		content, tag = a.zipped(), tag+"-gzip"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+tag+`"`)
	// Not ServeFileFS, which redirects /x/index.html to /x/.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
