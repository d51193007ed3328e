package server

import (
	"net/http"
	"net/netip"
)

// ServeHTTP is where every request comes in.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &recorder{ResponseWriter: w, status: http.StatusOK}
	why := s.route(rec, r)
	attrs := []any{"method", r.Method, "path", r.URL.Path, "status", rec.status, "remote", r.RemoteAddr}
	if why != nil {
		attrs = append(attrs, "refused", why.why)
		if why.flag != "" {
			attrs = append(attrs, "allow", why.flag)
		}
	}
	s.log.Log(r.Context(), LevelAccess, "request", attrs...)
}

// route answers r, and returns why if it is refused.
func (s *Server) route(w http.ResponseWriter, r *http.Request) *refusal {
	switch {
	case isUpgrade(r):
		why := s.serveWebSocket(w, r)
		if why != nil {
			why.write(w)
		}
		return why
	case s.cfg.Console:
		serveConsole(w, r)
		return nil
	}
	why := &refusal{status: http.StatusNotFound, why: "there is a WebSocket here and no page; start wspipe with --devconsole for one"}
	why.write(w)
	return why
}

// serveWebSocket turns r into a session, which goes on after it returns, or
// returns why it may not be one.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) *refusal {
	if why := s.refuseUpgrade(r); why != nil {
		return why
	}
	if !s.takeOnly() {
		return &refusal{status: http.StatusServiceUnavailable, why: "this server serves one connection only (--once), and has one"}
	}
	freeSlot, why := s.takeSlot(r)
	if why != nil {
		s.giveBack()
		return why
	}
	ws, wire, err := s.upgrade(w, r)
	if err != nil { // the library has answered
		freeSlot()
		s.sessions.done(nil)
		s.giveBack()
		return nil
	}
	s.sessionBegan()
	c := s.newConnection(r, ws, wire, freeSlot)
	// The handler returns, so that what net/http holds for a request is free.
	go c.serve() // ends with the session; unblocked by sessions.shutdown
	return nil
}

// takeSlot counts a session in, or returns why there is no room for it.
func (s *Server) takeSlot(r *http.Request) (free func(), why *refusal) {
	free, flag := s.slots.take(remoteIP(r))
	if flag != "" {
		return nil, &refusal{status: http.StatusTooManyRequests, why: "as many children run as may (" + flag + ")"}
	}
	if !s.sessions.begin() {
		free()
		return nil, &refusal{status: http.StatusServiceUnavailable, why: "the server is shutting down"}
	}
	return free, nil
}

func remoteIP(r *http.Request) netip.Addr {
	ap, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero Addr where there is none
	return ap.Addr().Unmap()
}

// recorder notes the status of an answer, for the log.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
