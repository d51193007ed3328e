package framing

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// lspRecords is the codec of LSP: a header like that of HTTP, whose
// Content-Length is the size of the body (Language Server Protocol, "Base
// Protocol").
type lspRecords struct{ record }

// maxLSPHeader bounds the header, in bytes.
const maxLSPHeader = 4 << 10

const contentLength = "Content-Length"

func (*lspRecords) Join(size int) (before, after string) {
	return contentLength + ": " + strconv.Itoa(size) + "\r\n\r\n", ""
}

func (c *lspRecords) Split(p []byte, eof bool) (n int, piece []byte, last bool, err error) {
	c.text = true
	if c.left > 0 {
		return c.more(p, eof)
	}
	head, size, err := lspHeader(p, eof)
	if err != nil || head == 0 {
		return head, nil, false, err
	}
	return c.begin(p, head, size, eof)
}

// lspHeader reads the header at the front of p: it is head bytes long and
// announces size bytes. head is 0 if it is not all there. After an error, head
// is where the line that is wrong begins.
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
			return head, 0, errors.New("output ends within a header")
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

// lspField reads a line of a header. It returns the size announced so far,
// which is -1 if none is.
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
		return 0, errors.New("header with " + contentLength + " twice")
	}
	n, err := strconv.ParseUint(string(bytes.Trim(value, " \t")), 10, 63)
	if err != nil {
		return 0, errors.New(contentLength + " is not a length")
	}
	return int64(n), nil
}
