package server

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"wspipe/bridge/channel"
	"wspipe/process"
	"wspipe/server/access"
)

var (
	needsWebSocket = &access.Refusal{Status: http.StatusUpgradeRequired, Rule: "handshake", Why: "this endpoint is a terminal (--pty) and supports only WebSockets"}
	readOnly       = &access.Refusal{Status: http.StatusForbidden, Rule: "readonly", Why: "this endpoint takes no input (--readonly)"}
	needsEvents    = &access.Refusal{Status: http.StatusBadRequest, Rule: "session", Why: "a GET request with " + channel.SessionParameter + " must accept text/event-stream"}
	badEventID     = &access.Refusal{Status: http.StatusBadRequest, Rule: "session", Why: "the Last-Event-ID header is not the number of a message"}
	noSession      = &access.Refusal{Status: http.StatusNotFound, Rule: "session", Why: "there is no session with this " + channel.SessionParameter}
	// streamEnded makes an EventSource stop reconnecting.
	streamEnded = &access.Refusal{Status: http.StatusNoContent, Why: "the event stream has ended"}
)

// plain returns the route of a plain request to an endpoint with Endpoint.HTTP. It is not ok if
// there is no such endpoint, or if the console has priority.
func (s *Server) plain(r *http.Request) (rt route, ok bool) {
	p := s.endpoint(r.URL)
	switch {
	case p == nil, !p.endpoint.HTTP, s.cfg.Console && isPageLoad(r):
		return route{}, false
	case p.endpoint.Child.Terminal == process.FullTerminal:
		return route{serve: refuse(needsWebSocket)}, true
	case r.Method != http.MethodGet && !hasInput(r):
		return route{serve: refuseMethod}, true
	}
	return route{program: p, plain: true, serve: s.servePlain(p)}, true
}

// isPageLoad reports whether a browser loads r as a page.
func isPageLoad(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" || accepts(r, "text/html")
}

// hasInput reports whether the body of r is input for a child.
func hasInput(r *http.Request) bool {
	return r.Method == http.MethodPost || r.Method == http.MethodPut
}

// wantsEvents reports whether r requests an event stream.
func wantsEvents(r *http.Request) bool { return accepts(r, "text/event-stream") }

// accepts reports whether the Accept header of r names the media type.
func accepts(r *http.Request, mediaType string) bool {
	return slices.ContainsFunc(access.HeaderList(r.Header.Values("Accept")), func(element string) bool {
		name, parameters, err := mime.ParseMediaType(element)
		quality, qualityErr := strconv.ParseFloat(parameters["q"], 64)
		return err == nil && name == mediaType && (qualityErr != nil || quality > 0)
	})
}

// refuseMethod is the handler for unsupported methods.
func refuseMethod(w http.ResponseWriter, _ *http.Request, _ *access.Client, _ admission) *access.Refusal {
	w.Header().Set("Allow", "GET, POST, PUT")
	return &access.Refusal{Status: http.StatusMethodNotAllowed, Why: "this endpoint supports only GET, POST and PUT"}
}

// checkPlain returns the resume parameters of r, a plain request to p, given those in its query,
// or a refusal.
func checkPlain(r *http.Request, p *program, want resumeRequest) (resumeRequest, *access.Refusal) {
	e := p.endpoint
	inSession := e.Resume > 0 && want.id != ""
	if !inSession {
		want = resumeRequest{after: -1}
	}
	switch {
	case hasInput(r) && e.readOnly():
		return want, readOnly
	case hasInput(r):
		if inSession {
			want.after = 1 // does not start a session
		}
		return want, nil
	case inSession && !wantsEvents(r):
		return want, needsEvents
	case !wantsEvents(r) || r.Header.Get("Last-Event-ID") == "":
		return want, nil
	case !inSession:
		return want, streamEnded
	}
	n, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 53)
	if err != nil {
		return want, badEventID
	}
	want.after, want.eventID = int64(n), true
	return want, nil
}

// isPosted reports whether the body of r is input for a child whose output goes to other
// clients.
func (p *program) isPosted(r *http.Request, resumes bool) bool {
	return hasInput(r) && (p.endpoint.Share == ShareBroadcast || resumes)
}

// servePlain returns a handler that makes a plain request a client of p.
func (s *Server) servePlain(p *program) handler {
	return func(w http.ResponseWriter, r *http.Request, from *access.Client, granted admission) *access.Refusal {
		giveUp := func(why *access.Refusal) *access.Refusal {
			granted.release()
			s.releaseOnce()
			s.tracker.done(nil)
			return why
		}
		if p.isPosted(r, granted.resumes) {
			return giveUp(s.post(w, r, from, p, granted))
		}
		var message []byte
		if p.endpoint.Share == ShareMux && hasInput(r) {
			var why *access.Refusal
			if message, why = s.readMessage(w, r, p.endpoint.MaxMessage, ""); why != nil {
				return giveUp(why)
			}
		}
		on, err := s.acceptPlain(w, r, from, p, message)
		if err != nil {
			return giveUp(&access.Refusal{Status: http.StatusInternalServerError, Why: "the connection cannot be taken over"})
		}
		c := s.newConnection(r, from, p, on, granted)
		c.noStdin = !hasInput(r) && !c.isShared() && !c.resumes
		if c.child != nil {
			s.sessionBegan()
		}
		go c.serve() // ends with the client; unblocked by tracker.shutdown
		return nil
	}
}

// maxDiscarded is how much is read of a body that is too long before it is refused, in
// bytes.
const maxDiscarded = 16 << 20

// readMessage returns the body of r, which is one message of at most limit bytes, with or without its
// terminator.
func (s *Server) readMessage(w http.ResponseWriter, r *http.Request, limit int64, terminator string) ([]byte, *access.Refusal) {
	tooLong := &access.Refusal{Status: http.StatusRequestEntityTooLarge, Rule: "maxframesize", Why: fmt.Sprintf("message over %d bytes", limit), Flag: "a larger --maxframesize"}
	body, why := newRequestBody(w, r, s.cfg.Timeouts.Body)
	if why != nil {
		return nil, why
	}
	source := io.Reader(body)
	if limit > 0 {
		source = io.LimitReader(body, limit+int64(len(terminator))+1)
	}
	message, err := io.ReadAll(source)
	switch {
	case limit > 0 && int64(len(bytes.TrimSuffix(message, []byte(terminator)))) > limit:
		io.CopyN(io.Discard, body, maxDiscarded) // or a client that still sends would get a reset instead
		return nil, tooLong
	case err != nil:
		return nil, body.fail()
	}
	return message, nil
}

// post sends the body of r to the child of p, whose output goes to other clients.
func (s *Server) post(w http.ResponseWriter, r *http.Request, from *access.Client, p *program, granted admission) *access.Refusal {
	if granted.child == nil {
		return noSession
	}
	terminator := ""
	if p.endpoint.Framing.JoinsLines() {
		terminator = "\n" // of curl --data-binary @file
	}
	message, why := s.readMessage(w, r, p.endpoint.MaxMessage, terminator)
	if why != nil {
		return why
	}
	c := s.newConnection(r, from, p, accepted{}, granted)
	c.child.startOnce.Do(func() { c.start() })
	if c.child.err != nil {
		s.logStartFailure(c.log, c.child.err)
		return &access.Refusal{Status: http.StatusInternalServerError, Why: "cannot start: " + startReason(c.child.err)}
	}
	if err := c.child.bridge.Input(message, r.Context().Done()); err != nil {
		return &access.Refusal{Status: http.StatusServiceUnavailable, Why: err.Error()}
	}
	s.registry.posted(c.child, len(message))
	allowOrigin(w.Header(), r)
	w.WriteHeader(http.StatusAccepted)
	return nil
}
