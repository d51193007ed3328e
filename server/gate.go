package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// admit is the gate: every request passes it before anything is served or
// started for it. Host, Origin, authentication and limits are asked in this
// order; the first that objects refuses. The server does not stop before leave is
// called; for a route that starts a program it frees a slot, too, and the
// program's end must be told to s.sessions besides.
func (s *Server) admit(r *http.Request, rt route, v *visitor) (leave func(), why *refusal) {
	if why, flag := s.origins.refuse(r, rt, hostOf(r, v.scheme())); why != "" {
		return nil, &refusal{status: http.StatusForbidden, why: why, flag: flag}
	}
	if why := s.auth.check(r, v); why != nil {
		return nil, why
	}
	switch {
	case rt.program == nil:
		if leave, ok := s.sessions.answer(); ok {
			return leave, nil
		}
		return nil, shuttingDown
	case !rt.upgrade:
		return s.takeSlot(v)
	}
	if why := s.refuseSubprotocols(r); why != nil {
		return nil, why
	}
	if !s.takeOnly() {
		return nil, &refusal{status: http.StatusServiceUnavailable, why: "this server serves one connection only (--once), and has one"}
	}
	if leave, why = s.takeFor(r, v, rt.program); why != nil {
		s.giveBack()
	}
	return leave, why
}

// refuseSubprotocols returns why a client that offers only unknown ones is
// refused, or nil. A server that was given none takes anybody without one.
func (s *Server) refuseSubprotocols(r *http.Request) *refusal {
	offered, known := tokens(r.Header.Values("Sec-WebSocket-Protocol")), s.subprotocols()
	if len(offered) == 0 || len(s.cfg.Subprotocols) == 0 || slices.ContainsFunc(offered, func(name string) bool {
		return slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(name, k) })
	}) {
		return nil
	}
	return &refusal{status: http.StatusBadRequest, why: fmt.Sprintf(
		"none of the subprotocols that you offer is known; this server has: %s", strings.Join(known, ", "))}
}

var shuttingDown = &refusal{status: http.StatusServiceUnavailable, why: "the server is shutting down"}

// takeFor counts a client of p in, or returns why there is no room for it.
func (s *Server) takeFor(r *http.Request, v *visitor, p *program) (leave func(), why *refusal) {
	want, why := takeResumption(r)
	switch {
	case why != nil:
		return nil, why
	case want.after > 0, s.cfg.Resume > 0 && want.id != "":
		return s.takeSession(v, p, want)
	case s.cfg.Share != ShareNone:
		return s.takePlace(v, p)
	}
	return s.takeSlot(v)
}

// takeSession counts v in as the client of a session, which it notes in p.
func (s *Server) takeSession(v *visitor, p *program, want resumption) (leave func(), why *refusal) {
	p.resumes, p.after = true, want.after
	leave = func() {}
	if s.cfg.Resume > 0 && want.id != "" { // else there is none to come back to
		s.resumables.makeRoom(s.cfg.MaxChildren)
		rs, flag := s.resumables.join(resumeKey{p.path, v.identity, want.id}, v.addr, want.after)
		if flag != "" {
			return nil, tooMany("children run", flag)
		}
		if p.resumed = rs; rs != nil {
			leave = func() { s.resumables.leave(rs) }
		}
	}
	if !s.sessions.begin() {
		leave()
		return nil, shuttingDown
	}
	return leave, nil
}

// takeSlot counts a program in, or returns why there is no room for it.
func (s *Server) takeSlot(v *visitor) (leave func(), why *refusal) {
	leave, flag := s.slots.take(v.addr)
	if flag != "" {
		return nil, tooMany("children run", flag)
	}
	if !s.sessions.begin() {
		leave()
		return nil, shuttingDown
	}
	return leave, nil
}

// takePlace counts v in among those who share p's child, or returns why there is
// no room. It notes in p whose child that is. Only the first needs room for a
// child.
func (s *Server) takePlace(v *visitor, p *program) (leave func(), why *refusal) {
	free, flag := s.slots.takeClient(v.addr)
	if flag != "" {
		return nil, tooMany("clients of your address are connected", flag)
	}
	sh, flag := s.shares.join(p.path)
	if flag != "" {
		free()
		return nil, tooMany("children run", flag)
	}
	p.share = sh
	leave = func() {
		s.shares.leave(sh)
		free()
	}
	if !s.sessions.begin() {
		leave()
		return nil, shuttingDown
	}
	return leave, nil
}

func tooMany(what, flag string) *refusal {
	return &refusal{status: http.StatusTooManyRequests, why: "as many " + what + " as may (" + flag + ")", flag: "a larger " + flag}
}
