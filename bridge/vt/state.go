package vt

import (
	"bytes"
	"iter"
	"strconv"
)

// State is the state of a terminal after some output, as far as a new terminal needs it
// to continue: the modes in effect, and the sequence or character that the output ends
// inside of. It uses constant memory and is not safe for concurrent use.
type State struct {
	parser
	modes
}

// NewState returns the state before any output.
func NewState() State { return State{modes: newTerminalModes()} }

// Write parses the next bytes of the output.
func (t *State) Write(p []byte) {
	for len(p) > 0 {
		n, what := t.next(p)
		if what == tokenSequence && !t.long {
			t.apply(t.sequence())
		}
		p = p[n:]
	}
}

// AppendTo appends the sequences that bring a new terminal to this state. If the output
// ends inside a long string, it begins another string, which has no effect.
func (t *State) AppendTo(dst []byte) []byte {
	dst = t.modes.appendTo(dst)
	switch {
	case t.state == inText:
		return dst
	case t.long && t.state == inOSC:
		return append(dst, "\x1b]9999;"...) // a number that no terminal knows
	case t.long && t.state == inString:
		return append(dst, esc, t.sequence()[1], '~')
	}
	return append(dst, t.sequence()...)
}

// modes decide how a terminal shows further output and what its keys send.
type modes struct {
	alternate   bool   // the alternate screen is shown
	private     uint32 // bit i is privateModes[i]
	keypad      bool   // application keypad
	insert      bool   // IRM
	newLine     bool   // LNM
	top, bottom int    // DECSTBM, or zero
	cursor      int    // DECSCUSR
	drawing
	saved [2]drawing // by DECSC, for the main and the alternate screen
}

// privateModes are the modes of DECSET, in the order in which appendTo sets them. At most
// one mode of a group is on.
var privateModes = [...]struct {
	number  int
	isOn    bool // initially
	group   int
	reports bool // the terminal reports actions of its user
}{
	{number: 1},             // application cursor keys
	{number: 5},             // reverse video
	{number: 6},             // origin mode
	{number: 7, isOn: true}, // autowrap
	{number: 25, isOn: true},
	{number: 45},                            // reverse wraparound
	{number: 9, group: 1, reports: true},    // mouse: presses
	{number: 1000, group: 1, reports: true}, // and releases
	{number: 1002, group: 1, reports: true}, // and motion with a button
	{number: 1003, group: 1, reports: true}, // and any motion
	{number: 1004, reports: true},           // focus
	{number: 1005, group: 2},                // mouse: how its position is encoded
	{number: 1006, group: 2},
	{number: 1015, group: 2},
	{number: 1016, group: 2},
	{number: 1007},                // the wheel sends arrow keys
	{number: 2004},                // bracketed paste
	{number: 2027},                // grapheme clusters
	{number: 2031, reports: true}, // colour scheme
}

func newTerminalModes() (m modes) {
	for i := range privateModes {
		if privateModes[i].isOn {
			m.private |= 1 << i
		}
	}
	return m
}

// drawing is what DECSC saves, except the cursor's position and origin mode.
type drawing struct {
	charsets [4]byte // final byte of the sequence that designated each of G0 to G3; zero: ASCII
	shift    byte    // the charset in use
	sgr      [64]byte
	sgrLen   int // sgr[:sgrLen] are the SGRs since the last reset, without ESC [
}

// apply changes the modes as seq does.
func (m *modes) apply(seq []byte) {
	switch {
	case seq[0] == so || seq[0] == si:
		m.shift = si - seq[0]
		return
	case len(seq) == 1:
		return
	}
	switch b := seq[1]; b {
	case '[':
		m.applyCSI(parseCSI(seq))
	case 'c':
		*m = newTerminalModes()
	case '=', '>':
		m.keypad = b == '='
	case '7':
		*m.savedDrawing() = m.drawing
	case '8':
		m.drawing = *m.savedDrawing()
	case 'n', 'o':
		m.shift = 2 + b - 'n'
	case '(', ')', '*', '+':
		if len(seq) == 3 {
			m.charsets[b-'('] = seq[2]
		}
	}
}

func (m *modes) savedDrawing() *drawing {
	if m.alternate {
		return &m.saved[1]
	}
	return &m.saved[0]
}

func (m *modes) applyCSI(c csi) {
	switch string(c.kind[:c.kindLen]) {
	case "?h", "?l":
		for number := range c.numbers() {
			m.setPrivate(number, c.final() == 'h')
		}
	case "h", "l":
		for number := range c.numbers() {
			switch on := c.final() == 'h'; number {
			case 4:
				m.insert = on
			case 20:
				m.newLine = on
			}
		}
	case "m":
		m.setSGR(c.params)
	case "r":
		var rest []byte
		m.top, rest = nextParam(c.params)
		m.bottom, _ = nextParam(rest)
	case "s":
		*m.savedDrawing() = m.drawing
	case "u":
		m.drawing = *m.savedDrawing()
	case " q":
		m.cursor, _ = nextParam(c.params)
	case "!p":
		m.resetSoftly()
	}
}

// setPrivate implements DECSET and DECRST.
func (m *modes) setPrivate(number int, on bool) {
	switch number {
	case 66:
		m.keypad = on
	case 47, 1047:
		m.alternate = on
	case 1049:
		if on && !m.alternate {
			m.saved[0] = m.drawing
		} else if !on && m.alternate {
			m.drawing = m.saved[0]
		}
		m.alternate = on
	}
	for i, p := range privateModes {
		if p.number != number {
			continue
		}
		for j, other := range privateModes {
			if p.group != 0 && other.group == p.group {
				m.private &^= 1 << j
			}
		}
		m.private &^= 1 << i
		if on {
			m.private |= 1 << i
		}
	}
}

// resetSoftly implements DECSTR.
func (m *modes) resetSoftly() {
	for _, number := range [...]int{1, 6} {
		m.setPrivate(number, false)
	}
	for _, number := range [...]int{7, 25} {
		m.setPrivate(number, true)
	}
	m.keypad, m.insert, m.top, m.bottom = false, false, 0, 0
	m.drawing, *m.savedDrawing() = drawing{}, drawing{}
}

// setSGR adds the parameters of an SGR. If there is no room, it drops earlier ones.
func (d *drawing) setSGR(params []byte) {
	for {
		number, rest := nextParam(params)
		if number != 0 || len(params) > 0 && params[0] == ':' {
			break
		}
		d.sgrLen = 0
		if params = rest; len(params) == 0 {
			return
		}
	}
	if d.sgrLen+len(params)+1 > len(d.sgr) {
		d.sgrLen = 0
	}
	if len(params)+1 <= len(d.sgr) {
		d.sgrLen += copy(d.sgr[d.sgrLen:], params)
		d.sgrLen += copy(d.sgr[d.sgrLen:], "m")
	}
}

// appendTo appends the sequences that set the modes in a new terminal.
func (m *modes) appendTo(dst []byte) []byte {
	if m.alternate {
		dst = append(dst, "\x1b[?1049h"...)
	}
	if m.top != 0 || m.bottom != 0 {
		dst = appendCSI(dst, "", 'r', m.top, m.bottom)
	}
	dst = m.appendModes(dst, false)
	if m.keypad {
		dst = append(dst, "\x1b="...)
	}
	if m.cursor != 0 {
		dst = append(strconv.AppendInt(append(dst, "\x1b["...), int64(m.cursor), 10), " q"...)
	}
	return m.drawing.appendTo(dst)
}

// appendModes appends the sequences that set the modes of SM and DECSET in a new terminal,
// or that reset them to their initial values.
func (m *modes) appendModes(dst []byte, reset bool) []byte {
	for i, p := range privateModes {
		if on := m.private>>i&1 == 1; on != p.isOn {
			dst = appendMode(dst, "?", p.number, on != reset)
		}
	}
	if m.insert {
		dst = appendMode(dst, "", 4, !reset)
	}
	if m.newLine {
		dst = appendMode(dst, "", 20, !reset)
	}
	return dst
}

func appendMode(dst []byte, prefix string, number int, on bool) []byte {
	if on {
		return appendCSI(dst, prefix, 'h', number)
	}
	return appendCSI(dst, prefix, 'l', number)
}

// appendReports appends the sequences that set the modes in which a terminal reports
// actions of its user.
func (m *modes) appendReports(dst []byte) []byte {
	for i, p := range privateModes {
		if p.reports && m.private>>i&1 == 1 {
			dst = appendCSI(dst, "?", 'h', p.number)
		}
	}
	return dst
}

func (d *drawing) appendTo(dst []byte) []byte {
	for i, final := range d.charsets {
		if final != 0 && final != 'B' {
			dst = append(dst, esc, "()*+"[i], final)
		}
	}
	dst = append(dst, [...]string{"", "\x0e", "\x1bn", "\x1bo"}[d.shift]...)
	for sgr := d.sgr[:d.sgrLen]; len(sgr) > 0; {
		n := bytes.IndexByte(sgr, 'm') + 1
		dst = append(append(dst, "\x1b["...), sgr[:n]...)
		sgr = sgr[n:]
	}
	return dst
}

func appendCSI(dst []byte, prefix string, final byte, params ...int) []byte {
	dst = append(append(dst, "\x1b["...), prefix...)
	for i, p := range params {
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = strconv.AppendInt(dst, int64(p), 10)
	}
	return append(dst, final)
}

// csi is a control sequence after ESC [.
type csi struct {
	kind    [4]byte // kind[:kindLen] is everything else: prefix, intermediate bytes, final byte
	kindLen int
	params  []byte
}

func (c *csi) final() byte { return c.kind[c.kindLen-1] }

// parseCSI parses seq. If it has too many intermediate bytes, its kind is unknown.
func parseCSI(seq []byte) (c csi) {
	body, final := seq[2:len(seq)-1], seq[len(seq)-1]
	if len(body) > 0 && body[0] >= '<' {
		c.kind[0] = body[0]
		c.kindLen = 1
		body = body[1:]
	}
	end := 0
	for end < len(body) && body[end] >= '0' {
		end++
	}
	c.params = body[:end]
	c.kindLen += copy(c.kind[c.kindLen:3], body[end:])
	c.kind[c.kindLen] = final
	c.kindLen++
	return c
}

// numbers yields each parameter.
func (c *csi) numbers() iter.Seq[int] {
	return func(yield func(int) bool) {
		for number, rest := 0, c.params; len(rest) > 0; {
			if number, rest = nextParam(rest); !yield(number) {
				return
			}
		}
	}
}

// nextParam returns the first parameter, zero if it is missing, and the rest of params.
func nextParam(params []byte) (value int, rest []byte) {
	counts := true
	for i, b := range params {
		if b == ';' {
			return value, params[i+1:]
		}
		if counts = counts && b != ':'; counts { // subparameters follow a colon
			value = min(10*value+int(b-'0'), 0xffff)
		}
	}
	return value, nil
}
