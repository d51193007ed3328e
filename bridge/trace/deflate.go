package trace

import (
	"bytes"
	"compress/flate"
	"io"
	"strconv"
)

const (
	// maxDeflated is how long a compressed message may be to be inflated, in bytes.
	maxDeflated = 256 << 10
	// maxInflated is how much of a message is inflated, in bytes.
	maxInflated = 4 << 20
	// window is how far a compressed message may refer to earlier ones, in bytes.
	window = 32 << 10
)

// deflate inflates the compressed messages of one direction (RFC 7692).
type deflate struct {
	negotiated bool
	takeover   bool   // messages may refer to earlier ones
	lost       bool   // the earlier messages are unknown
	active     bool   // the current message is compressed
	tooLong    bool   // buf is not all of the current message
	buf        []byte // the current message
	recent     []byte // the last bytes of the earlier messages
}

// begin begins a message.
func (d *deflate) begin(compressed bool) {
	d.active, d.tooLong, d.buf = compressed, false, d.buf[:0]
}

// add adds a byte of the message and reports whether there is room for more.
func (d *deflate) add(b byte) bool {
	if len(d.buf) == maxDeflated {
		d.tooLong = true
		return false
	}
	d.buf = append(d.buf, b)
	return true
}

// deflateTail is what a sender cuts off, and an empty last block (RFC 7692 section 7.2.2).
var deflateTail = []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}

// inflate ends a message. It returns the beginning of its payload, or nil if that is
// unknown, and its length for people.
func (d *deflate) inflate() (beginning []byte, length string) {
	defer func() { d.buf = nil }()
	if d.tooLong || d.lost {
		d.lost = d.takeover
		return nil, "?"
	}
	in := flate.NewReaderDict(io.MultiReader(bytes.NewReader(d.buf), bytes.NewReader(deflateTail)), d.recent)
	var block [4 << 10]byte
	total := 0
	for {
		n, err := in.Read(block[:])
		total += n
		beginning = append(beginning, block[:min(n, maxShown+1-len(beginning))]...)
		if d.takeover {
			d.recent = append(d.recent, block[:n]...)
			d.recent = d.recent[max(0, len(d.recent)-window):]
		}
		switch {
		case err == io.EOF:
			return beginning, strconv.Itoa(total)
		case err != nil:
			d.lost = d.takeover
			return nil, "invalid"
		case total >= maxInflated:
			d.lost = d.takeover
			return beginning, strconv.Itoa(total) + "+"
		}
	}
}
