package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"wspipe/bridge/channel"
)

// refusal is an answer to a request that starts nothing. It names the rule
// and, where there is one, the flag that would allow the request.
type refusal struct {
	status int
	why    string
	flag   string
	// challenges are the WWW-Authenticate fields of a 401.
	challenges []string
}

func (f *refusal) write(w http.ResponseWriter, r *http.Request) {
	switch f.status {
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	case http.StatusUpgradeRequired: // RFC 9110, section 15.5.22
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
	}
	for _, challenge := range f.challenges {
		w.Header().Add("WWW-Authenticate", challenge)
	}
	body := f.why
	if f.flag != "" {
		body += "; to allow it, start wspipe with " + f.flag
	}
	body = "wspipe: " + body
	if isKubernetes(r) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.status)
		json.NewEncoder(w).Encode(channel.Status{Status: channel.StatusFailure, Message: body, Code: f.status})
		return
	}
	http.Error(w, body, f.status)
}

// serve is a handler that refuses.
func (f *refusal) serve(http.ResponseWriter, *http.Request, *visitor, admission) *refusal { return f }

// refuseWrite returns why r may not do more than read what, or nil.
func refuseWrite(w http.ResponseWriter, r *http.Request, what string) *refusal {
	if isSafe(r.Method) {
		return nil
	}
	w.Header().Set("Allow", "GET, HEAD")
	return &refusal{status: http.StatusMethodNotAllowed, why: what + " supports only GET and HEAD"}
}

// isKubernetes reports whether r is from a client of Kubernetes' protocols. Its
// own takes a body for a Status if it can, and a text with a colon is YAML: the
// user would see an empty message.
func isKubernetes(r *http.Request) bool {
	return slices.ContainsFunc(offered(r), func(name string) bool {
		return strings.HasSuffix(name, ".channel.k8s.io")
	})
}
