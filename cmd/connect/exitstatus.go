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

	"wspipe/bridge/wire"
	"wspipe/bridge/channel"
)

// end is how a connection ended, or the client.
type result struct {
	status int
	// err is what there is to say about it. Nil means nothing.
	err error
	// retry says that another attempt may do better, which is not to come before
	// after.
	retry      bool
	retryAfter time.Duration
	// code and reason are those of the server's close frame that ended a connection.
	closeCode   websocket.StatusCode
	closeReason string
	// lasted is how long there was a connection.
	duration time.Duration
}

// signalNumbers are the signals of programs, by name without SIG, as Linux
// numbers them.
var signalNumbers = map[string]syscall.Signal{
	"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12,
	"PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23,
	"XCPU": 24, "XFSZ": 25, "VTALRM": 26, "PROF": 27, "WINCH": 28, "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31,
}

// exitResult is the end of a program with this exit status. An operating system may
// have larger ones than ours can tell.
func exitResult(code int) result {
	if code < 0 || code > StatusFailed {
		code = StatusFailed
	}
	return result{status: code}
}

// signalResult is the end of a program by the signal of this name, or number if it has
// none.
func signalResult(signal string) result {
	n, err := strconv.Atoi(signal)
	if number, ok := signalNumbers[signal]; ok {
		n = int(number)
	} else if err != nil {
		return result{status: StatusFailed, err: fmt.Errorf("the program was ended by signal %s", singleLine(signal))}
	}
	return exitResult(128 + n)
}

// parseCloseReason returns what a close frame's reason tells of the program's end.
func parseCloseReason(reason string) (e result, ok bool) {
	what, which, _ := strings.Cut(reason, " ")
	switch what {
	case "exit":
		code, err := strconv.Atoi(which)
		return exitResult(code), err == nil
	case "signal":
		return signalResult(which), which != ""
	}
	return result{}, false
}

// parseExitMessage returns what a message on bridge.ChannelControl tells of it.
func parseExitMessage(c channel.ControlMessage) (e result, ok bool) {
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

// parseStatus returns what the message on bridge.ChannelStatus tells of it.
func parseStatus(message []byte) (e result, ok bool) {
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
	return result{status: StatusFailed, err: fmt.Errorf("the server says: %s", singleLine(status.Message))}, true
}

// closeResult is the end of a connection by a close frame. told is what the server
// has said before about the program's end, or nil; mustTell says that it should
// have.
func closeResult(frame websocket.CloseError, told *result, mustTell bool) result {
	isNormal := frame.Code == websocket.StatusNormalClosure || frame.Code == websocket.StatusNoStatusRcvd
	ofProgram, ok := parseCloseReason(frame.Reason)
	switch {
	case told != nil && (isNormal || ok):
		return *told
	case ok && (isNormal || frame.Code >= 4000):
		return ofProgram
	case isNormal && mustTell:
		return result{status: StatusFailed, err: errors.New("the server did not say how the program ended")}
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
	_, again := retryCodes[frame.Code]
	return result{status: StatusFailed, err: errors.New(text), retry: again, closeCode: frame.Code, closeReason: frame.Reason}
}

// closeCodeTexts says the codes of RFC 6455 section 7.4.1, and of its registry, in
// words.
var closeCodeTexts = map[websocket.StatusCode]string{
	websocket.StatusGoingAway:               "going away",
	websocket.StatusProtocolError:           "protocol error",
	websocket.StatusUnsupportedData:         "cannot take such data",
	websocket.StatusInvalidFramePayloadData: "invalid data",
	websocket.StatusPolicyViolation:         "against its policy",
	websocket.StatusMessageTooBig:           "message too big",
	websocket.StatusInternalError:           "internal error",
	websocket.StatusServiceRestart:          "restarting",
	websocket.StatusTryAgainLater:           "try again later",
	websocket.StatusBadGateway:              "bad gateway",
}

// retryCodes are the close codes after which a server wants its clients back, or
// will have nothing against it. We send no invalid frames: after 1002 it was a
// proxy that did.
var retryCodes = map[websocket.StatusCode]struct{}{
	websocket.StatusGoingAway:      {},
	websocket.StatusProtocolError:  {},
	websocket.StatusServiceRestart: {},
	websocket.StatusTryAgainLater:  {},
}

// lossResult is the end of a connection without a close frame.
func lossResult(err error) result {
	text := "connection lost"
	if cause := innermost(err); !slices.Contains([]error{io.EOF, wire.ErrDisconnected, net.ErrClosed}, cause) {
		text += ": " + singleLine(cause.Error())
	}
	return result{status: StatusFailed, err: errors.New(text), retry: true}
}

// innermost returns the error that err is about.
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

// maxShown is how much of a text from the server is shown, in bytes.
const maxShown = 1000

// printable replaces what a terminal may act on: control characters, and those
// that change the direction of a text. A server, a certificate or a proxy may
// have put them anywhere in a message.
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

// singleLine makes a text from the server one short, printable line.
func singleLine(s string) string {
	s = printable(strings.Join(strings.Fields(s), " "))
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "..."
	}
	return s
}
