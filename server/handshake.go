package server

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"wspipe/server/access"
)

// handshakePath is the path of the handshake check. A page requests it to find out why its
// WebSocket was refused, because browsers do not tell.
const handshakePath = ownPrefix + "handshake"

// verdict is the response that an opening handshake would get.
type verdict struct {
	Status      int     `json:"status"`
	Subprotocol *string `json:"subprotocol,omitempty"` // with status 101; empty for none
	Why         string  `json:"why,omitempty"`         // with other statuses
	Flag        string  `json:"flag,omitempty"`        // the flag that would allow it
}

// checkedHandshake returns the opening handshake that r, a handshake check, is about. It has the
// connection, the headers and the origin of r. A page cannot claim another origin, because
// browsers add Origin to requests to other origins; the query parameter origin counts only
// without it. checkedHandshake returns nil if r has no valid path. The result shares no data with r.
func checkedHandshake(r *http.Request) *http.Request {
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

// targetOf returns the URL in the query parameter path of r, a path with a query as in a request
// line. A path that begins with "./" is relative to the directory of r, see ownPath. targetOf
// returns nil if the path is missing or malformed, or leads above the root.
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

// serveHandshakeCheck returns a handler that responds with the verdict on asked, which is nil if it is
// malformed. It reveals no more than the response to the handshake, but pages can read it.
func (s *Server) serveHandshakeCheck(asked *http.Request) handler {
	return func(w http.ResponseWriter, r *http.Request, _ *access.Client, _ admission) *access.Refusal {
		if why := refuseWrite(w, r, "the handshake check"); why != nil {
			return why
		}
		// Pages of other origins may read it, since they are the ones refused. With "*"
		// browsers send no credentials, as for the client module.
		w.Header().Set("Access-Control-Allow-Origin", "*")
		writeJSON(w, s.checkHandshake(asked))
		return nil
	}
}

func (s *Server) checkHandshake(asked *http.Request) verdict {
	if asked == nil {
		return verdict{Status: http.StatusBadRequest, Why: "the query parameter path is missing or is not a path of this server"}
	}
	rt := s.find(asked)
	if why := s.wouldRefuse(asked, rt, s.policy.ClientOf(asked)); why != nil {
		return verdict{Status: why.Status, Why: why.Why, Flag: why.Flag}
	}
	return verdict{Status: http.StatusSwitchingProtocols, Subprotocol: new(rt.program.endpoint.chooseSubprotocol(asked))}
}

// writeJSON responds with v as JSON that must not be cached.
func writeJSON(w http.ResponseWriter, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(v)
}
