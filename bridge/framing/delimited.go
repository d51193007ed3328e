package framing

import "bytes"

// delimited is the codec of Lines, NUL and JSON: records that end with this byte.
// A line may end with a carriage return, too.
type delimited byte

func (d delimited) Join(int) (before, after string) {
	if d == '\n' {
		return "", "\n"
	}
	return "", "\x00"
}

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
	if len(p) <= MaxWhole+1 { // a carriage return may still prove to be part of the terminator
		return 0, nil, false, nil
	}
	n = len(p)
	if d == '\n' && p[n-1] == '\r' {
		n--
	}
	n -= IncompleteTail(p[:n])
	return n, p[:n], false, nil
}

// Chunks is the codec of Bytes, and of streams on channels: messages of at most
// so many bytes, cut anywhere.
type Chunks int

func (Chunks) Join(int) (before, after string) { return "", "" }

func (c Chunks) Split(p []byte, _ bool) (n int, piece []byte, last bool, err error) {
	n = min(len(p), int(c))
	return n, p[:n], true, nil
}
