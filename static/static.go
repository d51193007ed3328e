// Package static holds the files that wspipe serves as its own, embedded in
// the program so that one binary is all there is to install.
package static

import (
	"embed"
	"io/fs"
)

//go:embed console vendor
var files embed.FS

// ClientModule is client.js, an ES module that needs no other file: a WebSocket
// for pages that outlives the network and a reload. ClientTypes is client.d.ts,
// its types for TypeScript.
var (
	//go:embed client.js
	ClientModule []byte
	//go:embed client.d.ts
	ClientTypes []byte
)

// Console is the developer console: console/index.html, the page itself, the
// style sheets and ES modules in console, and what they use of others in vendor.
//
// The page opens the WebSocket of its own path and query, so index.html may be
// served at any path. It loads the other files from .wspipe/console/NAME and
// .wspipe/vendor/NAME beside itself, and the client module, and needs nothing
// else: it works under a Content-Security-Policy of
//
//	default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src *
//
// as nothing is inline, and nothing comes from another host.
var Console fs.FS = files
