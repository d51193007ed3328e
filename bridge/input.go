package bridge

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

var (
	errNotUTF8 = errors.New("text message is not UTF-8")
	errTooBig  = errors.New("message too big")

	errControlTooBig = errors.New("control message too big")
)

// input writes the messages of one connection to a child's stdin. Messages are collected in
// a batch, so that a message is written whole, together with those before it. Only a message
// longer than the batch is written in parts; if its end is invalid, the child has got a
// prefix of it, but never its terminator.
type input struct {
	ws        *websocket.Conn
	out       *wire.Queue // the child's stdin
	codec     framing.Codec
	holdWhole bool  // write no message in parts: the codec needs its size, or other clients share stdin
	discard   bool  // drop the input
	limit     int64 // longest message in bytes; zero or less means unlimited
	total     trafficCounter
	wait      func() // waits while the backlog of the child's stdin is too large

	// handle, if set, carries out messages on channels other than Stdin, and the first
	// byte of each message is its channel. It gets an empty message with channel Stdin.
	handle func(channel byte, message []byte)

	// takeMessage, if set, gets each message instead of the codec, and must not retain it.
	// flushEvents then writes what it made of the messages.
	takeMessage func(message []byte) error
	flushEvents func()

	// batch collects messages until the socket has no more data. It is a pooled block,
	// or nil while it is empty, or larger for a message that is held whole.
	batch   []byte
	flushed int // batch[:flushed] was written
	start   int // batch[start:] is the message being received
	valid   int // batch[start:valid] is valid UTF-8, if the message is text

	last      byte        // last byte written, zero before the first
	channel   byte        // of the message being received
	receiving bool        // the library reads into batch
	ended     atomic.Bool // no more messages are written or handled
}

const (
	// maxInputBacklog is how many bytes may be queued for the child's stdin before the
	// client must wait.
	maxInputBacklog = 1 << 20
	// maxControlMessage is the longest message on a channel other than Stdin, in bytes.
	maxControlMessage = 4 << 10
	// minRead is the least room in the batch for a read, in bytes.
	minRead = 4 << 10
	// joinRoom is kept free in the batch for what the codec puts around a message.
	joinRoom = 64
)

// receive receives one message. The error is errNotUTF8, errTooBig, errControlTooBig, that of
// takeMessage or of the connection.
func (in *input) receive() error {
	typ, r, err := in.ws.Reader(context.Background()) // the Conn calls flush before it waits
	if err != nil {
		in.flush()
		return err
	}
	in.receiving = true
	in.channel = channel.Stdin
	size, err := in.readMessage(typ == websocket.MessageText, r)
	in.receiving = false
	switch {
	case err != nil:
	case in.channel != channel.Stdin || size < 0:
		in.handleControl()
		return nil
	default:
		err = in.finish(size)
	}
	if err != nil {
		in.drop()
		in.flush()
	}
	return err
}

// finish completes the current message, whose payload has size bytes. The error is that of
// takeMessage.
func (in *input) finish(size int) (err error) {
	if in.takeMessage != nil {
		err = in.takeMessage(in.batch[in.start:])
		in.drop()
	} else {
		in.join(size)
	}
	in.total.count(true, size)
	if cap(in.batch) > wire.BlockSize {
		in.flush() // so that a batch that had to grow is freed
	}
	return err
}

// join puts the codec's bytes around the current message.
func (in *input) join(size int) {
	before, after := in.codec.Join(size)
	if before != "" {
		in.batch = slices.Insert(in.batch, in.start, []byte(before)...)
	}
	in.batch = append(in.batch, after...)
	in.start = len(in.batch)
	in.valid = in.start
}

// handleControl writes the messages before the current message, and then handles that one.
func (in *input) handleControl() {
	message := slices.Clone(in.batch[in.start:])
	in.drop()
	if in.ended.Load() {
		return
	}
	in.flush()
	in.total.touch()
	in.handle(in.channel, message)
}

// readMessage reads one message into the batch and returns the size of its payload without
// the channel byte, or -1 if that byte is missing.
func (in *input) readMessage(text bool, r io.Reader) (size int, err error) {
	named := in.handle == nil // the channel of the message is known
	for {
		in.makeRoom()
		n, err := r.Read(in.batch[len(in.batch) : cap(in.batch)-joinRoom])
		if err != nil && err != io.EOF {
			return size, err // the bytes may still be masked
		}
		size += n
		if in.limit > 0 && int64(size) > in.limit {
			return size, errTooBig
		}
		in.batch = in.batch[:len(in.batch)+n]
		if text {
			good, ok := framing.ValidPrefix(in.batch[in.valid:])
			if !ok {
				return size, errNotUTF8
			}
			in.valid += good
		} else {
			in.valid = len(in.batch)
		}
		if !named && in.valid > in.start {
			in.takeChannel()
			named = true
		}
		if in.channel != channel.Stdin && size > maxControlMessage {
			return size, errControlTooBig
		}
		if err == io.EOF {
			if in.valid < len(in.batch) {
				return size, errNotUTF8
			}
			if in.handle != nil {
				size--
			}
			return size, nil
		}
	}
}

// takeChannel removes the channel byte from the current message.
func (in *input) takeChannel() {
	in.channel = in.batch[in.start]
	in.batch = slices.Delete(in.batch, in.start, in.start+1)
	in.valid--
}

// makeRoom makes room in the batch for a read. It writes the complete messages and, if the
// current message alone fills the batch, a part of that, or enlarges the batch if the message
// must be held whole.
func (in *input) makeRoom() {
	if in.batch == nil {
		in.batch = wire.GetBlock()[:0]
	}
	if cap(in.batch)-len(in.batch) >= minRead {
		return
	}
	in.flush()
	if in.start == 0 && in.holdWhole {
		grown := make([]byte, len(in.batch), 2*cap(in.batch))
		copy(grown, in.batch)
		wire.PutBlock(in.batch)
		in.batch = grown
		return
	}
	if in.start == 0 {
		in.write(in.batch[:in.valid])
		in.flushed, in.start = in.valid, in.valid
	}
	n := copy(in.batch[:cap(in.batch)], in.batch[in.start:])
	in.valid -= in.start
	in.batch = in.batch[:n]
	in.flushed, in.start = 0, 0
	in.wait()
}

// flush writes every complete message to the child. The Conn calls it, in the receiving
// goroutine, before each wait for data: so it must not move the message being received.
func (in *input) flush() {
	if in.ended.Load() {
		return
	}
	if in.flushEvents != nil {
		in.flushEvents()
	}
	if in.batch == nil {
		return
	}
	if in.flushed < in.start {
		in.write(in.batch[in.flushed:in.start])
		in.flushed = in.start
		in.total.touch()
	}
	if in.start == len(in.batch) && !in.receiving {
		wire.PutBlock(in.batch)
		in.batch, in.flushed, in.start, in.valid = nil, 0, 0, 0
	}
}

func (in *input) write(p []byte) {
	if in.discard {
		return
	}
	in.out.Write(p) // an error means that the child has closed its stdin, which it may
	if len(p) > 0 {
		in.last = p[len(p)-1]
	}
}

// atLineStart reports whether the input written so far ends with a line.
func (in *input) atLineStart() bool { return in.last == 0 || in.last == '\n' || in.last == '\r' }

// drop removes the current message from the batch.
func (in *input) drop() {
	if in.batch != nil {
		in.batch = in.batch[:in.start]
	}
	in.valid = in.start
}
