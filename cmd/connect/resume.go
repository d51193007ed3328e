package connect

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"

	"wspipe/bridge/channel"

	"github.com/coder/websocket"
)

// resumedSession is a session that outlives its connections, and how much of it has
// come. It is nil without Config.Resume, and then does nothing. Only the
// connection at hand uses it.
type resumedSession struct {
	id          string   // whoever knows it can have the session: it is told to nobody else
	requested   bool     // a server may have it
	established bool     // a server has had it
	protocol    []string // that session's subprotocol
	name        string   // that the server gave it with bridge.ControlHello, or empty
	discard     bool     // it is another program that speaks

	received     int64 // its messages that have come whole
	receivedPart int64 // bytes of the next one that have come, too

	message    io.Reader // the one that comes now, from its beginning
	seen       int64     // bytes of it
	countEmpty bool      // it counts also if it is empty
}

func newResumedSession() *resumedSession {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return &resumedSession{id: base64.RawURLEncoding.EncodeToString(id[:])}
}

// Why a session cannot go on.
var (
	// ErrSessionLost says that the server does not have it any more, or not all of
	// what was to come.
	ErrSessionLost = errors.New("session lost")
	errTakenOver   = errors.New("session taken over: another client goes on with it")
)

// The ends of a connection that say something about its session.
const (
	codeTakenOver     websocket.StatusCode = 4010
	codeHistoryLost   websocket.StatusCode = 4011
	pongTimeoutCode                        = websocket.StatusPolicyViolation
	pongTimeoutReason                      = "no answer to pings"
)

// continuesAfter reports whether the session's program may go on after e, which judge has
// returned.
func (r *resumedSession) continuesAfter(e result) bool {
	return r != nil && e.retry && !errors.Is(e.err, ErrSessionLost)
}

// query returns what names the session to the server, and what has come of it,
// from the second attempt on: the first may have got further than we know.
func (r *resumedSession) query() string {
	if r == nil {
		return ""
	}
	query := url.Values{channel.SessionParameter: {r.id}}
	if r.requested {
		query.Set(channel.AfterParameter, fmt.Sprint(r.received))
	}
	r.requested = true
	return query.Encode()
}

// offer returns the subprotocols to offer: what was counted with one is not what
// another would count.
func (r *resumedSession) offer(all []string) []string {
	if r == nil || !r.established {
		return all
	}
	return r.protocol
}

// withPlain puts channel.ProtocolPlain before protocols whose first has channels:
// many servers select the first that is offered, without implementing it.
func withPlain(protocols []string) []string {
	if len(protocols) > 0 && slices.Contains(channel.Protocols, protocols[0]) {
		return append([]string{channel.ProtocolPlain}, protocols...)
	}
	return protocols
}

// connected notes that there is a connection.
func (r *resumedSession) connected(protocol string) {
	if r == nil || r.established {
		return
	}
	if r.established = true; protocol != "" {
		r.protocol = []string{protocol}
	}
}

// acceptName takes the name that the server gives the session. If that is another one
// than before, a server that knows nothing of ours has started another program:
// that is ours now if it may be so, otherwise nothing of it is taken.
func (r *resumedSession) acceptName(name string, may bool) (ok bool) {
	if r == nil {
		return true
	}
	if r.isNewSession(name) {
		r.received, r.receivedPart, r.discard = 0, 0, !may
	}
	r.name = name
	return !r.discard
}

// isNewSession reports whether name is that of another program than before.
func (r *resumedSession) isNewSession(name string) bool {
	return r != nil && r.name != "" && r.name != name
}

// skipReceived returns what of message, whose channel has been read, has not come over
// an earlier connection. always says that it counts also if it is empty.
func (r *resumedSession) skipReceived(message io.Reader, always bool) io.Reader {
	if r == nil {
		return message
	}
	r.message, r.seen, r.countEmpty = message, 0, always
	return r
}

// Read implements io.Reader for fresh: what was cut off comes again from its
// beginning, with the same bytes.
func (r *resumedSession) Read(p []byte) (int, error) {
	for {
		n, err := r.message.Read(p)
		known := int(min(max(r.receivedPart-r.seen, 0), int64(n)))
		r.seen += int64(n)
		r.receivedPart = max(r.receivedPart, r.seen)
		if r.discard {
			known = n
		}
		if err == io.EOF && (r.countEmpty || r.seen > 0) {
			r.received++
			r.receivedPart = 0
		}
		if n = copy(p, p[known:n]); n > 0 || err != nil {
			return n, err
		}
	}
}

// resolve says what e, the end of a connection, means for the session. again says
// that one that is lost is followed by a new one.
func (r *resumedSession) resolve(e result, again bool) result {
	switch {
	case r == nil:
	case e.closeCode == pongTimeoutCode && e.closeReason == pongTimeoutReason:
		e.retry = true
	case e.closeCode == codeTakenOver:
		e.err, e.retry = errTakenOver, false
	case e.closeCode == codeHistoryLost:
		e.err = fmt.Errorf("%w: the server has ended it, or no longer holds all that is to come", ErrSessionLost)
		e.retry = again
	case errors.Is(e.err, ErrSessionLost):
		e.retry = again
	}
	if r != nil && errors.Is(e.err, ErrSessionLost) {
		*r = *newResumedSession()
	}
	return e
}
