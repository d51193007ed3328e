package bridge

import (
	"fmt"
	"unicode/utf8"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// End is how a connection ends (RFC 6455, section 7.4).
type End struct {
	// Code is the close code. 1006, which is never sent, means that the client
	// disconnected without a close frame.
	Code websocket.StatusCode
	// Reason is the reason of the close frame: at most 123 bytes of valid UTF-8 if sent.
	Reason string

	by   endedBy
	from childEnd
}

// childEnd is how the child caused the end of a connection.
type childEnd int

const (
	notChild   childEnd = iota // it did not
	childExit                  // it exited
	childClose                 // a Mux child closed this connection
)

// endedBy is which side ended a connection.
type endedBy int

const (
	byUs        endedBy = iota // the client gets a close frame
	byClient                   // the client sent a close frame, and the library has replied
	byLoss                     // the client disconnected without a close frame
	bySilence                  // the client gets a close frame, but will hardly reply
	byViolation                // the client violated the protocol: it gets a close frame, and we read nothing more
)

// The ends that we cause. This file has every close code and reason that a client can get.
var (
	endShutdown = End{Code: websocket.StatusGoingAway, Reason: "server shutting down"}
	endOperator = End{Code: websocket.StatusGoingAway, Reason: "ended by the operator"}
	endRuntime  = End{Code: 4001, Reason: "max runtime"}
	endIdle     = End{Code: 4002, Reason: "idle timeout"}
	endNotUTF8  = End{Code: websocket.StatusInvalidFramePayloadData, Reason: "text is not UTF-8"}
	endProtocol = End{Code: websocket.StatusProtocolError, Reason: "protocol error", by: byViolation}
	// endBadReason is a violation within a close frame.
	endBadReason = End{Code: wire.InvalidReasonCode, Reason: wire.InvalidReason, by: byViolation}

	// endBadBody is the end of a plain HTTP request whose chunks are malformed.
	endBadBody = End{Code: websocket.StatusProtocolError, Reason: "malformed request body"}

	endSilent      = End{Code: websocket.StatusPolicyViolation, Reason: "no answer to pings", by: bySilence}
	endTakeover    = End{Code: 4010, Reason: "attached elsewhere"}
	endHistoryLost = End{Code: 4011, Reason: "history lost"}
	endControl     = End{Code: websocket.StatusMessageTooBig, Reason: fmt.Sprintf("control message over %d bytes", maxControlMessage)}
	endUnread      = End{Code: websocket.StatusAbnormalClosure, Reason: "output not read", by: byLoss}
	endLost        = End{Code: websocket.StatusAbnormalClosure, Reason: "connection lost", by: byLoss}
)

// endSlow is the end of a client that is too far behind.
func endSlow(behind int) End {
	return End{Code: websocket.StatusTryAgainLater, Reason: fmt.Sprintf("too slow: %d bytes behind", behind)}
}

func endTooBig(limit int64) End {
	return End{Code: websocket.StatusMessageTooBig, Reason: fmt.Sprintf("message over %d bytes", limit)}
}

// endExit is the end after the child's exit: by exit status code, or by a signal, where code
// is 128 plus the signal's number. exitCode requests a close code that reports a failure.
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

// endCannotStart is the end if the child could not be started.
func endCannotStart(reason string) End {
	return End{Code: websocket.StatusInternalError, Reason: cutReason("cannot start: " + reason)}
}

// endBadFraming is the end if the child's output breaks its framing.
func endBadFraming(f framing.Framing, cause error) End {
	return End{Code: websocket.StatusInternalError, Reason: fmt.Sprintf("bad %s output: %v", f, cause)}
}

// maxReason is the longest reason in a close frame, in bytes (RFC 6455, section 5.5).
const maxReason = 123

// cutReason returns the longest prefix of s that fits a close frame, as valid UTF-8.
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
