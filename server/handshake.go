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
	handshake, query := r.Clone(r.Context()), r.URL.Query()
	handshake.ContentLength = 0
	handshake.Method, handshake.URL, handshake.RequestURI = http.MethodGet, u, u.RequestURI()
	handshake.Header.Set("Connection", "Upgrade")
	handshake.Header.Set("Upgrade", "websocket")
	handshake.Header.Del("Sec-WebSocket-Protocol")
	if names := query.Get("protocols"); names != "" {
		handshake.Header.Set("Sec-WebSocket-Protocol", names)
	}
	if origin := query.Get("origin"); origin != "" && len(r.Header.Values("Origin")) == 0 {
		handshake.Header.Set("Origin", origin)
	}
	return handshake
}

// targetOf returns the URL in the query parameter path of r, a path with a query as in a request
// line. A path that begins with "./" is relative to the directory of r, see ownPath. targetOf
// returns nil if the path is missing or malformed, leads above the root, or is tracePath.
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
	if _, own, _ := ownPath(u.Path); own == tracePath { // no endpoint
		return nil
	}
	return u
}

// serveHandshakeCheck returns a handler that responds with the verdict on handshake, which is nil if
// malformed. It reveals no more than the response to the handshake, but pages can read it.
func (s *Server) serveHandshakeCheck(handshake *http.Request) handler {
	return func(w http.ResponseWriter, r *http.Request, _ *access.Client, _ admission) *access.Refusal {
		if why := refuseWrite(w, r, "the handshake check"); why != nil {
			return why
		}
		// Pages of other origins may read it, since they are the ones refused. With "*"
		// browsers send no credentials, as for the client module.
		w.Header().Set("Access-Control-Allow-Origin", "*")
		writeJSON(w, s.checkHandshake(handshake))
		return nil
	}
}

func (s *Server) checkHandshake(handshake *http.Request) verdict {
	if handshake == nil {
		return verdict{Status: http.StatusBadRequest, Why: "the query parameter path is missing or is not a path of this server"}
	}
	rt := s.find(handshake)
	if why := s.wouldRefuse(handshake, rt, s.policy.ClientOf(handshake)); why != nil {
		return verdict{Status: why.Status, Why: why.Why, Flag: why.Flag}
	}
	return verdict{Status: http.StatusSwitchingProtocols, Subprotocol: new(rt.program.endpoint.chooseSubprotocol(handshake))}
}

// writeJSON responds with v as JSON that must not be cached.
func writeJSON(w http.ResponseWriter, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(v)
}
