package server

import (
	"io"
	"net/http"
)

// answer is an http.ResponseWriter that adds the headers of --header and notes
// the status for the log.
type answer struct {
	http.ResponseWriter
	server *Server
	status int
	begun  bool
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	switch {
	case a.begun:
	case status == http.StatusSwitchingProtocols:
		a.begin(status, a.server.cfg.HeadersWS)
	case status >= http.StatusOK: // not 100 Continue and its like
		a.begin(status, a.server.cfg.HeadersHTTP)
	}
	a.ResponseWriter.WriteHeader(status)
}

// begin replaces what the answer says of its own by what the user wants said.
func (a *answer) begin(status int, more []Header) {
	a.begun, a.status = true, status
	setHeaders(a.Header(), a.server.cfg.Headers, more)
}

// setHeaders sets the fields of lists in h; several of one name stay several.
func setHeaders(h http.Header, lists ...[]Header) {
	for _, list := range lists {
		for _, field := range list {
			h.Del(field.Name)
		}
	}
	for _, list := range lists {
		for _, field := range list {
			h.Add(field.Name, field.Value)
		}
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(p)
}

// ReadFrom lets files leave by sendfile(2).
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return io.Copy(a.ResponseWriter, r)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
