package server

import (
	"fmt"
	"net/http"
	"strings"
)

// refusal is an answer to a request that starts nothing. It names the rule
// and, where there is one, the flag that would allow the request.
type refusal struct {
	status int
	why    string
	flag   string
}

func (f *refusal) write(w http.ResponseWriter) {
	if f.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	body := f.why
	if f.flag != "" {
		body += "; to allow it, start wspipe with " + f.flag
	}
	http.Error(w, "wspipe: "+body, f.status)
}

// refuseUpgrade returns why r may not become a WebSocket, or nil.
func (s *Server) refuseUpgrade(r *http.Request) *refusal {
	if why, flag := s.origins.refuse(r); why != "" {
		return &refusal{http.StatusForbidden, why, flag}
	}
	offered := tokens(r.Header.Values("Sec-WebSocket-Protocol"))
	if len(offered) > 0 && len(s.cfg.Subprotocols) > 0 && !anyOf(offered, s.cfg.Subprotocols) {
		return &refusal{status: http.StatusBadRequest, why: fmt.Sprintf(
			"none of the subprotocols that you offer is known; this server has: %s", strings.Join(s.cfg.Subprotocols, ", "))}
	}
	return nil
}

func anyOf(offered, known []string) bool {
	for _, o := range offered {
		for _, k := range known {
			if strings.EqualFold(o, k) {
				return true
			}
		}
	}
	return false
}
