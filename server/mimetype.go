package server

import (
	"path"
	"strings"
)

// contentTypes maps file name extensions to the content types of web pages and their parts.
// The types of the system may differ or be missing, and a script of type text/plain would not
// run.
var contentTypes = map[string]string{
	".avif":        "image/avif",
	".cjs":         "text/javascript; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".csv":         "text/csv; charset=utf-8",
	".gif":         "image/gif",
	".htm":         "text/html; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/vnd.microsoft.icon",
	".jpeg":        "image/jpeg",
	".jpg":         "image/jpeg",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".jsonld":      "application/ld+json",
	".jxl":         "image/jxl",
	".log":         "text/plain; charset=utf-8",
	".m3u8":        "application/vnd.apple.mpegurl",
	".map":         "application/json",
	".md":          "text/markdown; charset=utf-8",
	".mjs":         "text/javascript; charset=utf-8",
	".mp3":         "audio/mpeg",
	".mp4":         "video/mp4",
	".mpd":         "application/dash+xml",
	".ndjson":      "application/x-ndjson",
	".ogg":         "audio/ogg",
	".opus":        "audio/ogg",
	".otf":         "font/otf",
	".pdf":         "application/pdf",
	".png":         "image/png",
	".svg":         "image/svg+xml",
	".ttf":         "font/ttf",
	".txt":         "text/plain; charset=utf-8",
	".vtt":         "text/vtt; charset=utf-8",
	".wasm":        "application/wasm",
	".wav":         "audio/wav",
	".webm":        "video/webm",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff":        "font/woff",
	".woff2":       "font/woff2",
	".xhtml":       "application/xhtml+xml",
	".xml":         "text/xml; charset=utf-8",
	".yaml":        "application/yaml",
	".yml":         "application/yaml",
	".zip":         "application/zip",
}

// contentType returns the content type of the file with this name, or "" if it is unknown.
func contentType(name string) string { return contentTypes[strings.ToLower(path.Ext(name))] }
