package connect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
)

// result is how a connection, or the client, ended.
type result struct {
	status int
	// err is the message for the user. Nil means none.
	err error
	// retry reports whether another attempt may succeed, after at least retryAfter.
	retry      bool
	retryAfter time.Duration
	// closeCode and closeReason are those of the server's close frame, if it is an error.
	closeCode   websocket.StatusCode
	closeReason string
	// duration is how long the connection existed.
	duration time.Duration
}

// signalNumbers maps the names of signals, without SIG, to their numbers on Linux.
var signalNumbers = map[string]syscall.Signal{
	"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12,
	"PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23,
	"XCPU": 24, "XFSZ": 25, "VTALRM": 26, "PROF": 27, "WINCH": 28, "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31,
}

// exitResult returns the result for a child that exited with the status code. Windows has
// larger ones than we can return.
func exitResult(code int) result {
	if code < 0 || code > StatusFailed {
		code = StatusFailed
	}
	return result{status: code}
}

// signalResult returns the result for a child killed by the signal with this name, or
// number if it has no name.
func signalResult(signal string) result {
	n, err := strconv.Atoi(signal)
	if number, ok := signalNumbers[signal]; ok {
		n = int(number)
	} else if err != nil {
		return result{status: StatusFailed, err: fmt.Errorf("the program was killed by signal %s", singleLine(signal))}
	}
	return exitResult(128 + n)
}

// ExitStatus returns the exit status that the reason of a close frame states, such as "exit 3" or
// "signal TERM"; 0 if it states none.
func ExitStatus(reason string) int {
	r, _ := parseCloseReason(reason)
	return r.status
}

// parseCloseReason returns the result that the reason of a close frame states.
func parseCloseReason(reason string) (r result, ok bool) {
	kind, value, _ := strings.Cut(reason, " ")
	switch kind {
	case "exit":
		code, err := strconv.Atoi(value)
		return exitResult(code), err == nil
	case "signal":
		return signalResult(value), value != ""
	}
	return result{}, false
}

// parseExitMessage returns the result that a message on channel.Control states.
func parseExitMessage(c channel.ControlMessage) (r result, ok bool) {
	switch {
	case c.Type != channel.TypeExit:
		return result{}, false
	case c.Signal != "":
		return signalResult(c.Signal), true
	case c.Code != nil:
		return exitResult(*c.Code), true
	}
	return result{}, false
}

// parseStatus returns the result that the Status object on channel.Error states.
func parseStatus(message []byte) (r result, ok bool) {
	var status channel.Status
	if err := json.Unmarshal(message, &status); err != nil {
		return result{}, false
	}
	if status.Status == channel.StatusSuccess {
		return exitResult(0), true
	}
	if status.Details != nil && status.Reason == channel.ReasonNonZeroExitCode {
		for _, cause := range status.Details.Causes {
			if code, err := strconv.Atoi(cause.Message); err == nil && cause.Reason == channel.ReasonExitCode {
				return exitResult(code), true
			}
		}
	}
	return result{status: StatusFailed, err: fmt.Errorf("the server reported: %s", singleLine(status.Message))}, true
}

// closeResult returns the result of a connection that ended with a close frame. reported is
// the exit that the server has reported in a message, or nil; mustReport says that the
// subprotocol requires one.
func closeResult(frame websocket.CloseError, reported *result, mustReport bool) result {
	isNormal := frame.Code == websocket.StatusNormalClosure || frame.Code == websocket.StatusNoStatusRcvd
	inReason, ok := parseCloseReason(frame.Reason)
	switch {
	case reported != nil && (isNormal || ok):
		return *reported
	case ok && (isNormal || frame.Code >= 4000):
		return inReason
	case isNormal && mustReport:
		return result{status: StatusFailed, err: errors.New("the server did not report the program's exit status")}
	case isNormal:
		return result{}
	}
	text := fmt.Sprintf("connection closed by the server: code %d", frame.Code)
	if meaning := closeCodeTexts[frame.Code]; meaning != "" {
		text += " (" + meaning + ")"
	}
	if reason := singleLine(frame.Reason); reason != "" {
		text += ": " + reason
	}
	_, retry := retryCodes[frame.Code]
	return result{status: StatusFailed, err: errors.New(text), retry: retry, closeCode: frame.Code, closeReason: frame.Reason}
}

// closeCodeTexts describes the close codes of RFC 6455 section 7.4.1 and its registry.
var closeCodeTexts = map[websocket.StatusCode]string{
	websocket.StatusGoingAway:               "going away",
	websocket.StatusProtocolError:           "protocol error",
	websocket.StatusUnsupportedData:         "unsupported data",
	websocket.StatusInvalidFramePayloadData: "invalid data",
	websocket.StatusPolicyViolation:         "policy violation",
	websocket.StatusMessageTooBig:           "message too big",
	websocket.StatusInternalError:           "internal error",
	websocket.StatusServiceRestart:          "restarting",
	websocket.StatusTryAgainLater:           "try again later",
	websocket.StatusBadGateway:              "bad gateway",
}

// retryCodes are the close codes after which a client may reconnect. We send no invalid
// frames, so 1002 means that a proxy did.
var retryCodes = map[websocket.StatusCode]struct{}{
	websocket.StatusGoingAway:      {},
	websocket.StatusProtocolError:  {},
	websocket.StatusServiceRestart: {},
	websocket.StatusTryAgainLater:  {},
}

// lossResult returns the result of a connection that ended without a close frame.
func lossResult(err error) result {
	text := "connection lost"
	if cause := innermost(err); !slices.Contains([]error{io.EOF, wire.ErrDisconnected, net.ErrClosed}, cause) {
		text += ": " + singleLine(cause.Error())
	}
	return result{status: StatusFailed, err: errors.New(text), retry: true}
}

// innermost returns the cause that err wraps.
func innermost(err error) error {
	for {
		if op, ok := err.(*os.SyscallError); ok {
			return op.Err
		}
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// maxShown is how many bytes of a text from the server are shown.
const maxShown = 1000

// printable replaces the characters on which a terminal may act: control characters, and
// those that change the direction of a text. A server, a certificate or a proxy may have
// put them into a message.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return unicode.ReplacementChar
		}
		return c
	}, s)
}

// printableError is an error whose text is printable.
type printableError struct{ error }

// Error implements error.
func (e printableError) Error() string { return printable(e.error.Error()) }

// Unwrap returns the error.
func (e printableError) Unwrap() error { return e.error }

// singleLine returns a text from the server as one short, printable line.
func singleLine(s string) string {
	s = printable(strings.Join(strings.Fields(s), " "))
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "..."
	}
	return s
}
