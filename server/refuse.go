package server

import (
	"net/http"

	"wspipe/server/access"
)

// refuse returns a handler that refuses every request with f.
func refuse(f *access.Refusal) handler {
	return func(http.ResponseWriter, *http.Request, *access.Client, admission) *access.Refusal { return f }
}

// refuseWrite returns why r may not do more than read what, or nil.
func refuseWrite(w http.ResponseWriter, r *http.Request, what string) *access.Refusal {
	if access.IsSafe(r.Method) {
		return nil
	}
	w.Header().Set("Allow", "GET, HEAD")
	return &access.Refusal{Status: http.StatusMethodNotAllowed, Why: what + " supports only GET and HEAD"}
}
