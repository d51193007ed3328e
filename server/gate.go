package server

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
)

// admit is the gate: every request passes it before anything is served or
// started for it. First it is judged by itself, then by what there is room for;
// the first rule that objects refuses. The server does not stop before leave is
// called; for a route that starts a program it frees a slot, too, and the
// program's end must be told to s.sessions besides.
func (s *Server) admit(r *http.Request, rt route, v *visitor) (leave func(), why *refusal) {
	want, why := s.judge(r, rt, v)
	if why != nil {
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
	case !s.takeOnly():
		return nil, onlyOne
	}
	if leave, why = s.takeFor(v, rt.program, want); why != nil {
		s.giveBack()
	}
	return leave, why
}

// rehearse returns why admit would refuse r now, an opening handshake, or nil. It
// takes nothing of what admit would take. The caller has been admitted himself:
// the server does not stop meanwhile.
func (s *Server) rehearse(r *http.Request, rt route, v *visitor) *refusal {
	want, why := s.judge(r, rt, v)
	switch {
	case why != nil:
		return why
	case rt.program == nil:
		return rt.serve(nil, r, v, nil) // which only says why there is none
	case s.hasOnly():
		return onlyOne
	}
	return s.roomFor(v, rt.program, want)
}

var (
	noWebSocket   = &refusal{status: http.StatusNotFound, why: "there is no WebSocket here"}
	onlyOne       = &refusal{status: http.StatusServiceUnavailable, why: "this server serves one connection only (--once), and has one"}
	malformedHost = &refusal{status: http.StatusBadRequest, why: "the Host header is malformed; want host[:port]"} // RFC 9112, section 3.2
	shuttingDown  = &refusal{status: http.StatusServiceUnavailable, why: "the server is shutting down"}
)

// judge asks what depends on r alone: host, Origin and authentication, in this
// order, and for a WebSocket the subprotocols and the session that it wants. What
// r says of secrets and sessions is taken out of it.
func (s *Server) judge(r *http.Request, rt route, v *visitor) (want resumption, why *refusal) {
	if _, ok := cutPort(r.Host); !ok && r.Host != "" {
		return want, malformedHost
	}
	if why, flag := s.origins.refuse(r, rt, hostOf(r, v.scheme())); why != "" {
		return want, &refusal{status: http.StatusForbidden, why: why, flag: flag}
	}
	if why := s.auth.check(r, rt, v); why != nil {
		return want, why
	}
	switch {
	case rt.program == nil:
		return want, nil
	case !rt.upgrade: // a page may tell of its sessions in Referer
		cleanHeader(r.Header, sessionInHeader)
		return want, nil
	}
	if !r.ProtoAtLeast(1, 1) {
		return want, oldVersion
	}
	if why := s.refuseSubprotocols(r); why != nil {
		return want, why
	}
	return takeResumption(r)
}

// refuseSubprotocols returns why a client that offers only unknown ones is
// refused, or nil. A server that was given none takes anybody without one.
func (s *Server) refuseSubprotocols(r *http.Request) *refusal {
	if len(s.cfg.Subprotocols) == 0 || len(offered(r)) == 0 || s.chooseSubprotocol(r) != "" {
		return nil
	}
	return &refusal{status: http.StatusBadRequest, why: fmt.Sprintf(
		"none of the subprotocols that you offer is known; this server has: %s", strings.Join(s.subprotocols(), ", "))}
}

// wantsSession reports whether a client is to have a seat in a session, if only to
// be told that this is lost.
func (s *Server) wantsSession(want resumption) bool {
	return want.after > 0 || s.cfg.Resume > 0 && want.id != ""
}

// takeFor counts a client of p in, or returns why there is no room for it.
func (s *Server) takeFor(v *visitor, p *program, want resumption) (leave func(), why *refusal) {
	switch {
	case s.wantsSession(want):
		return s.takeSession(v, p, want)
	case s.cfg.Share != ShareNone:
		return s.takePlace(v, p)
	}
	return s.takeSlot(v)
}

// roomFor returns why takeFor would have no room now, or nil.
func (s *Server) roomFor(v *visitor, p *program, want resumption) *refusal {
	switch {
	case s.wantsSession(want):
		return tooManyChildren(s.resumables.ask(resumeKey{p.path, v.identity, want.id}, v.addr, want.after))
	case s.cfg.Share != ShareNone:
		return cmp.Or(tooManySharers(s.slots.ask(sharer(v.addr))), tooManyChildren(s.shares.ask(p.path)))
	}
	return tooManyChildren(s.slots.ask(ownChild(v.addr)))
}

// takeSession counts v in as the client of a session, which it notes in p.
func (s *Server) takeSession(v *visitor, p *program, want resumption) (leave func(), why *refusal) {
	p.resumes, p.after = true, want.after
	leave = func() {}
	if s.cfg.Resume > 0 && want.id != "" { // else there is none to come back to
		s.resumables.makeRoom(s.cfg.MaxChildren)
		rs, flag := s.resumables.join(resumeKey{p.path, v.identity, want.id}, v.addr, want.after)
		if flag != "" {
			return nil, tooManyChildren(flag)
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
	leave, flag := s.slots.take(ownChild(v.addr))
	if flag != "" {
		return nil, tooManyChildren(flag)
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
	free, flag := s.slots.take(sharer(v.addr))
	if flag != "" {
		return nil, tooManySharers(flag)
	}
	sh, flag := s.shares.join(p.path)
	if flag != "" {
		free()
		return nil, tooManyChildren(flag)
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

func tooManyChildren(flag string) *refusal { return tooMany("children run", flag) }

func tooManySharers(flag string) *refusal {
	return tooMany("clients of your address are connected", flag)
}

// tooMany returns the refusal of what flag bounds; nil if there is no flag.
func tooMany(what, flag string) *refusal {
	if flag == "" {
		return nil
	}
	return &refusal{status: http.StatusTooManyRequests, why: "as many " + what + " as may (" + flag + ")", flag: "a larger " + flag}
}
