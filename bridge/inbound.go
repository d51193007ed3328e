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

// inbound turns the messages of one connection into what a child reads. A
// message reaches the child whole, in one piece with those before it; only one
// longer than the stage goes in parts, and of one that proves bad in the end
// the child has seen at most a prefix, never the terminator.
type inbound struct {
	ws    *websocket.Conn
	out   *wire.Queue // the child's stdin
	codec framing.Codec
	whole bool  // the codec must know a message's size first, or messages of others come between
	mute  bool  // what comes is dropped
	limit int64 // longest message in bytes; zero or less means any
	total traffic
	wait  func() // waits while too much waits for the child

	// obey, if set, is what messages on other channels than Stdin mean:
	// the first byte of each message is its channel. An empty message is on no
	// channel, for which Stdin stands there.
	obey func(channel byte, message []byte)

	// take, if set, gets each message instead of the codec, and what it makes of
	// them is handed on by flush. It may keep nothing of the message.
	take  func(message []byte) error
	flush func()

	// The stage gathers messages until the socket has no more of them. It is
	// a pooled block, nil while nothing is in it, and larger only for a message
	// that is held whole.
	stage []byte
	sent  int // stage[:sent] has been handed on
	start int // stage[start:] is the message being received
	valid int // stage[start:valid] is checked

	last      byte        // handed on, zero if nothing was
	channel   byte        // of the message being received
	receiving bool        // the library reads into the stage
	ended     atomic.Bool // nothing more is handed on, or obeyed
}

const (
	// maxWaiting is how much may wait for the child's stdin, in bytes, before the
	// client must wait.
	maxWaiting = 1 << 20
	// maxControl is the longest message on any other channel than Stdin.
	maxControl = 4 << 10
	// enough is how much room there is on the stage for each read, at least.
	enough = 4 << 10
	// spare is left of the stage for what goes around a message.
	spare = 64
)

// receive takes one message. The error is errNotUTF8, errTooBig,
// errControlTooBig, that of take or the connection's.
func (in *inbound) receive() error {
	typ, r, err := in.ws.Reader(context.Background()) // calls handOn while it waits
	if err != nil {
		in.handOn()
		return err
	}
	in.receiving = true
	in.channel = channel.Stdin
	size, err := in.gather(typ == websocket.MessageText, r)
	in.receiving = false
	switch {
	case err != nil:
	case in.channel != channel.Stdin || size < 0:
		in.command()
		return nil
	default:
		err = in.finish(size)
	}
	if err != nil {
		in.drop()
		in.handOn()
	}
	return err
}

// finish completes the message at hand, whose payload has size bytes. The error is
// that of take.
func (in *inbound) finish(size int) (err error) {
	if in.take != nil {
		err = in.take(in.stage[in.start:])
		in.drop()
	} else {
		in.wrap(size)
	}
	in.total.count(true, size)
	if cap(in.stage) > wire.BlockSize {
		in.handOn() // no more messages are to gather on a stage that had to grow
	}
	return err
}

// wrap puts around the message at hand what the codec says.
func (in *inbound) wrap(size int) {
	before, after := in.codec.Join(size)
	if before != "" {
		in.stage = slices.Insert(in.stage, in.start, []byte(before)...)
	}
	in.stage = append(in.stage, after...)
	in.start = len(in.stage)
	in.valid = in.start
}

// command hands on what came before the message at hand, and then does what that
// one says.
func (in *inbound) command() {
	message := slices.Clone(in.stage[in.start:])
	in.drop()
	if in.ended.Load() {
		return
	}
	in.handOn()
	in.total.touch()
	in.obey(in.channel, message)
}

// gather reads one message to the stage and returns the size of its payload, of
// which the channel is no part: -1 if a message that must name one is empty.
func (in *inbound) gather(text bool, r io.Reader) (size int, err error) {
	named := in.obey == nil // the message's channel is known
	for {
		in.makeRoom()
		n, err := r.Read(in.stage[len(in.stage) : cap(in.stage)-spare])
		if err != nil && err != io.EOF {
			return size, err // the bytes may still be masked
		}
		size += n
		if in.limit > 0 && int64(size) > in.limit {
			return size, errTooBig
		}
		in.stage = in.stage[:len(in.stage)+n]
		if text {
			good, ok := framing.ValidPrefix(in.stage[in.valid:])
			if !ok {
				return size, errNotUTF8
			}
			in.valid += good
		} else {
			in.valid = len(in.stage)
		}
		if !named && in.valid > in.start {
			in.takeChannel()
			named = true
		}
		if in.channel != channel.Stdin && size > maxControl {
			return size, errControlTooBig
		}
		if err == io.EOF {
			if in.valid < len(in.stage) {
				return size, errNotUTF8
			}
			if in.obey != nil {
				size--
			}
			return size, nil
		}
	}
}

// takeChannel takes the first byte off the message at hand.
func (in *inbound) takeChannel() {
	in.channel = in.stage[in.start]
	in.stage = slices.Delete(in.stage, in.start, in.start+1)
	in.valid--
}

// makeRoom sees to it that there is a stage with room for more: it hands on
// what is complete, and a part of the message at hand only if that fills the
// stage alone. Then a message that must be held whole gets a larger stage.
func (in *inbound) makeRoom() {
	if in.stage == nil {
		in.stage = wire.GetBlock()[:0]
	}
	if cap(in.stage)-len(in.stage) >= enough {
		return
	}
	in.handOn()
	if in.start == 0 && in.whole {
		grown := make([]byte, len(in.stage), 2*cap(in.stage))
		copy(grown, in.stage)
		wire.PutBlock(in.stage)
		in.stage = grown
		return
	}
	if in.start == 0 {
		in.write(in.stage[:in.valid])
		in.sent, in.start = in.valid, in.valid
	}
	n := copy(in.stage[:cap(in.stage)], in.stage[in.start:])
	in.valid -= in.start
	in.stage = in.stage[:n]
	in.sent, in.start = 0, 0
	in.wait()
}

// handOn gives every complete message to the child. The connection calls it,
// in the goroutine that receives, whenever the client has sent nothing more;
// so it must not move what the stage holds beyond start.
func (in *inbound) handOn() {
	if in.ended.Load() {
		return
	}
	if in.flush != nil {
		in.flush()
	}
	if in.stage == nil {
		return
	}
	if in.sent < in.start {
		in.write(in.stage[in.sent:in.start])
		in.sent = in.start
		in.total.touch()
	}
	if in.start == len(in.stage) && !in.receiving {
		wire.PutBlock(in.stage)
		in.stage, in.sent, in.start, in.valid = nil, 0, 0, 0
	}
}

func (in *inbound) write(p []byte) {
	if in.mute {
		return
	}
	in.out.Write(p) // fails if the child reads no more, which is its right
	if len(p) > 0 {
		in.last = p[len(p)-1]
	}
}

// atLineStart reports whether what was handed on ends with a line.
func (in *inbound) atLineStart() bool { return in.last == 0 || in.last == '\n' || in.last == '\r' }

// drop forgets the message at hand.
func (in *inbound) drop() {
	if in.stage != nil {
		in.stage = in.stage[:in.start]
	}
	in.valid = in.start
}
