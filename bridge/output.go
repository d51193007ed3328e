package bridge

import (
	"io"
	"unicode/utf8"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// output splits one stream of a child's output into messages and sends them through a
// sequencer.
type output struct {
	*sequencer
	codec framing.Codec
	typ   websocket.MessageType
	// channel, if not zero, is the first byte of each message.
	channel byte
	// stream, if not empty, makes each message a JSON object that names it.
	stream string
	// broken is called with an error of the framing and the position of the offending
	// byte. Nothing is sent after that.
	broken func(err error, position int64)
	// onRead, if set, gets what was read, before it is split. flushNow, if set, reports
	// whether the batch is to be sent after a message. Both are called between begin and
	// end.
	onRead   func(fresh []byte)
	flushNow func() bool
	// onFragment, if set, gets each fragment of a message as the child wrote it.
	onFragment func(fragment []byte, last bool)
	// droppable makes small batches of either whole messages or parts of one message, so that the
	// slow-client policy can drop old messages.
	droppable bool

	small    []byte // allocated by run, SmallBlock bytes
	buf      []byte // small, or a pooled block while the stream is busy
	from, to int    // buf[from:to] is not sent yet; from is at least channelRoom
	taken    int64  // bytes of the stream before buf[from]
	fresh    int    // bytes before buf[to] that onRead has not got

	slice wire.TimeSlice

	encoded     []byte // buffer for a fragment that is not sent unchanged
	interrupted bool   // a message of this stream was ended early, and its rest follows
	err         error  // why nothing more is sent
}

// channelRoom is the room in the buffer for the channel byte of a message.
const channelRoom = 1

// maxBatch bounds the payload that is sent in one batch, in bytes, where each message costs
// messageCost more. It amounts to about a millisecond of work, after which other streams run.
const (
	maxBatch    = 4 * wire.BlockSize
	messageCost = 128
)

// run reads r to its end and sends every message in it. After an error it only reads, so
// that the child's writes do not block while it is stopped.
func (o *output) run(r io.Reader) {
	o.small = make([]byte, wire.SmallBlock)
	o.buf, o.from, o.to = o.small, channelRoom, channelRoom
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

// read reads once. If that fills the small buffer, one write(2) may have been longer, so the
// rest is read into a block without waiting.
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

// sendBatch sends a batch of the complete messages in the buffer, and waits while the client
// is slow. It reports whether there are more.
func (o *output) sendBatch(eof bool) (more bool) {
	o.beginBatch()
	cost := 0
	for o.err == nil && (o.from < o.to || eof && (o.sender == o || o.interrupted)) {
		if more = cost >= o.maxBatch() || o.flushNow != nil && o.sender == nil && cost > 0 && o.flushNow(); more {
			break
		}
		n, fragment, last, err := o.codec.Split(o.buf[o.from:o.to], eof)
		if err != nil {
			o.end()
			o.broken(err, o.taken+int64(n))
			o.err = err
			return false
		}
		if n == 0 && !last {
			break
		}
		continued := o.sender == o || o.interrupted
		if o.droppable && !last && !continued && cost > 0 {
			o.end()
			if o.beginBatch(); o.err != nil {
				break
			}
		}
		var size int
		size, o.err = o.send(fragment, last)
		o.from += n
		o.taken += int64(n)
		cost += size + messageCost
		if more = o.droppable && last && continued; more {
			break
		}
	}
	o.end()
	if cost > 0 {
		o.total.touch()
	}
	if o.err == nil {
		o.err = o.destination.Wait(wire.MaxUnsent)
	}
	return more
}

// beginBatch begins a batch with what was read since the previous one.
func (o *output) beginBatch() {
	o.err = o.begin()
	if o.onRead != nil {
		o.onRead(o.buf[o.to-o.fresh : o.to])
		o.fresh = 0
	}
}

// maxBatch bounds the cost of a batch.
func (o *output) maxBatch() int {
	if o.droppable {
		return wire.MaxUnsent
	}
	return maxBatch
}

// send sends one fragment of a message and returns its size as sent.
func (o *output) send(fragment []byte, last bool) (size int, err error) {
	if o.sender != nil && o.sender != o {
		if err = o.sender.interrupt(); err != nil {
			return 0, err
		}
	}
	o.total.count(last, len(fragment))
	if o.onFragment != nil {
		o.onFragment(fragment, last)
	}
	o.interrupted = o.interrupted && !last
	alone := last && o.sender != o
	switch {
	case o.channel != 0:
		fragment = o.buf[o.from-channelRoom : o.from+len(fragment)] // the byte before it was sent already
		fragment[0] = o.channel
	case o.stream != "":
		fragment = o.encodeJSON(fragment, last)
	case o.typ == websocket.MessageText && !utf8.Valid(fragment):
		o.encoded = framing.AppendValid(o.encoded[:0], fragment)
		fragment = o.encoded
	}
	if alone {
		return len(fragment), o.sendMessage(o.typ, fragment)
	}
	return len(fragment), o.sendFragment(o, fragment, last)
}

// encodeJSON returns fragment as part of a JSON message.
func (o *output) encodeJSON(fragment []byte, last bool) []byte {
	d := o.encoded[:0]
	if o.sender != o {
		d = framing.AppendJSONHead(d, o.stream)
	}
	d = framing.AppendJSON(d, fragment)
	if last {
		d = append(d, framing.JSONEnd...)
	}
	o.encoded = d
	return d
}

// interrupt ends the current message early because another stream has something to send:
// the child may write the rest of the message only after that was read.
func (o *output) interrupt() error {
	o.total.count(true, 0)
	o.interrupted = true
	return o.sendFragment(o, []byte(framing.JSONMore), true)
}

// resize makes room for the next read. A busy stream keeps its block.
func (o *output) resize(much bool) {
	rest := o.buf[o.from:o.to]
	switch {
	case len(o.buf) == wire.BlockSize && !much && len(rest) < wire.SmallBlock/2:
		o.replace(o.small, rest)
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
