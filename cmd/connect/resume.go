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

// resumedSession is a session that outlives its connections, and counts the messages
// received. It is nil without Config.Resume; its methods then do nothing. Only the current
// connection uses it.
type resumedSession struct {
	id          string   // secret: it gives access to the session
	requested   bool     // a connection with id was attempted
	established bool     // a connection with id was made
	protocol    []string // the session's subprotocol
	name        string   // from the server's hello message, or empty
	discard     bool     // the server has started another child

	received     int64 // messages received completely
	receivedPart int64 // bytes received of the next message

	message    io.Reader // the current message, from its beginning
	seen       int64     // bytes read of message
	countEmpty bool      // message counts even if it is empty
}

func newResumedSession() *resumedSession {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return &resumedSession{id: base64.RawURLEncoding.EncodeToString(id[:])}
}

// Errors that end a session.
var (
	// ErrSessionLost reports that the server no longer has the session, or not all of its
	// remaining output.
	ErrSessionLost = errors.New("session lost")
	errTakenOver   = errors.New("session taken over by another client")
)

// Close codes that concern the session, and those of a missing pong.
const (
	codeTakenOver     websocket.StatusCode = 4010
	codeHistoryLost   websocket.StatusCode = 4011
	pongTimeoutCode                        = websocket.StatusPolicyViolation
	pongTimeoutReason                      = "no answer to pings"
)

// continuesAfter reports whether the session continues after res, which resolve has
// returned.
func (r *resumedSession) continuesAfter(res result) bool {
	return r != nil && res.retry && !errors.Is(res.err, ErrSessionLost)
}

// query returns the query parameters: the session's ID and, from the second attempt on,
// the number of messages received. (The first attempt may have reached the server.)
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

// offer returns the subprotocols to offer. After the first connection that is only the one
// of the session, because message counts differ between subprotocols.
func (r *resumedSession) offer(all []string) []string {
	if r == nil || !r.established {
		return all
	}
	return r.protocol
}

// withPlain inserts channel.ProtocolPlain before protocols whose first has channels,
// because many servers select the first one offered without implementing it.
func withPlain(protocols []string) []string {
	if len(protocols) > 0 && slices.Contains(channel.Protocols, protocols[0]) {
		return append([]string{channel.ProtocolPlain}, protocols...)
	}
	return protocols
}

// connected records that a connection with this subprotocol was made.
func (r *resumedSession) connected(protocol string) {
	if r == nil || r.established {
		return
	}
	if r.established = true; protocol != "" {
		r.protocol = []string{protocol}
	}
}

// acceptName sets the name that the server gives the session. If it differs from the name
// before, the server does not know our session and has started another child. Then
// acceptName uses that if allowNew is true; otherwise it discards its output and returns
// false.
func (r *resumedSession) acceptName(name string, allowNew bool) (ok bool) {
	if r == nil {
		return true
	}
	if r.isNewSession(name) {
		r.received, r.receivedPart, r.discard = 0, 0, !allowNew
	}
	r.name = name
	return !r.discard
}

// isNewSession reports whether name differs from the name before.
func (r *resumedSession) isNewSession(name string) bool {
	return r != nil && r.name != "" && r.name != name
}

// skipReceived returns a reader of message without the bytes that were received over an
// earlier connection. The channel byte has been read. countEmpty says that the message
// counts even if it is empty.
func (r *resumedSession) skipReceived(message io.Reader, countEmpty bool) io.Reader {
	if r == nil {
		return message
	}
	r.message, r.seen, r.countEmpty = message, 0, countEmpty
	return r
}

// Read implements io.Reader for skipReceived. The server repeats an incomplete message from
// its beginning, with the same bytes.
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

// resolve adjusts the result of a connection to the session. newSession says that a new
// session may follow a lost one.
func (r *resumedSession) resolve(res result, newSession bool) result {
	switch {
	case r == nil:
	case res.closeCode == pongTimeoutCode && res.closeReason == pongTimeoutReason:
		res.retry = true
	case res.closeCode == codeTakenOver:
		res.err, res.retry = errTakenOver, false
	case res.closeCode == codeHistoryLost:
		res.err = fmt.Errorf("%w: the server has ended it, or has dropped part of its output", ErrSessionLost)
		res.retry = newSession
	case errors.Is(res.err, ErrSessionLost):
		res.retry = newSession
	}
	if r != nil && errors.Is(res.err, ErrSessionLost) {
		*r = *newResumedSession()
	}
	return res
}
