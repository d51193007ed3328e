package framing

import (
	"encoding/binary"
	"fmt"
)

// lengthRecords is the codec of Length.
type lengthRecords struct{ sizedRecord }

// prefixSize is the size of a length in bytes.
const prefixSize = 4

// Join implements Codec.
func (*lengthRecords) Join(size int) (before, after string) {
	var b [prefixSize]byte
	binary.BigEndian.PutUint32(b[:], uint32(size))
	return string(b[:]), ""
}

// Split implements Codec.
func (c *lengthRecords) Split(p []byte, eof bool) (n int, piece []byte, last bool, err error) {
	switch {
	case c.remaining > 0:
		return c.next(p, eof)
	case len(p) >= prefixSize:
		return c.start(p, prefixSize, int64(binary.BigEndian.Uint32(p)), eof)
	case eof && len(p) > 0:
		return len(p), nil, false, fmt.Errorf("truncated length: %d of %d bytes", len(p), prefixSize)
	}
	return 0, nil, false, nil
}

// sizedRecord splits messages whose size is known from a header.
type sizedRecord struct {
	text      bool  // do not split a message within a character
	remaining int64 // bytes that are left of the current message, or 0
}

// start splits a message of size bytes. p begins with its header of head bytes.
func (r *sizedRecord) start(p []byte, head int, size int64, eof bool) (n int, piece []byte, last bool, err error) {
	body := p[head:]
	switch {
	case size <= int64(len(body)):
		return head + int(size), body[:size], true, nil
	case eof:
		return len(p), nil, false, truncatedRecord(size, int64(len(body)))
	case size <= MaxWhole:
		return 0, nil, false, nil
	}
	r.remaining = size
	return head, nil, false, nil
}

// next splits the next piece of the current message.
func (r *sizedRecord) next(p []byte, eof bool) (n int, piece []byte, last bool, err error) {
	switch {
	case r.remaining <= int64(len(p)):
		n, last = int(r.remaining), true
	case eof:
		return len(p), nil, false, truncatedRecord(r.remaining, int64(len(p)))
	case len(p) <= MaxWhole:
		return 0, nil, false, nil
	default:
		n = len(p)
		if r.text {
			n -= IncompleteTail(p)
		}
	}
	r.remaining -= int64(n)
	return n, p[:n], last, nil
}

func truncatedRecord(size, has int64) error {
	return fmt.Errorf("truncated record: %d bytes missing", size-has)
}
