package bridge

import (
	"fmt"
	"unicode/utf8"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// End is how a session ends, as the client is told (RFC 6455, section 7.4).
type End struct {
	// Code is the close code. 1006 means that the peer went without a close
	// frame; it is never sent.
	Code websocket.StatusCode
	// Reason is the close frame's, at most 123 bytes of valid UTF-8 when sent.
	Reason string

	by   endedBy
	from childEnd
}

// childEnd is what a child has done to end a connection.
type childEnd int

const (
	notChild   childEnd = iota // the child has nothing to do with it
	childExit                  // it has ended
	childClose                 // it has closed this connection, as a Mux's child may
)

// endedBy is who ended a session.
type endedBy int

const (
	byUs        endedBy = iota // the peer is to get a close frame
	byClient                   // it has sent one, and the library has answered it
	byLoss                     // the peer is gone without one
	bySilence                  // the peer is to get one, but hardly answers
	byViolation                // the client has broken the protocol: it gets one, and nothing is read any more
)

// The ends that we cause. Each close code and reason that a client can see
// stands in this file.
var (
	endShutdown = End{Code: websocket.StatusGoingAway, Reason: "server shutting down"}
	endOperator = End{Code: websocket.StatusGoingAway, Reason: "ended by the operator"}
	endRuntime  = End{Code: 4001, Reason: "max runtime"}
	endIdle     = End{Code: 4002, Reason: "idle timeout"}
	endNotUTF8  = End{Code: websocket.StatusInvalidFramePayloadData, Reason: "text is not UTF-8"}
	endProtocol = End{Code: websocket.StatusProtocolError, Reason: "protocol error", by: byViolation}
	// endBadReason is a violation within a close frame.
	endBadReason = End{Code: wire.InvalidReasonCode, Reason: wire.InvalidReason, by: byViolation}

	endSilent      = End{Code: websocket.StatusPolicyViolation, Reason: "no answer to pings", by: bySilence}
	endTakeover    = End{Code: 4010, Reason: "attached elsewhere"}
	endHistoryLost = End{Code: 4011, Reason: "history lost"}
	endControl     = End{Code: websocket.StatusMessageTooBig, Reason: fmt.Sprintf("control message over %d bytes", maxControlMessage)}
	endUnread      = End{Code: websocket.StatusAbnormalClosure, Reason: "output not read", by: byLoss}
	endLost        = End{Code: websocket.StatusAbnormalClosure, Reason: "connection lost", by: byLoss}
)

// endSlow tells a viewer that more waits for it than may.
func endSlow(behind int) End {
	return End{Code: websocket.StatusTryAgainLater, Reason: fmt.Sprintf("too slow: %d bytes behind", behind)}
}

func endTooBig(limit int64) End {
	return End{Code: websocket.StatusMessageTooBig, Reason: fmt.Sprintf("message over %d bytes", limit)}
}

// endExit tells that the child ended: with exit status code, or by a signal,
// whose number is then code-128. exitCode asks for a close code that tells a
// failure, too.
func endExit(code int, signal string, exitCode bool) End {
	e := End{Code: websocket.StatusNormalClosure, Reason: fmt.Sprintf("exit %d", code), from: childExit}
	if signal != "" {
		e.Reason = "signal " + signal
	}
	if exitCode && code != 0 {
		e.Code = websocket.StatusCode(4000 + min(uint32(code), 999)) // the last private one
	}
	return e
}

// endCannotStart tells that the child could not be started.
func endCannotStart(reason string) End {
	return End{Code: websocket.StatusInternalError, Reason: cutReason("cannot start: " + reason)}
}

// endBadFraming tells how the child's output breaks its framing.
func endBadFraming(f framing.Framing, cause error) End {
	return End{Code: websocket.StatusInternalError, Reason: fmt.Sprintf("bad %s output: %v", f, cause)}
}

// maxReason is the room for a reason in a close frame (RFC 6455, section 5.5).
const maxReason = 123

// cutReason makes s fit a close frame.
func cutReason(s string) string {
	if !utf8.ValidString(s) {
		s = string(framing.AppendValid(nil, []byte(s)))
	}
	if len(s) <= maxReason {
		return s
	}
	n := maxReason
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
