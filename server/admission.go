package server

import (
	"fmt"
	"net/http"
	"strings"

	"wspipe/server/access"
	"wspipe/server/param"
)

// admission is the admission of a request. The caller must call release, which frees its slots;
// the server does not stop before.
type admission struct {
	release func()
	child   *child       // the child of a client; nil if the requested session is lost
	values  param.Values // of Endpoint.Params, for a child that has not started
	resumes bool         // the child is that of a session
	after   int64        // see resumeRequest
	lost    func()       // called when an EventSource gets 4011
	traceID string       // of the traceStream that wants the connection, or empty
}

// clientQuery has the query parameters of a client.
type clientQuery struct {
	resumeRequest
	values  param.Values // of Endpoint.Params
	traceID string       // see admission
}

// admit decides whether a request is admitted. Every request passes it before anything is
// served or started. It checks the request itself, then the limits, and returns the first
// refusal. If the route has a program, the caller must also call tracker.done.
func (s *Server) admit(r *http.Request, rt route, client *access.Client) (granted admission, why *access.Refusal) {
	want, why := s.checkRequest(r, rt, client)
	if why != nil {
		return granted, why
	}
	switch {
	case rt.program == nil:
		if release, ok := s.tracker.beginRequest(); ok {
			return admission{release: release}, nil
		}
		return granted, shuttingDown
	case !rt.upgrade && !rt.plain:
		return s.takeSlot(client)
	case !s.takeOnce():
		return granted, onlyOne
	}
	if granted, why = s.takeChild(client, rt.program, want); why != nil {
		s.releaseOnce()
	}
	return granted, why
}

// wouldRefuse returns the refusal that admit would return for r, an opening handshake, or nil. It
// has no effect. The caller is within an admitted request, so that the server does not stop.
func (s *Server) wouldRefuse(r *http.Request, rt route, client *access.Client) *access.Refusal {
	want, why := s.checkRequest(r, rt, client)
	switch {
	case why != nil:
		return why
	case rt.program == nil:
		return rt.serve(nil, r, client, admission{}) // returns the refusal, and writes nothing
	case s.onceTaken():
		return onlyOne
	}
	return s.checkLimits(client, rt.program, want)
}

var (
	noWebSocket     = &access.Refusal{Status: http.StatusNotFound, Rule: "path", Why: "no WebSocket endpoint at this path"}
	onlyOne         = &access.Refusal{Status: http.StatusServiceUnavailable, Rule: "once", Why: "this server accepts a single connection (--once), and it is in use"}
	malformedHost   = &access.Refusal{Status: http.StatusBadRequest, Rule: "host", Why: "malformed Host header; want host[:port]"} // RFC 9112, section 3.2
	shuttingDown    = &access.Refusal{Status: http.StatusServiceUnavailable, Rule: "shutdown", Why: "the server is shutting down"}
	bodyInHandshake = &access.Refusal{Status: http.StatusBadRequest, Rule: "handshake", Why: "an opening handshake has no body"}
)

// checkRequest applies the rules that depend only on r: host, origin and authentication, in this
// order, and for a client the subprotocols, the query parameters and the room. It removes credentials
// and session IDs from r. A public route has no rules.
func (s *Server) checkRequest(r *http.Request, rt route, client *access.Client) (want clientQuery, why *access.Refusal) {
	if rt.public {
		return want, nil
	}
	if _, ok := cutPort(r.Host); !ok && r.Host != "" {
		return want, malformedHost
	}
	if why := s.policy.Check(r, client, rt.purpose()); why != nil {
		return want, why
	}
	switch {
	case rt.program == nil:
		return want, nil
	case !rt.upgrade && !rt.plain: // Referer may have the session ID of the page
		access.CleanHeader(r.Header, sessionInHeader)
		return want, nil
	case rt.upgrade:
		if why := refuseHandshake(r, rt.program.endpoint); why != nil {
			return want, why
		}
	}
	want.traceID = removeTraceID(r)
	if want.resumeRequest, why = removeResumeRequest(r); why != nil {
		return want, why
	}
	if rt.plain {
		if want.resumeRequest, why = checkPlain(r, rt.program, want.resumeRequest); why != nil {
			return want, why
		}
	}
	values, err := rt.program.endpoint.Params.Values(r.URL.RawQuery)
	if err != nil {
		return want, &access.Refusal{Status: http.StatusBadRequest, Rule: "param", Why: err.Error()}
	}
	want.values = values
	return want, rt.program.setRoom(r.URL.RawQuery, values)
}

// sharedKey returns the key of the shared child of p.
func (p *program) sharedKey() childKey {
	return childKey{endpoint: p.endpoint, path: p.url(), room: p.room}
}

// refuseHandshake refuses an opening handshake that endpoint does not support.
func refuseHandshake(r *http.Request, endpoint *Endpoint) *access.Refusal {
	switch {
	case r.ContentLength != 0: // -1 if it is chunked
		return bodyInHandshake
	case !r.ProtoAtLeast(1, 1):
		return oldVersion
	}
	return refuseSubprotocols(r, endpoint)
}

// refuseSubprotocols refuses a client that offers only unknown subprotocols, if the endpoint has
// any.
func refuseSubprotocols(r *http.Request, endpoint *Endpoint) *access.Refusal {
	if len(endpoint.Subprotocols) == 0 || len(offered(r)) == 0 || endpoint.chooseSubprotocol(r) != "" {
		return nil
	}
	return &access.Refusal{Status: http.StatusBadRequest, Rule: "subprotocol", Why: fmt.Sprintf(
		"none of the offered subprotocols is supported; this server supports: %s", strings.Join(endpoint.subprotocols(), ", "))}
}

// wantsSession reports whether a client attaches to a session, which may be lost.
func (p *program) wantsSession(want clientQuery) bool {
	return want.after > 0 || p.endpoint.Resume > 0 && want.id != ""
}

// keyOf returns the key of the child of p to which client attaches.
func (p *program) keyOf(client *access.Client, want clientQuery) childKey {
	switch {
	case p.wantsSession(want):
		return childKey{path: p.url(), identity: client.Identity, session: want.id}
	case p.endpoint.isShared():
		return p.sharedKey()
	}
	return childKey{}
}

// takeChild attaches to a child of p, which may not have started yet, or returns a refusal if a limit
// is reached.
func (s *Server) takeChild(client *access.Client, p *program, want clientQuery) (granted admission, why *access.Refusal) {
	key := p.keyOf(client, want)
	granted = admission{release: func() {}, values: want.values, resumes: p.wantsSession(want), after: want.after, traceID: want.traceID, lost: func() { s.lost.add(key) }}
	switch {
	case want.eventID && s.lost.remove(key):
		return granted, streamEnded
	case granted.resumes && (p.endpoint.Resume == 0 || want.id == ""): // the session cannot exist
		return granted, s.begin(granted.release)
	case granted.resumes:
		s.children.dropOldestEnded(s.cfg.MaxChildren)
	case p.endpoint.isShared():
		free, flag := s.slots.take(sharingClient(client.Addr))
		if flag != "" {
			return granted, tooManyClients(flag)
		}
		granted.release = free
	}
	after := want.after
	switch {
	case !granted.resumes:
		after = 0
	case want.eventID:
		after = max(1, after) // it has connected before, so a session that is not there is lost
	}
	ch, flag := s.children.attach(key, client.Addr, after)
	if flag != "" {
		granted.release()
		return granted, tooManyChildren(flag)
	}
	if granted.child = ch; ch != nil {
		free := granted.release
		granted.release = func() {
			s.children.detach(ch)
			free()
		}
	}
	return granted, s.begin(granted.release)
}

// checkLimits returns the refusal that takeChild would return, or nil, without any effect.
func (s *Server) checkLimits(client *access.Client, p *program, want clientQuery) *access.Refusal {
	if p.endpoint.isShared() && !p.wantsSession(want) {
		if why := tooManyClients(s.slots.check(sharingClient(client.Addr))); why != nil {
			return why
		}
	}
	return tooManyChildren(s.children.check(p.keyOf(client, want), client.Addr, want.after))
}

// takeSlot takes a slot for a CGI program, or returns a refusal.
func (s *Server) takeSlot(client *access.Client) (granted admission, why *access.Refusal) {
	release, flag := s.slots.take(ownChild(client.Addr))
	if flag != "" {
		return granted, tooManyChildren(flag)
	}
	return admission{release: release}, s.begin(release)
}

// begin counts a new client. If the server stops, it calls release and returns a refusal.
func (s *Server) begin(release func()) *access.Refusal {
	if s.tracker.begin() {
		return nil
	}
	release()
	return shuttingDown
}

func tooManyChildren(flag string) *access.Refusal { return tooMany("children", flag) }

func tooManyClients(flag string) *access.Refusal {
	return tooMany("clients at your address", flag)
}

// tooMany returns the refusal for the limit flag, or nil if flag is empty.
func tooMany(what, flag string) *access.Refusal {
	if flag == "" {
		return nil
	}
	return &access.Refusal{Status: http.StatusTooManyRequests, Rule: strings.TrimPrefix(flag, "--"), Why: "too many " + what + " (" + flag + ")", Flag: "a larger " + flag}
}
