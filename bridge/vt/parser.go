package vt

import (
	"bytes"
	"unicode/utf8"

	"wspipe/bridge/framing"
)

// parser splits a program's output into text and control sequences (ECMA-48). The zero
// value is at the beginning of the output. It does not allocate. Its tokens do not depend
// on how the output is split into calls of next.
type parser struct {
	state parserState
	c1    bool // the sequence begins with a C1 control in UTF-8, not ESC
	lead  bool // the last byte of a string may be the first of a C1 control
	open  bool // the last sequence ended without its final byte or ST
	after bool // open of the sequence before
	long  bool // the sequence is longer than held

	// held[:n] is the current sequence or character, without the bytes that terminals
	// ignore inside a sequence; only the beginning if it is long.
	held [maxHeldSequence]byte
	n    int
}

// maxHeldSequence is longer than any sequence that sets a mode, and than the part that
// identifies a query. Only strings, such as titles and images, are longer.
const maxHeldSequence = 128

// parserState is the parser's position relative to a sequence.
type parserState uint8

const (
	inText   parserState = iota
	inChar               // inside a character
	inEscape             // after ESC
	inFinal              // after ESC and intermediate bytes
	inCSI                // after ESC [
	inOSC                // after ESC ]
	inString             // after ESC P, X, ^ or _
	inShift              // after ESC N or ESC O: the next character belongs to it
)

// token is what parser.next found.
type token uint8

const (
	tokenText     token = iota // text outside of any sequence
	tokenPart                  // part of a sequence that continues
	tokenSequence              // the end of a sequence, or of a character that an earlier call began
	tokenBroken                // the same, but the sequence or character is incomplete
)

const (
	enq = 0x05
	bel = 0x07
	so  = 0x0e
	si  = 0x0f
	can = 0x18
	sub = 0x1a
	esc = 0x1b
	del = 0x7f

	c1Lead = 0xc2 // the first byte of a C1 control in UTF-8
	c1Last = 0x9f
)

// next consumes the first token of p, which must not be empty. n is its length in p: zero
// if p only shows that the current sequence has ended.
func (t *parser) next(p []byte) (n int, what token) {
	if t.state == inText {
		if n = plainText(p); n > 0 {
			return n, tokenText
		}
		t.after = t.open
		t.n, t.c1, t.lead, t.open, t.long = 0, false, false, false, false
		if n = completeCSI(p); n > 0 { // the fast path for most sequences
			t.n = copy(t.held[:], p[:n])
			return n, tokenSequence
		}
		t.hold(p[0])
		switch {
		case p[0] == esc:
			t.state = inEscape
		case p[0] >= utf8.RuneSelf:
			t.state = inChar
		default:
			return 1, tokenSequence // a control character
		}
		n = 1
	}
	for n < len(p) {
		taken, what := t.take(p[n])
		n += taken
		if what != tokenPart {
			t.state = inText
			t.open = t.open || what == tokenBroken
			return n, what
		}
		if t.n == len(t.held) && !t.long {
			t.long = true // return before more bytes follow, so that the caller sees held
			break
		}
	}
	return n, tokenPart
}

// completeCSI returns the length of the sequence that p begins with if it begins with
// ESC [, is complete and short, and contains no control characters; otherwise 0.
func completeCSI(p []byte) int {
	if len(p) < 3 || p[0] != esc || p[1] != '[' {
		return 0
	}
	for i, b := range p[2:min(len(p), maxHeldSequence)] {
		if b < ' ' || b >= del {
			return 0
		}
		if b >= '@' {
			return i + 3
		}
	}
	return 0
}

// take adds b to the current sequence, unless b ends the sequence without belonging to it.
func (t *parser) take(b byte) (taken int, what token) {
	switch {
	case t.state == inChar:
		return t.takeChar(b)
	case t.state >= inOSC && t.state <= inString:
		return t.takeString(b)
	case b == can || b == sub:
		t.hold(b)
		return 1, tokenBroken
	case b == esc:
		return 0, tokenBroken
	case b < ' ' || b >= del:
		return 1, tokenPart
	case t.state == inShift:
		t.hold(b)
		return 1, tokenSequence
	}
	t.hold(b)
	switch {
	case t.state == inCSI && b >= '@', t.state == inFinal && b >= '0':
		return 1, tokenSequence
	case t.state == inEscape:
		return 1, t.escape(b)
	}
	return 1, tokenPart
}

// escape handles b after ESC.
func (t *parser) escape(b byte) token {
	switch b {
	case '[':
		t.state = inCSI
	case ']':
		t.state = inOSC
	case 'P', 'X', '^', '_':
		t.state = inString
	case 'N', 'O':
		t.state = inShift
	default:
		if b >= '0' {
			return tokenSequence
		}
		t.state = inFinal
	}
	return tokenPart
}

// takeChar is take inside a character. A C1 control means ESC and another byte.
func (t *parser) takeChar(b byte) (taken int, what token) {
	if utf8.RuneStart(b) {
		return 0, tokenBroken
	}
	if t.held[0] == c1Lead && b <= c1Last {
		t.c1, t.n = true, 0
		t.hold(esc)
		t.hold(b - 0x40)
		return 1, t.escape(b - 0x40)
	}
	t.hold(b)
	if utf8.FullRune(t.held[:t.n]) {
		return 1, tokenSequence
	}
	return 1, tokenPart
}

// takeString is take inside a string. Any ESC ends it, whether it begins ST (ESC \) or
// another sequence.
func (t *parser) takeString(b byte) (taken int, what token) {
	if b == esc {
		t.open = true
		return 0, tokenSequence
	}
	isBell := b == bel && t.state == inOSC
	if b >= ' ' || isBell || b == can || b == sub {
		t.hold(b)
	}
	switch {
	case b == can, b == sub:
		return 1, tokenBroken
	case isBell, t.lead && b >= utf8.RuneSelf && b <= c1Last:
		return 1, tokenSequence
	}
	t.lead = b == c1Lead
	return 1, tokenPart
}

// hold adds b to held, unless held is full.
func (t *parser) hold(b byte) {
	if t.n < len(t.held) {
		t.held[t.n] = b
		t.n++
	}
}

// sequence returns the sequence that next found, or the beginning of a long one. It
// begins with ESC, even for a C1 control.
func (t *parser) sequence() []byte { return t.held[:t.n] }

// appendHeld appends held as the program wrote it.
func (t *parser) appendHeld(dst []byte) []byte {
	if t.c1 {
		dst = append(dst, c1Lead, t.held[1]+0x40)
		return append(dst, t.held[2:t.n]...)
	}
	return append(dst, t.held[:t.n]...)
}

// plainText returns the length of the text that p begins with, up to a sequence or an
// incomplete character at the end of p.
func plainText(p []byte) int {
	for n := 0; n < len(p); {
		end := min(len(p), n+256)
		if !hasControl(p[n:end]) {
			n = end
			continue
		}
		for ; n < end; n++ {
			if startsControl[p[n]] && (p[n] != c1Lead || n+1 == len(p) || p[n+1] >= utf8.RuneSelf && p[n+1] <= c1Last) {
				return n
			}
		}
	}
	return len(p) - framing.IncompleteTail(p)
}

// startsControl marks the bytes at which plainText stops. c1Lead may also begin an
// ordinary character.
var startsControl = [256]bool{esc: true, so: true, si: true, enq: true, c1Lead: true}

// hasControl reports whether p contains any of these bytes. It is faster than a loop over p.
func hasControl(p []byte) bool {
	for _, b := range [...]byte{esc, c1Lead, so, si, enq} {
		if bytes.IndexByte(p, b) >= 0 {
			return true
		}
	}
	return false
}
