package bridge

import (
	"io"
	"unicode/utf8"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// output turns one stream of a child's output into messages to one
// connection.
type output struct {
	*sequencer
	codec framing.Codec
	typ   websocket.MessageType
	// channel, if not zero, is the first byte of each message.
	channel byte
	// stream, if not empty, is named in each message, which is then JSON.
	stream string
	// broken is told how the child breaks its framing, and at which of its bytes.
	// Nothing is sent after that.
	broken func(err error, position int64)
	// tap, if set, gets what was read, before it is cut, and hurry tells whether
	// what was gathered should leave after a message. Both are called between begin
	// and end.
	onRead   func(fresh []byte)
	flushNow func() bool
	// record, if set, gets each piece of a message as the child wrote it.
	onPiece func(piece []byte, last bool)

	small    [wire.SmallBlock]byte
	buf      []byte // small, or a pooled block while much is coming
	from, to int    // buf[from:to] is not sent yet; from is at least lead
	taken    int64  // bytes of the stream before buf[from]
	fresh    int    // bytes before buf[to] that tap has not seen

	slice wire.TimeSlice

	encoded     []byte // room for a piece that is not sent as it is
	interrupted bool   // a message of this stream was broken off: its rest is to come
	err         error  // nothing more is sent
}

// channelRoom is the room in the buffer for a channel before the first byte.
const channelRoom = 1

// maxBatch is how many bytes of messages are gathered to leave in one write, each
// with messageCost more: after about a millisecond it is another session's turn.
const (
	maxBatch    = 4 * wire.BlockSize
	messageCost = 128
)

// run reads r to its end and sends every message in it. When it cannot send any
// more it goes on reading, so that the child is not held up on its way out.
func (o *output) run(r io.Reader) {
	o.buf, o.from, o.to = o.small[:], channelRoom, channelRoom
	defer func() { wire.PutBlock(o.buf) }()
	for {
		wasSmall := len(o.buf) == wire.SmallBlock
		n, err := o.read(r)
		o.fresh = n
		for more := true; more && o.err == nil; {
			more = o.sendBatch(err != nil)
			if len(o.buf) == wire.BlockSize {
				o.slice.Yield()
			}
		}
		if o.err != nil {
			o.from, o.to = channelRoom, channelRoom
		}
		if err != nil {
			return
		}
		o.resize(wasSmall || n >= wire.SmallBlock)
	}
}

// read reads once. What fills the small buffer may be the beginning of one write(2):
// the rest of that is read into a block, behind it.
func (o *output) read(r io.Reader) (n int, err error) {
	n, err = r.Read(o.buf[o.to:])
	o.to += n
	if len(o.buf) == wire.SmallBlock && o.to == wire.SmallBlock {
		o.replace(wire.GetBlock(), o.buf[o.from:o.to])
		more := readNow(r, o.buf[o.to:])
		o.to += more
		n += more
	}
	return n, err
}

// sendBatch sends the messages that are complete in the buffer, as many as
// leave in one write to the socket, and waits while the peer is slow. It
// reports whether there are more.
func (o *output) sendBatch(eof bool) (more bool) {
	o.err = o.begin()
	if o.onRead != nil {
		o.onRead(o.buf[o.to-o.fresh : o.to])
		o.fresh = 0
	}
	burst := 0
	for o.err == nil && (o.from < o.to || eof && (o.sender == o || o.interrupted)) {
		if more = burst >= maxBatch || o.flushNow != nil && o.sender == nil && burst > 0 && o.flushNow(); more {
			break
		}
		n, piece, last, wrong := o.codec.Split(o.buf[o.from:o.to], eof)
		if wrong != nil {
			o.end()
			o.broken(wrong, o.taken+int64(n))
			o.err = wrong
			return false
		}
		if n == 0 && !last {
			break
		}
		var size int
		size, o.err = o.send(piece, last)
		o.from += n
		o.taken += int64(n)
		burst += size + messageCost
	}
	o.end()
	if burst > 0 {
		o.total.touch()
	}
	if o.err == nil {
		o.err = o.destination.Wait(wire.MaxUnsent)
	}
	return more
}

// send sends one piece of a message, and returns the size of what that became.
func (o *output) send(piece []byte, last bool) (size int, err error) {
	if o.sender != nil && o.sender != o {
		if err = o.sender.interrupt(); err != nil {
			return 0, err
		}
	}
	o.total.count(last, len(piece))
	if o.onPiece != nil {
		o.onPiece(piece, last)
	}
	o.interrupted = o.interrupted && !last
	alone := last && o.sender != o
	switch {
	case o.channel != 0:
		piece = o.buf[o.from-channelRoom : o.from+len(piece)] // what was there has been sent
		piece[0] = o.channel
	case o.stream != "":
		piece = o.encodeJSON(piece, last)
	case o.typ == websocket.MessageText && !utf8.Valid(piece):
		o.encoded = framing.AppendValid(o.encoded[:0], piece)
		piece = o.encoded
	}
	if alone {
		return len(piece), o.sendMessage(o.typ, piece)
	}
	return len(piece), o.sendFragment(o, piece, last)
}

// encodeJSON returns piece as part of a message of JSON.
func (o *output) encodeJSON(piece []byte, last bool) []byte {
	d := o.encoded[:0]
	if o.sender != o {
		d = framing.AppendJSONHead(d, o.stream)
	}
	d = framing.AppendJSON(d, piece)
	if last {
		d = append(d, framing.JSONEnd...)
	}
	o.encoded = d
	return d
}

// interrupt ends the message at hand because another stream has something to
// send: the child may write no more here until that has been read.
func (o *output) interrupt() error {
	o.total.count(true, 0)
	o.interrupted = true
	return o.sendFragment(o, []byte(framing.JSONMore), true)
}

// resize makes room for the next read. A block is kept while much is coming.
func (o *output) resize(much bool) {
	rest := o.buf[o.from:o.to]
	switch {
	case len(o.buf) == wire.BlockSize && !much && len(rest) < wire.SmallBlock/2:
		o.replace(o.small[:], rest)
	case len(rest) == 0:
		o.from, o.to = channelRoom, channelRoom
	case o.from > channelRoom && len(o.buf)-o.to < framing.MaxWhole:
		o.from, o.to = channelRoom, channelRoom+copy(o.buf[channelRoom:], rest)
	}
	if cap(o.encoded) > wire.SmallBlock && len(o.buf) == wire.SmallBlock {
		o.encoded = nil
	}
}

func (o *output) replace(buf, rest []byte) {
	o.from, o.to = channelRoom, channelRoom+copy(buf[channelRoom:], rest)
	wire.PutBlock(o.buf)
	o.buf = buf
}
