package server

import (
	"net/http"

	"wspipe/server/access"
)

// refuse returns a handler that returns f for every request.
func refuse(f *access.Refusal) handler {
	return func(http.ResponseWriter, *http.Request, *access.Client, admission) *access.Refusal { return f }
}

// refuseWrite returns a refusal unless r is a GET or HEAD request. what is the resource.
func refuseWrite(w http.ResponseWriter, r *http.Request, what string) *access.Refusal {
	if access.IsSafe(r.Method) {
		return nil
	}
	w.Header().Set("Allow", "GET, HEAD")
	return &access.Refusal{Status: http.StatusMethodNotAllowed, Why: what + " supports only GET and HEAD"}
}
