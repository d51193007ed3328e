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

// asset is an embedded file.
type asset struct {
	content     []byte
	contentType string
	tag         string        // identifies the version
	zipped      func() []byte // content in gzip format, compressed by the first call
}

func newAsset(name string, content []byte) asset {
	sum := sha256.Sum256(content)
	return asset{content, assetType(name), fmt.Sprintf("%x", sum[:16]), sync.OnceValue(func() []byte { return zip(content) })}
}

func zip(content []byte) []byte {
	var zipped bytes.Buffer
	w, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression) // fails only for unknown levels
	w.Write(content)
	w.Close() // writes to a bytes.Buffer never fail
	return zipped.Bytes()
}

// assetType returns the content type of the asset with this name. A license or TypeScript is
// text, so that browsers show it instead of downloading it.
func assetType(name string) string {
	return cmp.Or(contentType(name), "text/plain; charset=utf-8")
}

// write writes the file as the response to r, a GET or HEAD request.
func (a asset) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache") // revalidate with the tag
	h.Add("Vary", "Accept-Encoding")
	content, tag := a.content, a.tag
	// The file has no secret that its compressed size could reveal. A client that sends
	// gzip with a weight gets it uncompressed.
	if slices.Contains(access.HeaderList(r.Header.Values("Accept-Encoding")), "gzip") {
		content, tag = a.zipped(), tag+"-gzip"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+tag+`"`)
	// Not ServeFileFS, because that redirects /x/index.html to /x/.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
