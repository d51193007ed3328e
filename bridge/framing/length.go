package framing

import (
	"encoding/binary"
	"fmt"
)

// lengthRecords is the codec of Length.
type lengthRecords struct{ record }

// prefix is how many bytes a length has.
const prefix = 4

func (*lengthRecords) Join(size int) (before, after string) {
	var b [prefix]byte
	binary.BigEndian.PutUint32(b[:], uint32(size))
	return string(b[:]), ""
}

func (c *lengthRecords) Split(p []byte, eof bool) (n int, piece []byte, last bool, err error) {
	switch {
	case c.left > 0:
		return c.more(p, eof)
	case len(p) >= prefix:
		return c.begin(p, prefix, int64(binary.BigEndian.Uint32(p)), eof)
	case eof && len(p) > 0:
		return len(p), nil, false, fmt.Errorf("output ends after %d of the %d bytes of a length", len(p), prefix)
	}
	return 0, nil, false, nil
}

// record cuts messages whose size is told before them.
type record struct {
	text bool  // pieces end between characters
	left int64 // of a message that is being cut in pieces
}

// begin cuts a message of size bytes that has a header of head bytes before it
// in p.
func (r *record) begin(p []byte, head int, size int64, eof bool) (n int, piece []byte, last bool, err error) {
	body := p[head:]
	switch {
	case size <= int64(len(body)):
		return head + int(size), body[:size], true, nil
	case eof:
		return len(p), nil, false, endsWithin(size, int64(len(body)))
	case size <= MaxWhole:
		return 0, nil, false, nil
	}
	r.left = size
	return head, nil, false, nil
}

// more cuts the next piece of the message that begin has begun.
func (r *record) more(p []byte, eof bool) (n int, piece []byte, last bool, err error) {
	switch {
	case r.left <= int64(len(p)):
		n, last = int(r.left), true
	case eof:
		return len(p), nil, false, endsWithin(r.left, int64(len(p)))
	case len(p) <= MaxWhole:
		return 0, nil, false, nil
	default:
		n = len(p)
		if r.text {
			n -= IncompleteTail(p)
		}
	}
	r.left -= int64(n)
	return n, p[:n], last, nil
}

func endsWithin(size, has int64) error {
	return fmt.Errorf("output ends %d bytes before the end of a record", size-has)
}
