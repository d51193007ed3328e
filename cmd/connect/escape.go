package connect

// escapeLine, at the beginning of a line, ends the client, as with ssh(1).
const escapeLine = "~."

// escapeFilter finds escapeLine in what is typed. Two tildes there are one for the
// program.
type escapeFilter struct {
	midLine bool // something was typed since the last newline
	tilde   bool // a tilde at the beginning of a line waits for what follows
}

// filter appends to p what of keys is for the program, and reports whether that
// is the last of it.
func (e *escapeFilter) filter(p, keys []byte) (_ []byte, leave bool) {
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
