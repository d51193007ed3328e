package framing

import "unicode/utf8"

// A message of JSON ends with JSONEnd, or with JSONMore if a line of the other stream
// interrupts a long line. The next message of the stream then continues that line.
const (
	JSONEnd  = `"}`
	JSONMore = `","more":true}`
)

// AppendJSONHead appends the beginning of a message of JSON, up to its data.
func AppendJSONHead(dst []byte, stream string) []byte {
	return append(append(append(dst, `{"stream":"`...), stream...), `","data":"`...)
}

// AppendJSON appends p to dst, escaped for a JSON string (RFC 8259 section 7). It replaces
// invalid UTF-8 as AppendValid does.
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
