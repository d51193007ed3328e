package bridge

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"wspipe/bridge/framing"

	"github.com/coder/websocket"
)

// muxCommand is a command of a Mux child: a message to clients or, if closeID is not empty,
// the end of a client's connection.
type muxCommand struct {
	all     bool
	to      []string
	payload []byte
	binary  bool

	closeID string
	end     End
}

// The errors of an invalid line. They do not contain text of the line, because payload is
// never logged.
var (
	errNoObject     = errors.New("not a JSON object")
	errNoCommand    = errors.New("want \"to\" or \"close\"")
	errMixedCommand = errors.New("\"close\" cannot be combined with \"to\", \"data\" or \"base64\", nor \"code\" or \"reason\" with \"to\"")
	errTo           = errors.New("\"to\" must be a client, a list of clients, or \"*\"")
	errNoPayload    = errors.New("want exactly one of \"data\" and \"base64\"")
	errData         = errors.New("\"data\" must be a string")
	errBase64       = errors.New("\"base64\" must be a base64 string")
	errClose        = errors.New("\"close\" must be a client")
	errCode         = errors.New("invalid close code")
	errReason       = fmt.Errorf("\"reason\" must be a string of at most %d bytes", maxReason)
)

// members are the members of a line's JSON object, by their exact names. Unknown ones are
// ignored.
type members map[string]json.RawMessage

func (m members) has(names ...string) bool {
	for _, name := range names {
		if _, ok := m[name]; ok {
			return true
		}
	}
	return false
}

// parseMuxCommand parses line, after replacing invalid UTF-8 by U+FFFD.
func parseMuxCommand(line []byte) (muxCommand, error) {
	if !utf8.Valid(line) {
		line = framing.AppendValid(nil, line)
	}
	var m members
	if json.Unmarshal(line, &m) != nil || m == nil {
		return muxCommand{}, errNoObject
	}
	switch isClose := m.has("close"); {
	case !isClose && !m.has("to"):
		return muxCommand{}, errNoCommand
	case isClose && m.has("to", "data", "base64"), !isClose && m.has("code", "reason"):
		return muxCommand{}, errMixedCommand
	case isClose:
		return parseClose(m)
	}
	return parseMessage(m)
}

func parseMessage(m members) (cmd muxCommand, err error) {
	if cmd.all, cmd.to, err = parseTo(m["to"]); err != nil {
		return cmd, err
	}
	cmd.binary = m.has("base64")
	if cmd.binary == m.has("data") {
		return cmd, errNoPayload
	}
	if !cmd.binary {
		text, ok := parseString(m["data"])
		if !ok {
			return cmd, errData
		}
		cmd.payload = []byte(text)
		return cmd, nil
	}
	text, ok := parseString(m["base64"])
	if ok {
		cmd.payload, err = base64.StdEncoding.DecodeString(text)
	}
	if !ok || err != nil {
		return cmd, errBase64
	}
	return cmd, nil
}

// parseTo returns the recipients of a message.
func parseTo(raw json.RawMessage) (everybody bool, to []string, err error) {
	if one, ok := parseString(raw); ok {
		return one == "*", []string{one}, nil
	}
	var list []*string
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return false, nil, errTo
	}
	for _, one := range list {
		if one == nil {
			return false, nil, errTo
		}
		to = append(to, *one)
	}
	return false, to, nil
}

func parseClose(m members) (cmd muxCommand, err error) {
	var ok bool
	if cmd.closeID, ok = parseString(m["close"]); !ok || cmd.closeID == "" {
		return cmd, errClose
	}
	cmd.end.Code, cmd.end.from = websocket.StatusNormalClosure, childClose
	if raw, given := m["code"]; given {
		cmd.end.Code = 0 // stays so if raw is null
		if json.Unmarshal(raw, &cmd.end.Code) != nil || !maySend(cmd.end.Code) {
			return cmd, errCode
		}
	}
	if raw, given := m["reason"]; given {
		if cmd.end.Reason, ok = parseString(raw); !ok || len(cmd.end.Reason) > maxReason {
			return cmd, errReason
		}
	}
	return cmd, nil
}

// parseString returns the string in raw. ok is false if raw is no string.
func parseString(raw json.RawMessage) (s string, ok bool) {
	return s, len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil
}

// maySend reports whether a close frame may have this code (RFC 6455, section 7.4, and the
// IANA registry).
func maySend(code websocket.StatusCode) bool {
	return 1000 <= code && code <= 1003 || 1007 <= code && code <= 1014 || 3000 <= code && code <= 4999
}
