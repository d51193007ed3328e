package server

import (
	"io"
	"net/http"

	"wspipe/server/access"
)

// isHealth reports whether r is a health check, which needs no credentials.
func (s *Server) isHealth(r *http.Request) bool {
	path := s.cfg.HealthPath
	return path != "" && access.IsSafe(r.Method) && (r.URL.Path == path || r.URL.EscapedPath() == path)
}

// serveHealth answers a health check. It is not called when the server stops: like any request,
// a health check is refused then with shuttingDown.
func serveHealth(w http.ResponseWriter, _ *http.Request, _ *access.Client, _ admission) *access.Refusal {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, "ok")
	return nil
}
