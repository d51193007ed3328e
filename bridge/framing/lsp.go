package framing

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// lspRecords is the codec of LSP: records with a header as in HTTP, in which Content-Length
// is the size of the body (Language Server Protocol, "Base Protocol").
type lspRecords struct{ sizedRecord }

// maxLSPHeader bounds the header, in bytes.
const maxLSPHeader = 4 << 10

const contentLength = "Content-Length"

// Join implements Codec.
func (*lspRecords) Join(size int) (before, after string) {
	return contentLength + ": " + strconv.Itoa(size) + "\r\n\r\n", ""
}

// Split implements Codec.
func (c *lspRecords) Split(p []byte, eof bool) (n int, piece []byte, last bool, err error) {
	c.text = true
	if c.remaining > 0 {
		return c.next(p, eof)
	}
	head, size, err := lspHeader(p, eof)
	if err != nil || head == 0 {
		return head, nil, false, err
	}
	return c.start(p, head, size, eof)
}

// lspHeader parses the header at the beginning of p. It returns the size of the header,
// head, and that of the body. head is 0 if the header is incomplete. After an error, head
// is the offset of the invalid line.
func lspHeader(p []byte, eof bool) (head int, size int64, err error) {
	size = -1
	for {
		rest := p[head:min(len(p), maxLSPHeader)]
		end := bytes.IndexByte(rest, '\n')
		switch {
		case end >= 0:
		case len(p) >= maxLSPHeader:
			return head, 0, fmt.Errorf("header over %d bytes", maxLSPHeader)
		case eof && len(p) > 0:
			return head, 0, errors.New("truncated header")
		default:
			return 0, 0, nil
		}
		line := bytes.TrimSuffix(rest[:end], []byte("\r"))
		if len(line) == 0 && size >= 0 {
			return head + end + 1, size, nil
		}
		if size, err = lspField(line, size); err != nil {
			return head, 0, err
		}
		head += end + 1
	}
}

// lspField parses a header line. size is the Content-Length so far, or -1; lspField returns
// it, or the one in line.
func lspField(line []byte, size int64) (int64, error) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	switch {
	case len(line) == 0:
		return 0, errors.New("header without " + contentLength)
	case !ok:
		return 0, errors.New("header line without a colon")
	case !bytes.EqualFold(name, []byte(contentLength)):
		return size, nil
	case size >= 0:
		return 0, errors.New("duplicate " + contentLength)
	}
	n, err := strconv.ParseUint(string(bytes.Trim(value, " \t")), 10, 63)
	if err != nil {
		return 0, errors.New("invalid " + contentLength)
	}
	return int64(n), nil
}
