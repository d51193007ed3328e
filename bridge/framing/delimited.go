package framing

import "bytes"

// delimited is the codec of Lines, NUL and JSON: records that end with this byte. Before a
// newline, a carriage return is part of the terminator.
type delimited byte

// Join implements Codec.
func (d delimited) Join(int) (before, after string) {
	if d == '\n' {
		return "", "\n"
	}
	return "", "\x00"
}

// Split implements Codec.
func (d delimited) Split(p []byte, eof bool) (n int, piece []byte, last bool, err error) {
	if i := bytes.IndexByte(p, byte(d)); i >= 0 {
		piece = p[:i]
		if d == '\n' && i > 0 && p[i-1] == '\r' {
			piece = p[:i-1]
		}
		return i + 1, piece, true, nil
	}
	if eof {
		return len(p), p, true, nil
	}
	if len(p) <= MaxWhole+1 { // the last byte may be a carriage return of the terminator
		return 0, nil, false, nil
	}
	n = len(p)
	if d == '\n' && p[n-1] == '\r' {
		n--
	}
	n -= IncompleteTail(p[:n])
	return n, p[:n], false, nil
}

// Chunks is the codec of Bytes and of streams on channels. It splits the output at any byte
// into messages of at most Chunks bytes.
type Chunks int

// Join implements Codec.
func (Chunks) Join(int) (before, after string) { return "", "" }

// Split implements Codec.
func (c Chunks) Split(p []byte, _ bool) (n int, piece []byte, last bool, err error) {
	n = min(len(p), int(c))
	return n, p[:n], true, nil
}
