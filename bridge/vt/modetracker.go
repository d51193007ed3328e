package vt

// ModeTracker follows the modes that a program sets in a terminal, for a client
// that must leave the terminal as the program found it. It takes constant memory.
type ModeTracker struct {
	State
	extensions
}

// NewModeTracker returns the tracker of a terminal in which no mode is set.
func NewModeTracker() *ModeTracker { return &ModeTracker{State: NewState()} }

// Write takes the next bytes of the program's output.
func (t *ModeTracker) Write(p []byte) {
	for len(p) > 0 {
		n, what := t.next(p)
		if what == tokenSequence && !t.long {
			t.modes.apply(t.sequence())
			t.extensions.apply(t.sequence(), t.alternate)
		}
		p = p[n:]
	}
}

// AppendSet appends to dst what sets the modes in a terminal that was reset.
func (t *ModeTracker) AppendSet(dst []byte) []byte {
	dst = t.modes.appendTo(dst)
	return t.extensions.appendTo(dst, t.alternate)
}

// AppendReset appends to dst what resets the modes that are set, and leaves the
// alternate screen. It is nothing if the program has left nothing behind.
func (t *ModeTracker) AppendReset(dst []byte) []byte {
	if t.state != inText && t.state != inChar {
		dst = append(dst, can) // cancels the sequence that the output breaks off in
	}
	dst = t.modes.appendReset(dst)
	dst = t.extensions.appendReset(dst, t.alternate)
	if t.alternate {
		dst = append(dst, "\x1b[?1049l"...)
		dst = t.extensions.appendReset(dst, false)
	}
	return dst
}

// appendReset appends what resets the modes that are set, but for the alternate
// screen.
func (m *modes) appendReset(dst []byte) []byte {
	if m.top != 0 || m.bottom != 0 { // DECSTBM moves the cursor
		dst = append(dst, "\x1b7\x1b[r\x1b8"...)
	}
	for i, p := range privateModes {
		switch on := m.private>>i&1 == 1; {
		case on && !p.isOn:
			dst = appendCSI(dst, "?", 'l', p.number)
		case !on && p.isOn:
			dst = appendCSI(dst, "?", 'h', p.number)
		}
	}
	if m.insert {
		dst = appendCSI(dst, "", 'l', 4)
	}
	if m.newLine {
		dst = appendCSI(dst, "", 'l', 20)
	}
	if m.keypad {
		dst = append(dst, "\x1b>"...)
	}
	if m.cursor != 0 {
		dst = append(dst, "\x1b[0 q"...)
	}
	return m.drawing.appendReset(dst)
}

func (d *drawing) appendReset(dst []byte) []byte {
	for i, final := range d.charsets {
		if final != 0 && final != 'B' {
			dst = append(dst, esc, "()*+"[i], 'B')
		}
	}
	if d.shift != 0 {
		dst = append(dst, si)
	}
	if d.sgrLen > 0 {
		dst = append(dst, "\x1b[m"...)
	}
	return dst
}

// extensions are what else a program has requested of a terminal.
type extensions struct {
	otherKeys int         // xterm's modifyOtherKeys
	kitty     [2]keyFlags // kitty's keyboard protocol, on the main and on the alternate screen
	sizes     bool        // reports of a new size, mode 2048
	frame     bool        // nothing is shown before the frame ends, mode 2026
}

// keyFlags are flags[:depth+1], of which the last are in effect.
type keyFlags struct {
	depth int
	flags [8]int
}

// apply changes them as a sequence does.
func (e *extensions) apply(seq []byte, alternate bool) {
	if string(seq) == "\x1bc" { // RIS
		*e = extensions{}
	}
	if len(seq) < 3 || seq[1] != '[' {
		return
	}
	c := parseCSI(seq)
	first, rest := nextParam(c.params)
	second, _ := nextParam(rest)
	stack := e.stack(alternate)
	switch string(c.kind[:c.kindLen]) {
	case "?h", "?l":
		for number, p := 0, c.params; len(p) > 0; {
			number, p = nextParam(p)
			e.sizes = e.sizes && number != 2048 || number == 2048 && c.final() == 'h'
			e.frame = e.frame && number != 2026 || number == 2026 && c.final() == 'h'
		}
	case ">m":
		if first == 0 || first == 4 {
			e.otherKeys = second
		}
	case ">u":
		stack.depth = min(stack.depth+1, len(stack.flags)-1)
		stack.flags[stack.depth] = first
	case "<u":
		stack.depth = max(stack.depth-max(first, 1), 0)
	case "=u":
		switch flags := &stack.flags[stack.depth]; second {
		case 2:
			*flags |= first
		case 3:
			*flags &^= first
		default:
			*flags = first
		}
	}
}

func (e *extensions) stack(alternate bool) *keyFlags {
	if alternate {
		return &e.kitty[1]
	}
	return &e.kitty[0]
}

// appendTo appends what sets them, on the screen that is shown. A frame is over.
func (e *extensions) appendTo(dst []byte, alternate bool) []byte {
	if e.otherKeys != 0 {
		dst = appendCSI(dst, ">", 'm', 4, e.otherKeys)
	}
	if e.sizes {
		dst = appendCSI(dst, "?", 'h', 2048)
	}
	stack := e.stack(alternate)
	if stack.flags[0] != 0 {
		dst = appendCSI(dst, "=", 'u', stack.flags[0])
	}
	for _, flags := range stack.flags[1 : stack.depth+1] {
		dst = appendCSI(dst, ">", 'u', flags)
	}
	return dst
}

// appendReset appends what resets them, on the screen that is shown.
func (e *extensions) appendReset(dst []byte, alternate bool) []byte {
	if !alternate {
		dst = e.appendModesReset(dst)
	}
	stack := e.stack(alternate)
	if stack.depth > 0 {
		dst = appendCSI(dst, "<", 'u', stack.depth)
	}
	if stack.flags[0] != 0 {
		dst = appendCSI(dst, "=", 'u', 0)
	}
	return dst
}

// appendModesReset appends what resets those that both screens share.
func (e *extensions) appendModesReset(dst []byte) []byte {
	if e.otherKeys != 0 {
		dst = appendCSI(dst, ">", 'm', 4)
	}
	if e.sizes {
		dst = appendCSI(dst, "?", 'l', 2048)
	}
	if e.frame {
		dst = appendCSI(dst, "?", 'l', 2026)
	}
	return dst
}
