package framing

import "unicode/utf8"

// ValidPrefix returns the length n of p without an incomplete UTF-8 sequence at its end. ok
// reports whether p[:n] is valid UTF-8.
func ValidPrefix(p []byte) (n int, ok bool) {
	if utf8.Valid(p) {
		return len(p), true
	}
	n = len(p) - IncompleteTail(p)
	return n, utf8.Valid(p[:n])
}

// IncompleteTail returns the length, 0 to 3 bytes, of an incomplete UTF-8 sequence at the
// end of p.
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

// AppendValid appends src to dst with invalid UTF-8 replaced by U+FFFD: one for each maximal
// subpart of a sequence, as the WHATWG Encoding Standard, browsers and Python decode it.
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

// subpart returns the length, 1 to 3 bytes, of the maximal subpart at the beginning of p,
// which is invalid there.
func subpart(p []byte) int {
	for n := min(len(p), utf8.UTFMax-1); n > 1; n-- {
		if !utf8.FullRune(p[:n]) {
			return n
		}
	}
	return 1
}
