package channel

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Encode returns a message on the channel of that number, whose content is JSON.
func Encode(number byte, content any) []byte {
	text, err := json.Marshal(content)
	if err != nil {
		panic(err) // only our own types come here
	}
	return append([]byte{number}, text...)
}

// ParseControl decodes a message on Control. It has no Type if it is not valid.
func ParseControl(message []byte) (c ControlMessage) {
	if json.Unmarshal(message, &c) != nil {
		return ControlMessage{}
	}
	return c
}

// ExitStatus returns the Status of a child that has ended: with exit status code, or
// by a signal, if that is not empty.
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

// Failure returns the Status of a child that did not run, or not to its end.
func Failure(reason string) Status {
	return Status{Status: StatusFailure, Message: reason, Reason: ReasonInternalError, Code: 500}
}
