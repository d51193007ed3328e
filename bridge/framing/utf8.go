package framing

import "unicode/utf8"

// ValidPrefix returns the length of the longest prefix of p that holds whole
// valid UTF-8 sequences only. ok is false if what follows cannot become one,
// whatever comes after p.
func ValidPrefix(p []byte) (n int, ok bool) {
	if utf8.Valid(p) {
		return len(p), true
	}
	n = len(p) - IncompleteTail(p)
	return n, utf8.Valid(p[:n])
}

// IncompleteTail returns the length of the sequence, 0 to 3 bytes, that p
// breaks off within.
func IncompleteTail(p []byte) int {
	for n := 1; n <= min(len(p), utf8.UTFMax-1); n++ {
		if tail := p[len(p)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// AppendValid appends src to dst with U+FFFD for what is not UTF-8: one for
// each maximal subpart of a sequence, as the WHATWG Encoding Standard decodes
// and as browsers and Python show such bytes.
func AppendValid(dst, src []byte) []byte {
	for len(src) > 0 {
		r, size := utf8.DecodeRune(src)
		if r == utf8.RuneError && size == 1 {
			size = subpart(src)
		}
		dst = utf8.AppendRune(dst, r)
		src = src[size:]
	}
	return dst
}

// subpart returns how many bytes at the start of p, which is not valid there,
// could have become one sequence: at least one, to be replaced together.
func subpart(p []byte) int {
	for n := min(len(p), utf8.UTFMax-1); n > 1; n-- {
		if !utf8.FullRune(p[:n]) {
			return n
		}
	}
	return 1
}
