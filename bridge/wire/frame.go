package wire

import (
	"encoding/binary"
	"sync"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/flate"
)

// Encoder encodes messages as a server's data frames (RFC 6455, section 5.2). The
// frames of a message are the same for every client that has negotiated the same
// extensions, so one encoder serves one client or many. It is not safe for
// concurrent use.
type Encoder struct {
	// deflate says that permessage-deflate without context takeover was negotiated
	// (RFC 7692).
	Deflate bool

	fragmented bool        // a fragment was encoded, and the final one was not
	compressor *compressor // of the fragmented message, if it is compressed
}

const (
	// MaxHeader is the size of the largest header of a server's frame.
	MaxHeader = 10
	// minCompressed is the size from which on messages are compressed, in bytes:
	// shorter ones hardly shrink.
	minCompressed = 512

	FinBit  = 0x80
	rsv1Bit = 0x40 // a compressed message begins (RFC 7692, section 6)

	OpContinuation = 0x0
	OpClose        = 0x8
)

// AppendMessage appends a message as one frame.
func (f *Encoder) AppendMessage(dst []byte, typ websocket.MessageType, payload []byte) []byte {
	first := FinBit | byte(typ)
	if !f.Deflate || len(payload) < minCompressed {
		return append(appendHeader(dst, first, len(payload)), payload...)
	}
	c := getCompressor()
	defer putCompressor(c)
	body := c.compress(payload, true)
	return append(appendHeader(dst, first|rsv1Bit, len(body)), body...)
}

// AppendFragment appends a frame of a message that has, or will have, several.
// last says that it is the final one. Nothing is appended for an empty fragment in
// between.
func (f *Encoder) AppendFragment(dst []byte, typ websocket.MessageType, payload []byte, last bool) []byte {
	if len(payload) == 0 && !last {
		return dst
	}
	first := byte(OpContinuation)
	if !f.fragmented {
		first = byte(typ)
		if f.Deflate {
			first |= rsv1Bit
			f.compressor = getCompressor()
		}
	}
	f.fragmented = !last
	if last {
		first |= FinBit
	}
	if c := f.compressor; c != nil {
		payload = c.compress(payload, last)
		if last {
			defer putCompressor(c)
			f.compressor = nil
		}
	}
	return append(appendHeader(dst, first, len(payload)), payload...)
}

// appendHeader appends the header of a frame whose payload has n bytes.
func appendHeader(dst []byte, first byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, first, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(n))
}

// compressor compresses one message at a time.
type compressor struct {
	w   *flate.Writer
	out []byte
}

var compressors = sync.Pool{New: func() any {
	c := new(compressor)
	c.w, _ = flate.NewWriter(c, flate.BestSpeed) // fails for an unknown level only
	return c
}}

func getCompressor() *compressor { return compressors.Get().(*compressor) }

// putCompressor takes c back. The next message does not refer to this one.
func putCompressor(c *compressor) {
	c.w.Reset(c)
	if c.out = c.out[:0]; cap(c.out) > BlockSize {
		c.out = nil
	}
	compressors.Put(c)
}

// Write implements io.Writer for the flate.Writer.
func (c *compressor) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	return len(p), nil
}

// compress returns p compressed. It is valid until the next call. The end of a
// message does not have the four bytes that each flush ends with (RFC 7692,
// section 7.2.1).
func (c *compressor) compress(p []byte, last bool) []byte {
	c.out = c.out[:0]
	c.w.Write(p) // compressor.Write does not fail
	c.w.Flush()
	if last {
		return c.out[:len(c.out)-4]
	}
	return c.out
}

// FrameWriter is the sink of one client: it gathers the frames of messages and
// puts them into the client's queue.
type FrameWriter struct {
	Encoder
	out   *Queue
	batch []byte // a pooled block, or nil if nothing was gathered
}

// NewFrameWriter returns a writer into out, for a client with which
// permessage-deflate was negotiated or not.
func NewFrameWriter(out *Queue, deflate bool) *FrameWriter {
	return &FrameWriter{Encoder: Encoder{Deflate: deflate}, out: out}
}

// Message implements sink.
func (w *FrameWriter) Message(typ websocket.MessageType, payload []byte) error {
	if err := w.makeRoom(len(payload)); err != nil {
		return err
	}
	w.batch = w.AppendMessage(w.batch, typ, payload)
	return nil
}

// Fragment implements sink.
func (w *FrameWriter) Fragment(typ websocket.MessageType, payload []byte, last bool) error {
	const most = BlockSize - MaxHeader // a longer frame would not fit a block
	for ; len(payload) > most; payload = payload[most:] {
		if err := w.Fragment(typ, payload[:most], false); err != nil {
			return err
		}
	}
	if err := w.makeRoom(len(payload)); err != nil {
		return err
	}
	w.batch = w.AppendFragment(w.batch, typ, payload, last)
	return nil
}

// makeRoom writes what was gathered if a frame of n bytes does not fit behind it.
func (w *FrameWriter) makeRoom(n int) error {
	if len(w.batch)+MaxHeader+n > BlockSize {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.batch == nil {
		w.batch = GetBlock()[:0]
	}
	return nil
}

// flush writes what was gathered.
func (w *FrameWriter) flush() error {
	if w.batch == nil {
		return nil
	}
	err := w.out.WriteData(w.batch)
	PutBlock(w.batch)
	w.batch = nil
	return err
}

// Ready implements flow.
func (w *FrameWriter) Ready() { w.out.Ready() }

// Hold implements flow: messages gather anyway.
func (w *FrameWriter) Hold() {}

// Release implements flow. If it fails, so will Wait.
func (w *FrameWriter) Release() { w.flush() }

// Wait implements flow.
func (w *FrameWriter) Wait(n int) error { return w.out.Wait(n) }
