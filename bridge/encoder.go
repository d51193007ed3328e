package bridge

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/coder/websocket"
)

// encoder makes frames of messages for any number of connections: it is the
// network below a WebSocket that nobody is at the other end of.
type encoder struct {
	net.Conn // nil: no other method is called
	frames   []byte

	messages, payload int // that stream has put into frames
}

// Write gathers frames.
func (e *encoder) Write(p []byte) (int, error) {
	e.frames = append(e.frames, p...)
	return len(p), nil
}

// Read implements net.Conn: nothing ever comes.
func (e *encoder) Read([]byte) (int, error) { return 0, io.EOF }

// Close implements net.Conn.
func (e *encoder) Close() error { return nil }

// SetDeadline implements net.Conn, and so do the next two: nothing here waits.
func (e *encoder) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (e *encoder) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (e *encoder) SetWriteDeadline(time.Time) error { return nil }

// burst is what leaves a child at once, as frames, for every viewer of one form.
type burst struct {
	frames   []byte
	messages int  // that end in it
	payload  int  // of messages, in bytes
	whole    bool // it has neither the end nor the beginning of another
}

// form is one way in which viewers get the same messages.
type form struct {
	deflate  bool // compressed
	channels bool // with streams apart
}

// press is an encoder at work for one form.
type press struct {
	*encoder
	*target // to it
	form    form
	flush   func() error
}

func newPress(open func(net.Conn, bool) (*websocket.Conn, func() error), f form) press {
	e := &encoder{}
	ws, flush := open(e, f.deflate)
	return press{e, &target{ws: ws}, f, flush}
}

// close lets go of the WebSocket, whose finalizer keeps it for ever while it is
// open.
func (p press) close() { p.ws.CloseNow() }

// take returns what was gathered, and begins anew. messages and payload count
// that, unless it has streams apart.
func (p press) take(messages, payload int) *burst {
	p.flush() // an encoder takes all
	taken := &burst{frames: append([]byte(nil), p.frames...), messages: messages, payload: payload}
	if p.form.channels {
		taken.messages, taken.payload = p.messages, p.payload
		p.messages, p.payload = 0, 0
	}
	if p.frames = p.frames[:0]; cap(p.frames) > 4*blockSize {
		p.encoder.frames = nil
	}
	return taken
}

// stream adds bytes of a stream, as messages on a channel.
func (p press) stream(channel byte, content []byte, maxSize int) {
	for len(content) > 0 {
		n := min(len(content), maxSize-lead)
		message := append([]byte{channel}, content[:n]...)
		p.ws.Write(context.Background(), websocket.MessageBinary, message) // an encoder takes all
		p.messages++
		p.payload += n
		content = content[n:]
	}
}
