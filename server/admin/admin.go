// Package admin is the interface for operators: HTTP on the unix socket of --admin. It has both
// the handler and the client.
package admin

import (
	"encoding/json"
	"net/http"
	"time"
)

// SessionStatus describes one session: a child and its clients. The names of its
// fields in JSON are part of the interface.
type SessionStatus struct {
	// ID is the session ID in the log and in hello, not the client-generated one.
	ID string `json:"id"`
	// Endpoint is the URL path of the program, without PATH_INFO.
	Endpoint string `json:"endpoint"`
	Room     string `json:"room"`
	// User and Remote are those of the first client.
	User   string `json:"user"`
	Remote string `json:"remote"`
	// Pid is 0 once the child has exited.
	Pid     int       `json:"pid"`
	Clients int       `json:"clients"`
	Since   time.Time `json:"since"`
	// In is towards the child. These count the messages and the payload of all
	// clients, including those that have disconnected.
	MessagesIn  int64 `json:"messages_in"`
	MessagesOut int64 `json:"messages_out"`
	BytesIn     int64 `json:"bytes_in"`
	BytesOut    int64 `json:"bytes_out"`
	// Waiting is the backlog in bytes: what the child has not read, and what the
	// slowest client has not received.
	Waiting int `json:"waiting"`
}

// Source is the server that is administered. Its methods do not wait.
type Source interface {
	// Sessions returns all sessions, oldest first.
	Sessions() []SessionStatus
	// EndSession ends the session with this ID. It reports false if there is none.
	EndSession(id string) bool
	// Metrics returns the values of all metrics.
	Metrics() Metrics
}

const (
	sessionsPath = "/sessions"
	jsonLines    = "application/x-ndjson"
)

// Handler serves src.
func Handler(src Source) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+sessionsPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonLines)
		lines := json.NewEncoder(w)
		for _, session := range src.Sessions() {
			if lines.Encode(session) != nil { // the client has disconnected
				return
			}
		}
	})
	mux.HandleFunc("DELETE "+sessionsPath+"/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !src.EndSession(r.PathValue("id")) {
			http.Error(w, "wspipe: no such session", http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		metrics := src.Metrics()
		w.Header().Set("Content-Type", textFormat)
		w.Write(metrics.text())
	})
	return mux
}
