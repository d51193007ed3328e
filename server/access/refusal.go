package access

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"wspipe/bridge/channel"
)

// Refusal is the response to a request that is not admitted.
type Refusal struct {
	Status int    // the HTTP status
	Why    string // the reason, for the response and the log
	// Rule is the name of the rule in metrics, or empty, as for a page that does not exist.
	Rule string
	Flag string // the flag that would allow it, or empty
	// challenges are the WWW-Authenticate fields of a 401.
	challenges []string
}

// Write writes the response to r: JSON for a Kubernetes client, otherwise text.
func (f *Refusal) Write(w http.ResponseWriter, r *http.Request) {
	switch f.Status {
	case http.StatusNoContent:
		w.WriteHeader(f.Status)
		return
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	case http.StatusUpgradeRequired: // RFC 9110, section 15.5.22
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
	}
	for _, challenge := range f.challenges {
		w.Header().Add("WWW-Authenticate", challenge)
	}
	body := f.Why
	if f.Flag != "" {
		body += "; to allow it, start wspipe with " + f.Flag
	}
	body = "wspipe: " + body
	if isKubernetes(r) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.Status)
		json.NewEncoder(w).Encode(channel.Status{Status: channel.StatusFailure, Message: body, Code: f.Status})
		return
	}
	http.Error(w, body, f.Status)
}

// isKubernetes reports whether r offers one of the Kubernetes protocols. Their clients decode
// the body as a Status, and a text with a colon is valid YAML, so the user would see an empty
// message.
func isKubernetes(r *http.Request) bool {
	return slices.ContainsFunc(HeaderList(r.Header.Values("Sec-WebSocket-Protocol")), func(name string) bool {
		return strings.HasSuffix(name, ".channel.k8s.io")
	})
}
