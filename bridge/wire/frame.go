package wire

import (
	"encoding/binary"
	"sync"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/flate"
)

// Encoder encodes messages as a server's data frames (RFC 6455, section 5.2). The
// frames of a message are the same for every client that has negotiated the same
// extensions, so an encoder serves one client or many. The zero value does not
// compress. It is not safe for concurrent use.
type Encoder struct {
	// Deflate means that permessage-deflate without context takeover was negotiated
	// (RFC 7692).
	Deflate bool

	fragmented bool        // a fragment was encoded, but not yet the final one
	compressor *compressor // of the fragmented message; nil if it is not compressed
}

const (
	// MaxHeader is the size of the largest header of a server's frame.
	MaxHeader = 10
	// minCompressed is the size in bytes of the shortest message that is compressed:
	// shorter ones hardly shrink.
	minCompressed = 512

	FinBit  = 0x80
	rsv1Bit = 0x40 // marks the first frame of a compressed message (RFC 7692, section 6)

	OpContinuation = 0x0
	OpClose        = 0x8
)

// AppendMessage appends a message as one frame.
func (e *Encoder) AppendMessage(dst []byte, typ websocket.MessageType, payload []byte) []byte {
	first := FinBit | byte(typ)
	if !e.Deflate || len(payload) < minCompressed {
		return append(appendHeader(dst, first, len(payload)), payload...)
	}
	c := getCompressor()
	defer putCompressor(c)
	body := c.compress(payload, true)
	return append(appendHeader(dst, first|rsv1Bit, len(body)), body...)
}

// AppendFragment appends one frame of a message of several frames; last marks the
// final one. An empty fragment that is not the final one is not sent.
func (e *Encoder) AppendFragment(dst []byte, typ websocket.MessageType, payload []byte, last bool) []byte {
	if len(payload) == 0 && !last {
		return dst
	}
	first := byte(OpContinuation)
	if !e.fragmented {
		first = byte(typ)
		if e.Deflate {
			first |= rsv1Bit
			e.compressor = getCompressor()
		}
	}
	e.fragmented = !last
	if last {
		first |= FinBit
	}
	if c := e.compressor; c != nil {
		payload = c.compress(payload, last)
		if last {
			defer putCompressor(c)
			e.compressor = nil
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
	c.w, _ = flate.NewWriter(c, flate.BestSpeed) // only an unknown level is an error
	return c
}}

func getCompressor() *compressor { return compressors.Get().(*compressor) }

// putCompressor returns c to the pool, without the context of its message.
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

// compress returns p compressed, valid until the next call. The final fragment lacks
// the four bytes that each flush ends with (RFC 7692, section 7.2.1).
func (c *compressor) compress(p []byte, last bool) []byte {
	c.out = c.out[:0]
	c.w.Write(p) // compressor.Write does not fail
	c.w.Flush()
	if last {
		return c.out[:len(c.out)-4]
	}
	return c.out
}

// FrameWriter encodes messages for one client and collects the frames in a batch,
// which it writes to the client's queue. It is not safe for concurrent use.
type FrameWriter struct {
	Encoder
	out   *Queue
	batch []byte // a pooled block, or nil if nothing is collected
}

// NewFrameWriter returns a FrameWriter to out. deflate means that permessage-deflate
// was negotiated.
func NewFrameWriter(out *Queue, deflate bool) *FrameWriter {
	return &FrameWriter{Encoder: Encoder{Deflate: deflate}, out: out}
}

// Message adds a message of one frame. The error is that of Queue.WriteData.
func (w *FrameWriter) Message(typ websocket.MessageType, payload []byte) error {
	if err := w.makeRoom(len(payload)); err != nil {
		return err
	}
	w.batch = w.AppendMessage(w.batch, typ, payload)
	return nil
}

// Fragment adds one frame of a message of several frames; last marks the final one.
// The error is that of Queue.WriteData.
func (w *FrameWriter) Fragment(typ websocket.MessageType, payload []byte, last bool) error {
	const most = BlockSize - MaxHeader // so that each frame fits a block
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

// makeRoom flushes the batch if a frame with n bytes of payload does not fit into it.
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

// flush writes the batch to the queue.
func (w *FrameWriter) flush() error {
	if w.batch == nil {
		return nil
	}
	err := w.out.WriteData(w.batch)
	PutBlock(w.batch)
	w.batch = nil
	return err
}

// Ready waits for the end of a pause.
func (w *FrameWriter) Ready() { w.out.Ready() }

// Hold does nothing: messages are collected anyway.
func (w *FrameWriter) Hold() {}

// Release writes what was collected. If that fails, the next Wait fails.
func (w *FrameWriter) Release() { w.flush() }

// Wait waits until at most n bytes are queued.
func (w *FrameWriter) Wait(n int) error { return w.out.Wait(n) }
