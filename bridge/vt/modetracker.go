package vt

// ModeTracker follows the modes that a program sets in a terminal, for a client that
// must leave the terminal as the program found it. It uses constant memory and is not
// safe for concurrent use.
type ModeTracker struct {
	State
	extensions
}

// NewModeTracker returns a tracker for a terminal in which no mode is set.
func NewModeTracker() *ModeTracker { return &ModeTracker{State: NewState()} }

// Write parses the next bytes of the program's output.
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

// AppendSet appends the sequences that set the modes in a terminal that was reset.
func (t *ModeTracker) AppendSet(dst []byte) []byte {
	dst = t.modes.appendTo(dst)
	return t.extensions.appendTo(dst, t.alternate)
}

// AppendReset appends the sequences that reset the modes and leave the alternate screen.
// It appends nothing if there is nothing to reset.
func (t *ModeTracker) AppendReset(dst []byte) []byte {
	if t.state != inText && t.state != inChar {
		dst = append(dst, can) // cancels the incomplete sequence
	}
	dst = t.modes.appendReset(dst)
	dst = t.extensions.appendReset(dst, t.alternate)
	if t.alternate {
		dst = append(dst, "\x1b[?1049l"...)
		dst = t.extensions.appendReset(dst, false)
	}
	return dst
}

// appendReset appends the sequences that reset the modes, except the alternate screen.
func (m *modes) appendReset(dst []byte) []byte {
	if m.top != 0 || m.bottom != 0 { // DECSTBM moves the cursor
		dst = append(dst, "\x1b7\x1b[r\x1b8"...)
	}
	dst = m.appendModes(dst, true)
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

// extensions are terminal extensions beyond xterm's modes.
type extensions struct {
	otherKeys int         // xterm's modifyOtherKeys
	kitty     [2]keyFlags // kitty's keyboard protocol, for the main and the alternate screen
	sizes     bool        // mode 2048: the terminal reports a new size
	frame     bool        // mode 2026: the terminal shows nothing until the frame ends
}

// keyFlags is the stack flags[:depth+1]. The last flags are in effect.
type keyFlags struct {
	depth int
	flags [8]int
}

// apply changes the extensions as seq does.
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
		for number := range c.numbers() {
			switch on := c.final() == 'h'; number {
			case 2048:
				e.sizes = on
			case 2026:
				e.frame = on
			}
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

// appendTo appends the sequences that set the extensions on the current screen. A frame
// counts as ended.
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

// appendReset appends the sequences that reset the extensions on the current screen.
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

// appendModesReset appends the sequences that reset the extensions common to both screens.
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
