package channel

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Encode returns a message on a channel with content as JSON. It panics if content cannot
// be marshaled.
func Encode(number byte, content any) []byte {
	text, err := json.Marshal(content)
	if err != nil {
		panic(err) // content is always one of our own types
	}
	return append([]byte{number}, text...)
}

// ParseControl decodes a message on Control. It returns a zero ControlMessage if the message
// is invalid.
func ParseControl(message []byte) (c ControlMessage) {
	if json.Unmarshal(message, &c) != nil {
		return ControlMessage{}
	}
	return c
}

// ExitStatus returns the Status of a child that exited with code or, if signal is not
// empty, was killed by signal.
func ExitStatus(code int, signal string) Status {
	if code == 0 && signal == "" {
		return Status{Status: StatusSuccess}
	}
	said := fmt.Sprintf("exit status %d", code)
	if signal != "" {
		said = "signal " + signal
	}
	return Status{
		Status:  StatusFailure,
		Message: "command terminated with non-zero exit code: " + said,
		Reason:  ReasonNonZeroExitCode,
		Details: &StatusDetails{Causes: []StatusCause{{Reason: ReasonExitCode, Message: strconv.Itoa(code)}}},
	}
}

// Failure returns the Status of a child that did not start or was stopped.
func Failure(reason string) Status {
	return Status{Status: StatusFailure, Message: reason, Reason: ReasonInternalError, Code: 500}
}
