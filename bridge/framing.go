package bridge

import (
	"bytes"
	"fmt"
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
)

var framingNames = [...]string{Lines: "lines", Bytes: "bytes"}

// String returns the name that ParseFraming takes.
func (f Framing) String() string { return framingNames[f] }

// FramingNames lists what ParseFraming takes.
func FramingNames() []string { return framingNames[:] }

// ParseFraming returns the framing called name.
func ParseFraming(name string) (Framing, error) {
	for f, n := range framingNames {
		if n == name {
			return Framing(f), nil
		}
	}
	return 0, fmt.Errorf("no framing is called %q", name)
}

// codec is one framing at work.
type codec interface {
	// cut takes the front of a message off p, what the child has written so
	// far: n bytes of p become the payload piece, which lies in p, and last
	// tells whether it ends the message. n is 0 if more must come first; at
	// the end of the output it never is while p is not empty. A message
	// longer than maxFrame comes in several pieces.
	cut(p []byte, eof bool) (n int, piece []byte, last bool)
	// terminator is what follows a message's payload on stdin.
	terminator() string
	// text tells whether messages to the client are text.
	text() bool
}

func (f Framing) codec() codec {
	if f == Bytes {
		return chunks{}
	}
	return lines{}
}

// lines is the codec of Lines.
type lines struct{}

func (lines) terminator() string { return "\n" }
func (lines) text() bool         { return true }

func (lines) cut(p []byte, eof bool) (n int, piece []byte, last bool) {
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		piece = p[:i]
		if i > 0 && p[i-1] == '\r' {
			piece = p[:i-1]
		}
		return i + 1, piece, true
	}
	if eof {
		return len(p), p, true
	}
	if len(p) <= maxFrame+1 { // a carriage return may still prove to be part of the terminator
		return 0, nil, false
	}
	n = len(p)
	if p[n-1] == '\r' {
		n--
	}
	n -= incompleteTail(p[:n])
	return n, p[:n], false
}

// chunks is the codec of Bytes.
type chunks struct{}

func (chunks) terminator() string { return "" }
func (chunks) text() bool         { return false }

func (chunks) cut(p []byte, _ bool) (n int, piece []byte, last bool) { return len(p), p, true }
