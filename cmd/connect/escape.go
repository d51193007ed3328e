package connect

// escapeLine ends the client if typed at the beginning of a line, as with ssh(1).
const escapeLine = "~."

// escapeFilter finds escapeLine in typed keys. Two tildes at the beginning of a line send
// one.
type escapeFilter struct {
	midLine bool // a key was typed since the last newline
	tilde   bool // a tilde at the beginning of a line awaits the next key
}

// filter appends to p the keys to send, and reports whether escapeLine follows them.
func (e *escapeFilter) filter(p, keys []byte) (_ []byte, exit bool) {
	for _, key := range keys {
		switch {
		case e.tilde && key == '.':
			return p, true
		case e.tilde && key == '~':
		case e.tilde:
			p = append(p, '~')
			fallthrough
		default:
			if key == '~' && !e.midLine {
				e.tilde = true
				continue
			}
		}
		e.tilde = false
		e.midLine = key != '\r' && key != '\n'
		p = append(p, key)
	}
	return p, false
}
