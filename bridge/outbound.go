package bridge

import (
	"context"
	"io"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// outbound turns what a child writes into messages to one connection.
type outbound struct {
	ws    *websocket.Conn
	wire  *Wire
	codec codec
	total traffic

	small    [smallBlock]byte
	buf      []byte // small, or a pooled block while much is coming
	from, to int    // buf[from:to] is not sent yet

	message io.WriteCloser // the long message being sent in pieces, or nil
	clean   []byte         // room for a piece that was not UTF-8
	err     error          // the connection takes no more
}

// maxUnsent is how much may wait for the socket before the child must wait.
const maxUnsent = 64 << 10

// run reads r to its end and sends every message in it. When the connection
// fails it goes on reading, so that the child is not held up on its way out.
func (o *outbound) run(r io.Reader) {
	o.buf = o.small[:]
	defer func() { putBlock(o.buf) }()
	for {
		n, err := r.Read(o.buf[o.to:])
		o.to += n
		if o.err == nil {
			o.sendBlock(err != nil)
		}
		if o.err != nil {
			o.from, o.to = 0, 0
		}
		if err != nil {
			return
		}
		o.resize(n)
	}
}

// sendBlock sends every message that is complete in the buffer, all in one
// write to the socket, and waits while the peer is slow.
func (o *outbound) sendBlock(eof bool) {
	o.wire.Out.Hold()
	for o.from < o.to || eof && o.message != nil {
		n, piece, last := o.codec.cut(o.buf[o.from:o.to], eof)
		if n == 0 && !last {
			break
		}
		if o.err = o.send(piece, last); o.err != nil {
			break
		}
		o.from += n
	}
	o.wire.Out.Release()
	o.total.touch()
	if o.err == nil {
		o.err = o.wire.Out.Wait(maxUnsent)
	}
}

// send sends one piece of a message.
func (o *outbound) send(piece []byte, last bool) (err error) {
	typ := websocket.MessageBinary
	if o.codec.text() {
		typ = websocket.MessageText
		if !utf8.Valid(piece) {
			o.clean = appendValid(o.clean[:0], piece)
			piece = o.clean
		}
	}
	o.total.count(last, len(piece))
	if last && o.message == nil {
		return o.ws.Write(context.Background(), typ, piece)
	}
	return o.sendPiece(typ, piece, last)
}

// sendPiece sends a frame of a message that has, or will have, several.
func (o *outbound) sendPiece(typ websocket.MessageType, piece []byte, last bool) (err error) {
	if o.message == nil {
		// A background context: the library closes a connection whose write
		// is cancelled, and a write to a Wire does not wait anyway.
		if o.message, err = o.ws.Writer(context.Background(), typ); err != nil {
			return err
		}
	}
	if len(piece) > 0 {
		if _, err = o.message.Write(piece); err != nil {
			return err
		}
	}
	if last {
		err = o.message.Close()
		o.message = nil
	}
	return err
}

// resize makes room for the next read, after one of n bytes: a block when
// reads fill the small buffer, the small buffer when they no longer do.
func (o *outbound) resize(n int) {
	rest := o.buf[o.from:o.to]
	switch {
	case len(o.buf) == smallBlock && o.to == smallBlock:
		o.replace(getBlock(), rest)
	case len(o.buf) == blockSize && n < smallBlock && len(rest) < smallBlock/2:
		o.replace(o.small[:], rest)
	case len(rest) == 0:
		o.from, o.to = 0, 0
	case o.from > 0 && len(o.buf)-o.to < maxFrame:
		o.from, o.to = 0, copy(o.buf, rest)
	}
	if cap(o.clean) > smallBlock && len(o.buf) == smallBlock {
		o.clean = nil
	}
}

func (o *outbound) replace(buf, rest []byte) {
	o.from, o.to = 0, copy(buf, rest)
	putBlock(o.buf)
	o.buf = buf
}
