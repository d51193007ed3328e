package bridge

import (
	"fmt"

	"github.com/coder/websocket"
)

// Framing says how a child's byte stream and messages map to each other. The
// zero value is Lines.
type Framing int

// The framings of --framing.
const (
	// Lines makes each line of output a text message, and each message a line of input.
	Lines Framing = iota
	// Bytes makes what one read returned a binary message, and a message plain input.
	Bytes
	// NUL makes each record of output up to a NUL a text message, and ends each
	// message with a NUL.
	NUL
	// Length makes binary messages of records that begin with their length, four
	// bytes in network order, both ways.
	Length
	// LSP makes text messages of the bodies of records with a Content-Length
	// header, both ways: the Language Server Protocol's base protocol.
	LSP
	// JSON makes each line of stdout and of stderr a text message that names its
	// stream, and each message a line of input.
	JSON
)

// framings are what the framings are called and made of.
var framings = [...]struct {
	name  string
	typ   websocket.MessageType // of messages to the client
	whole bool                  // the length of a message stands before it on stdin
	codec func() codec
}{
	Lines:  {"lines", websocket.MessageText, false, func() codec { return delimited('\n') }},
	Bytes:  {"bytes", websocket.MessageBinary, false, func() codec { return chunks(blockSize) }},
	NUL:    {"nul", websocket.MessageText, false, func() codec { return delimited(0) }},
	Length: {"length", websocket.MessageBinary, true, func() codec { return new(lengthRecords) }},
	LSP:    {"lsp", websocket.MessageText, true, func() codec { return new(lspRecords) }},
	JSON:   {"json", websocket.MessageText, false, func() codec { return delimited('\n') }},
}

// String returns the name that ParseFraming takes.
func (f Framing) String() string { return framings[f].name }

// HoldsWhole reports whether a message from a client is held until its length
// is known, which bounds how long it may be: at most MaxHeld bytes.
func (f Framing) HoldsWhole() bool { return framings[f].whole }

// MaxHeld is the most that Length can express, in bytes.
const MaxHeld = 1<<32 - 1

// FramingNames lists what ParseFraming takes.
func FramingNames() (names []string) {
	for _, f := range framings {
		names = append(names, f.name)
	}
	return names
}

// ParseFraming returns the framing called name.
func ParseFraming(name string) (Framing, error) {
	for f := range framings {
		if framings[f].name == name {
			return Framing(f), nil
		}
	}
	return 0, fmt.Errorf("no framing is called %q", name)
}

// codec is one framing at work for one connection.
type codec interface {
	// cut takes the front of a message off p, what the child has written so
	// far: n bytes of p become the payload piece, which lies in p, and last
	// tells whether it ends the message. n is 0 if more must come first; at
	// the end of the output it never is while p is not empty. A message
	// longer than maxFrame comes in several pieces. After an error, which says
	// how the child breaks its framing, n is where in p it does.
	cut(p []byte, eof bool) (n int, piece []byte, last bool, err error)
	// wrap returns what stands on stdin before and after a message of size
	// bytes. Only a framing that holds messages whole has anything before them.
	wrap(size int) (before, after string)
}
