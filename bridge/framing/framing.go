// Package framing splits a child's output into messages and joins messages into what a
// child reads. It knows no connection and no process.
package framing

import "fmt"

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
	name   string
	binary bool // messages to the client are
	whole  bool // see HoldsWhole
	codec  func() Codec
}{
	Lines:  {"lines", false, false, func() Codec { return delimited('\n') }},
	Bytes:  {"bytes", true, false, func() Codec { return Chunks(2 * MaxWhole) }},
	NUL:    {"nul", false, false, func() Codec { return delimited(0) }},
	Length: {"length", true, true, func() Codec { return new(lengthRecords) }},
	LSP:    {"lsp", false, true, func() Codec { return new(lspRecords) }},
	JSON:   {"json", false, false, func() Codec { return delimited('\n') }},
}

// String returns the name that Parse takes.
func (f Framing) String() string { return framings[f].name }

// Binary reports whether messages to the client are binary.
func (f Framing) Binary() bool { return framings[f].binary }

// HoldsWhole reports whether a message from a client is held until its length
// is known, which bounds how long it may be: at most MaxHeld bytes.
func (f Framing) HoldsWhole() bool { return framings[f].whole }

// NewCodec returns a codec for one stream of a child and its stdin.
func (f Framing) NewCodec() Codec { return framings[f].codec() }

// MaxWhole is the longest message that Split is sure to return in one piece, in
// bytes.
const MaxWhole = 64 << 10

// MaxHeld is the most that Length can express, in bytes.
const MaxHeld = 1<<32 - 1

// Names lists what Parse takes.
func Names() (names []string) {
	for _, f := range framings {
		names = append(names, f.name)
	}
	return names
}

// Parse returns the framing called name.
func Parse(name string) (Framing, error) {
	for f := range framings {
		if framings[f].name == name {
			return Framing(f), nil
		}
	}
	return 0, fmt.Errorf("unknown framing %q", name)
}

// Codec is one framing at work for one stream of output, and for stdin.
type Codec interface {
	// Split takes the front of a message off p, what the child has written so
	// far: n bytes of p become the payload piece, which lies in p, and last
	// tells whether it ends the message. n is 0 if more must come first; at
	// the end of the output it never is while p is not empty. A message
	// longer than MaxWhole may come in several pieces. After an error, which says
	// how the child breaks its framing, n is where in p it does.
	Split(p []byte, eof bool) (n int, piece []byte, last bool, err error)
	// Join returns what stands on stdin before and after a message of size
	// bytes. Only a framing that holds messages whole has anything before them.
	Join(size int) (before, after string)
}
