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

// resumption is a session that outlives its connections, and how much of it has
// come. It is nil without Config.Resume, and then does nothing. Only the
// connection at hand uses it.
type resumption struct {
	id       string   // whoever knows it can have the session: it is told to nobody else
	asked    bool     // a server may have it
	joined   bool     // a server has had it
	protocol []string // that session's subprotocol
	name     string   // that the server gave it with bridge.ControlHello, or empty
	strange  bool     // it is another program that speaks

	counted int64 // its messages that have come whole
	partly  int64 // bytes of the next one that have come, too

	message io.Reader // the one that comes now, from its beginning
	seen    int64     // bytes of it
	always  bool      // it counts also if it is empty
}

func newResumption() *resumption {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return &resumption{id: base64.RawURLEncoding.EncodeToString(id[:])}
}

// Why a session cannot go on.
var (
	// ErrSessionLost says that the server does not have it any more, or not all of
	// what was to come.
	ErrSessionLost = errors.New("session lost")
	errTaken       = errors.New("session taken over: another client goes on with it")
)

// The ends of a connection that say something about its session.
const (
	codeTaken    websocket.StatusCode = 4010
	codeLost     websocket.StatusCode = 4011
	silentCode                        = websocket.StatusPolicyViolation
	silentReason                      = "no answer to pings"
)

// goesOn reports whether the session's program may go on after e, which judge has
// returned.
func (r *resumption) goesOn(e end) bool {
	return r != nil && e.retry && !errors.Is(e.err, ErrSessionLost)
}

// query returns what names the session to the server, and what has come of it,
// from the second attempt on: the first may have got further than we know.
func (r *resumption) query() string {
	if r == nil {
		return ""
	}
	query := url.Values{channel.SessionParameter: {r.id}}
	if r.asked {
		query.Set(channel.AfterParameter, fmt.Sprint(r.counted))
	}
	r.asked = true
	return query.Encode()
}

// offer returns the subprotocols to offer: what was counted with one is not what
// another would count.
func (r *resumption) offer(all []string) []string {
	if r == nil || !r.joined {
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

// join notes that there is a connection.
func (r *resumption) join(protocol string) {
	if r == nil || r.joined {
		return
	}
	if r.joined = true; protocol != "" {
		r.protocol = []string{protocol}
	}
}

// greet takes the name that the server gives the session. If that is another one
// than before, a server that knows nothing of ours has started another program:
// that is ours now if it may be so, otherwise nothing of it is taken.
func (r *resumption) greet(name string, may bool) (ok bool) {
	if r == nil {
		return true
	}
	if r.isAnother(name) {
		r.counted, r.partly, r.strange = 0, 0, !may
	}
	r.name = name
	return !r.strange
}

// isAnother reports whether name is that of another program than before.
func (r *resumption) isAnother(name string) bool { return r != nil && r.name != "" && r.name != name }

// fresh returns what of message, whose channel has been read, has not come over
// an earlier connection. always says that it counts also if it is empty.
func (r *resumption) fresh(message io.Reader, always bool) io.Reader {
	if r == nil {
		return message
	}
	r.message, r.seen, r.always = message, 0, always
	return r
}

// Read implements io.Reader for fresh: what was cut off comes again from its
// beginning, with the same bytes.
func (r *resumption) Read(p []byte) (int, error) {
	for {
		n, err := r.message.Read(p)
		known := int(min(max(r.partly-r.seen, 0), int64(n)))
		r.seen += int64(n)
		r.partly = max(r.partly, r.seen)
		if r.strange {
			known = n
		}
		if err == io.EOF && (r.always || r.seen > 0) {
			r.counted++
			r.partly = 0
		}
		if n = copy(p, p[known:n]); n > 0 || err != nil {
			return n, err
		}
	}
}

// judge says what e, the end of a connection, means for the session. again says
// that one that is lost is followed by a new one.
func (r *resumption) judge(e end, again bool) end {
	switch {
	case r == nil:
	case e.code == silentCode && e.reason == silentReason:
		e.retry = true
	case e.code == codeTaken:
		e.err, e.retry = errTaken, false
	case e.code == codeLost:
		e.err = fmt.Errorf("%w: the server has ended it, or no longer holds all that is to come", ErrSessionLost)
		e.retry = again
	case errors.Is(e.err, ErrSessionLost):
		e.retry = again
	}
	if r != nil && errors.Is(e.err, ErrSessionLost) {
		*r = *newResumption()
	}
	return e
}
