package server

import (
	"io"
	"math"
	"net/http"
	"time"
)

// responseWriter is an http.ResponseWriter that adds the headers of --header and records the status
// for the log.
type responseWriter struct {
	http.ResponseWriter
	server *Server
	conn   *httpConn
	status int
	begun  bool
}

// newResponseWriter returns the responseWriter for r. It bounds how long net/http reads the body that the
// handler leaves unread.
func (s *Server) newResponseWriter(w http.ResponseWriter, r *http.Request) *responseWriter {
	if r.ContentLength != 0 {
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.cfg.Timeouts.Body))
	}
	return &responseWriter{ResponseWriter: w, server: s, conn: connOf(r), status: http.StatusOK}
}

// WriteHeader implements http.ResponseWriter.
func (a *responseWriter) WriteHeader(status int) {
	switch {
	case a.begun:
	case status == http.StatusSwitchingProtocols:
		a.begin(status, a.server.cfg.HeadersWS)
	case status >= http.StatusOK: // not an interim response
		a.conn.limit()
		a.begin(status, a.server.cfg.HeadersHTTP)
	}
	a.ResponseWriter.WriteHeader(status)
}

// begin records the status and sets the headers of --header, which replace our own.
func (a *responseWriter) begin(status int, more []Header) {
	a.begun, a.status = true, status
	setHeaders(a.Header(), a.server.cfg.Headers, more)
}

// setHeaders sets the fields of lists in h. A name may have several fields.
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
func (a *responseWriter) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	n, err := a.conn.write(func() (int64, error) {
		n, err := a.ResponseWriter.Write(p)
		return int64(n), err
	})
	return int(n), err
}

// maxFilePart is how much of a file is sent in one call, in bytes. Each call counts as progress.
const maxFilePart = 1 << 20

// ReadFrom implements io.ReaderFrom, so that net sends files with sendfile(2). For that, a file
// must be inside at most one io.LimitedReader.
func (a *responseWriter) ReadFrom(r io.Reader) (n int64, err error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		limited = &io.LimitedReader{R: r, N: math.MaxInt64}
	}
	for size, sent := int64(0), int64(0); err == nil && sent == size && limited.N > 0; n += sent {
		size = min(limited.N, maxFilePart)
		sent, err = a.conn.write(func() (int64, error) { return io.Copy(a.ResponseWriter, io.LimitReader(limited.R, size)) })
		limited.N -= sent
	}
	return n, err
}

// Unwrap is for http.ResponseController.
func (a *responseWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }
