package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
)

// chunkedBody decodes a body in chunks (RFC 9112, section 7.1). Unlike the reader of
// net/http/httputil, it returns a part of a chunk as soon as that has arrived. It ignores
// trailers.
type chunkedBody struct {
	r     *bufio.Reader
	begun bool  // a chunk was read
	left  int64 // bytes of the current chunk
	ended bool
}

var errBadChunk = errors.New("malformed chunk")

// Read implements io.Reader.
func (b *chunkedBody) Read(p []byte) (n int, err error) {
	if b.left == 0 && !b.ended {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	if b.ended {
		return 0, io.EOF
	}
	n, err = b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// next reads the end of a chunk and the beginning of the next.
func (b *chunkedBody) next() error {
	if b.begun {
		end := make([]byte, 2)
		if _, err := io.ReadFull(b.r, end); err != nil {
			return err
		}
		if string(end) != "\r\n" {
			return errBadChunk
		}
	}
	b.begun = true
	line, err := b.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return errBadChunk
	}
	if err != nil {
		return err
	}
	digits, _, _ := bytes.Cut(line, []byte(";")) // without extensions
	size, err := strconv.ParseUint(string(bytes.TrimRight(digits, " \t\r\n")), 16, 63)
	if err != nil {
		return errBadChunk
	}
	b.left, b.ended = int64(size), size == 0
	return nil
}
