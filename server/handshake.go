package server

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"wspipe/server/access"
)

// handshakePath is where a page asks why its WebSocket was refused: browsers do
// not tell it.
const handshakePath = ownPrefix + "handshake"

// verdict is what an opening handshake would be answered with.
type verdict struct {
	Status      int     `json:"status"`
	Subprotocol *string `json:"subprotocol,omitempty"` // with 101; empty for none
	Why         string  `json:"why,omitempty"`         // without
	Flag        string  `json:"flag,omitempty"`        // that would allow it, if there is one
}

// handshakeOf returns the opening handshake that r asks about: the one that would
// come by the same way, with the same header, from the page that r comes from. A
// page cannot pass for one of another origin, since browsers add Origin to what it
// asks of those; r may only tell the origin where they leave it out. It returns nil if
// there is no path to ask about. What is taken out of either does not touch the
// other.
func handshakeOf(r *http.Request) *http.Request {
	u := targetOf(r)
	if u == nil {
		return nil
	}
	asked, query := r.Clone(r.Context()), r.URL.Query()
	asked.ContentLength = 0
	asked.Method, asked.URL, asked.RequestURI = http.MethodGet, u, u.RequestURI()
	asked.Header.Set("Connection", "Upgrade")
	asked.Header.Set("Upgrade", "websocket")
	asked.Header.Del("Sec-WebSocket-Protocol")
	if names := query.Get("protocols"); names != "" {
		asked.Header.Set("Sec-WebSocket-Protocol", names)
	}
	if origin := query.Get("origin"); origin != "" && len(r.Header.Values("Origin")) == 0 {
		asked.Header.Set("Origin", origin)
	}
	return asked
}

// targetOf returns what r asks about, the path and query in its parameter path,
// which is what would stand in the first line of a request. A path that begins with
// "./" is relative to the directory that r is in, as ownPath has it. It returns nil
// if the path is missing or malformed, or leads out of what we know.
func targetOf(r *http.Request) *url.URL {
	path := r.URL.Query().Get("path")
	if rest, isRelative := strings.CutPrefix(path, "./"); isRelative {
		dir, _, _ := ownPath(r.URL.Path)
		for strings.HasPrefix(rest, "../") {
			if dir == "/" {
				return nil
			}
			dir, rest = dir[:strings.LastIndex(dir[:len(dir)-1], "/")+1], rest[len("../"):]
		}
		path = escapePath(dir) + rest
	}
	u, err := url.ParseRequestURI(path)
	if err != nil || path[0] != '/' {
		return nil
	}
	return u
}

// explain returns what answers with the verdict on asked, a handshake that does not
// take place; nil stands for a malformed one. It tells no more than a refused
// handshake does, but pages can read it.
func (s *Server) explain(asked *http.Request) handler {
	return func(w http.ResponseWriter, r *http.Request, _ *access.Client, _ admission) *access.Refusal {
		if why := refuseWrite(w, r, "the handshake check"); why != nil {
			return why
		}
		// Also by the page of another origin, which is the one to be refused. With "*"
		// browsers send no password for it, as for the client module.
		w.Header().Set("Access-Control-Allow-Origin", "*")
		writeJSON(w, s.judgeHandshake(asked))
		return nil
	}
}

func (s *Server) judgeHandshake(asked *http.Request) verdict {
	if asked == nil {
		return verdict{Status: http.StatusBadRequest, Why: "the query parameter path is missing or is not a path of this server"}
	}
	rt := s.find(asked)
	if why := s.rehearse(asked, rt, s.policy.ClientOf(asked)); why != nil {
		return verdict{Status: why.Status, Why: why.Why, Flag: why.Flag}
	}
	return verdict{Status: http.StatusSwitchingProtocols, Subprotocol: new(rt.program.endpoint.chooseSubprotocol(asked))}
}

// writeJSON answers with v, which is true only now.
func writeJSON(w http.ResponseWriter, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(v)
}
