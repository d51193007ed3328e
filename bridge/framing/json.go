package framing

import "unicode/utf8"

// The ends of a message of JSON. A line of another stream may come before a long line
// ends; the rest of it is then in the next message of its stream.
const (
	JSONEnd  = `"}`
	JSONMore = `","more":true}`
)

// AppendJSONHead appends what stands before the data of a message of stream.
func AppendJSONHead(dst []byte, stream string) []byte {
	return append(append(append(dst, `{"stream":"`...), stream...), `","data":"`...)
}

// AppendJSON appends p to dst as it stands within a JSON string (RFC 8259,
// section 7), with U+FFFD for what is not UTF-8, as AppendValid has it.
func AppendJSON(dst, p []byte) []byte {
	const hex = "0123456789abcdef"
	for len(p) > 0 {
		c := p[0]
		switch {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(p)
			if r == utf8.RuneError && size == 1 {
				size = subpart(p)
			}
			dst = utf8.AppendRune(dst, r)
			p = p[size:]
			continue
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default:
			dst = append(dst, c)
		}
		p = p[1:]
	}
	return dst
}
