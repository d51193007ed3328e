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

// input turns the messages of one connection into what a child reads. A
// message reaches the child whole, in one piece with those before it; only one
// longer than the stage goes in parts, and of one that proves bad in the end
// the child has seen at most a prefix, never the terminator.
type input struct {
	ws        *websocket.Conn
	out       *wire.Queue // the child's stdin
	codec     framing.Codec
	holdWhole bool  // the codec must know a message's size first, or messages of others come between
	discard   bool  // what comes is dropped
	limit     int64 // longest message in bytes; zero or less means any
	total     trafficCounter
	wait      func() // waits while too much waits for the child

	// obey, if set, is what messages on other channels than Stdin mean:
	// the first byte of each message is its channel. An empty message is on no
	// channel, for which Stdin stands there.
	handle func(channel byte, message []byte)

	// take, if set, gets each message instead of the codec, and what it makes of
	// them is handed on by flush. It may keep nothing of the message.
	takeMessage func(message []byte) error
	flushEvents func()

	// The stage gathers messages until the socket has no more of them. It is
	// a pooled block, nil while nothing is in it, and larger only for a message
	// that is held whole.
	batch   []byte
	flushed int // stage[:sent] has been handed on
	start   int // stage[start:] is the message being received
	valid   int // stage[start:valid] is checked

	last      byte        // handed on, zero if nothing was
	channel   byte        // of the message being received
	receiving bool        // the library reads into the stage
	ended     atomic.Bool // nothing more is handed on, or obeyed
}

const (
	// maxInputBacklog is how much may wait for the child's stdin, in bytes, before the
	// client must wait.
	maxInputBacklog = 1 << 20
	// maxControlMessage is the longest message on any other channel than Stdin.
	maxControlMessage = 4 << 10
	// minRead is how much room there is on the stage for each read, at least.
	minRead = 4 << 10
	// joinRoom is left of the stage for what goes around a message.
	joinRoom = 64
)

// receive takes one message. The error is errNotUTF8, errTooBig,
// errControlTooBig, that of take or the connection's.
func (in *input) receive() error {
	typ, r, err := in.ws.Reader(context.Background()) // calls handOn while it waits
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

// finish completes the message at hand, whose payload has size bytes. The error is
// that of take.
func (in *input) finish(size int) (err error) {
	if in.takeMessage != nil {
		err = in.takeMessage(in.batch[in.start:])
		in.drop()
	} else {
		in.join(size)
	}
	in.total.count(true, size)
	if cap(in.batch) > wire.BlockSize {
		in.flush() // no more messages are to gather on a stage that had to grow
	}
	return err
}

// join puts around the message at hand what the codec says.
func (in *input) join(size int) {
	before, after := in.codec.Join(size)
	if before != "" {
		in.batch = slices.Insert(in.batch, in.start, []byte(before)...)
	}
	in.batch = append(in.batch, after...)
	in.start = len(in.batch)
	in.valid = in.start
}

// handleControl hands on what came before the message at hand, and then does what that
// one says.
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

// readMessage reads one message to the stage and returns the size of its payload, of
// which the channel is no part: -1 if a message that must name one is empty.
func (in *input) readMessage(text bool, r io.Reader) (size int, err error) {
	named := in.handle == nil // the message's channel is known
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

// takeChannel takes the first byte off the message at hand.
func (in *input) takeChannel() {
	in.channel = in.batch[in.start]
	in.batch = slices.Delete(in.batch, in.start, in.start+1)
	in.valid--
}

// makeRoom sees to it that there is a stage with room for more: it hands on
// what is complete, and a part of the message at hand only if that fills the
// stage alone. Then a message that must be held whole gets a larger stage.
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

// flush gives every complete message to the child. The connection calls it,
// in the goroutine that receives, whenever the client has sent nothing more;
// so it must not move what the stage holds beyond start.
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
	in.out.Write(p) // fails if the child reads no more, which is its right
	if len(p) > 0 {
		in.last = p[len(p)-1]
	}
}

// atLineStart reports whether what was handed on ends with a line.
func (in *input) atLineStart() bool { return in.last == 0 || in.last == '\n' || in.last == '\r' }

// drop forgets the message at hand.
func (in *input) drop() {
	if in.batch != nil {
		in.batch = in.batch[:in.start]
	}
	in.valid = in.start
}
