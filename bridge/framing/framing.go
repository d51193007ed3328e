// Package framing splits the output of a child into messages, and joins messages into its
// input. It knows nothing of connections or processes.
package framing

import "fmt"

// Framing maps between byte streams and messages. The zero value is Lines.
type Framing int

// The framings of --framing.
const (
	// Lines makes each line of output a text message, and each message a line of input.
	Lines Framing = iota
	// Bytes makes the result of each read a binary message, and passes messages on
	// unchanged.
	Bytes
	// NUL makes each record of output that ends with NUL a text message, and ends each
	// message to the child with NUL.
	NUL
	// Length maps between binary messages and records that begin with their length, four
	// bytes in network order.
	Length
	// LSP maps between text messages and the bodies of records with a Content-Length
	// header, the base protocol of the Language Server Protocol.
	LSP
	// JSON makes each line of stdout and stderr a text message that names its stream, and
	// each message a line of input.
	JSON
)

// framings has the properties of each Framing.
var framings = [...]struct {
	name   string
	binary bool // see Binary
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

// String returns the name, as Parse accepts it.
func (f Framing) String() string { return framings[f].name }

// Binary reports whether messages to the client are binary.
func (f Framing) Binary() bool { return framings[f].binary }

// JoinsLines reports whether Join makes a line of each message.
func (f Framing) JoinsLines() bool { return f == Lines || f == JSON }

// HoldsWhole reports whether a message from a client must be complete before Join, because
// its size comes first. Such a message is at most MaxHeld bytes.
func (f Framing) HoldsWhole() bool { return framings[f].whole }

// NewCodec returns a new codec for one output stream of a child, or for its stdin.
func (f Framing) NewCodec() Codec { return framings[f].codec() }

// MaxWhole is the size in bytes up to which Split returns a message in one piece.
const MaxWhole = 64 << 10

// MaxHeld is the largest size that Length can encode, in bytes.
const MaxHeld = 1<<32 - 1

// Names returns the names of all framings.
func Names() (names []string) {
	for _, f := range framings {
		names = append(names, f.name)
	}
	return names
}

// Parse returns the framing with the given name.
func Parse(name string) (Framing, error) {
	for f := range framings {
		if framings[f].name == name {
			return Framing(f), nil
		}
	}
	return 0, fmt.Errorf("unknown framing %q", name)
}

// Codec splits one output stream into messages, and joins messages into stdin. It is not
// safe for concurrent use.
type Codec interface {
	// Split returns the next piece of a message. p is the output that has not been split
	// yet, and eof reports whether it is the last. Split consumes n bytes of p and returns
	// the payload in them, a slice of p; last reports whether it ends the message. It
	// returns n == 0 if it needs more output, which never happens with eof unless p is
	// empty. Messages up to MaxWhole bytes have one piece; longer ones may have several.
	// The error describes output that breaks the framing at p[n].
	Split(p []byte, eof bool) (n int, piece []byte, last bool, err error)
	// Join returns the bytes to write to stdin before and after a message of size bytes.
	// before is empty unless HoldsWhole.
	Join(size int) (before, after string)
}
