package server

import (
	"net/http"
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

func (f *refusal) write(w http.ResponseWriter) {
	if f.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	for _, challenge := range f.challenges {
		w.Header().Add("WWW-Authenticate", challenge)
	}
	body := f.why
	if f.flag != "" {
		body += "; to allow it, start wspipe with " + f.flag
	}
	http.Error(w, "wspipe: "+body, f.status)
}
