package bridge

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/coder/websocket"
)

var (
	errNotUTF8 = errors.New("text message is not UTF-8")
	errTooBig  = errors.New("message too big")
)

// inbound turns the messages of one connection into what a child reads. A
// message reaches the child whole, in one piece with those before it; only one
// longer than the stage goes in parts, and of one that proves bad in the end
// the child has seen at most a prefix, never the terminator.
type inbound struct {
	ws    *websocket.Conn
	out   *Outflow // the child's stdin
	codec codec
	limit int64 // longest message in bytes; zero or less means any
	total traffic
	wait  func() // waits while too much waits for the child

	// The stage gathers messages until the socket has no more of them. It is
	// a pooled block, nil while nothing is in it.
	stage []byte
	sent  int // stage[:sent] has been handed on
	start int // stage[start:] is the message being received
	valid int // stage[start:valid] is checked

	receiving bool        // the library reads into the stage
	ended     atomic.Bool // nothing more is handed on
}

// maxWaiting is how much may wait for the child's stdin, in bytes, before the
// client must wait.
const maxWaiting = 1 << 20

// receive takes one message. The error is errNotUTF8, errTooBig or the
// connection's.
func (in *inbound) receive() error {
	typ, r, err := in.ws.Reader(context.Background()) // calls handOn while it waits
	if err != nil {
		in.handOn()
		return err
	}
	in.receiving = true
	size, err := in.gather(typ == websocket.MessageText, r)
	in.receiving = false
	if err != nil {
		in.drop()
		in.handOn()
		return err
	}
	in.stage = append(in.stage, in.codec.terminator()...)
	in.start = len(in.stage)
	in.valid = in.start
	in.total.count(true, size)
	return nil
}

// gather reads the payload of one message to the stage.
func (in *inbound) gather(text bool, r io.Reader) (size int, err error) {
	for {
		in.makeRoom()
		n, err := r.Read(in.stage[len(in.stage) : cap(in.stage)-len("\r\n")])
		if err != nil && err != io.EOF {
			return size, err // the bytes may still be masked
		}
		size += n
		if in.limit > 0 && int64(size) > in.limit {
			return size, errTooBig
		}
		in.stage = in.stage[:len(in.stage)+n]
		if text {
			good, ok := validPrefix(in.stage[in.valid:])
			if !ok {
				return size, errNotUTF8
			}
			in.valid += good
		} else {
			in.valid = len(in.stage)
		}
		if err == io.EOF {
			if in.valid < len(in.stage) {
				return size, errNotUTF8
			}
			return size, nil
		}
	}
}

// makeRoom sees to it that there is a stage with room for more: it hands on
// what is complete, and a part of the message at hand only if that fills the
// stage alone.
func (in *inbound) makeRoom() {
	const enough = 4 << 10
	if in.stage == nil {
		in.stage = getBlock()[:0]
	}
	if cap(in.stage)-len(in.stage) >= enough {
		return
	}
	in.handOn()
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
	if in.ended.Load() || in.stage == nil {
		return
	}
	if in.sent < in.start {
		in.write(in.stage[in.sent:in.start])
		in.sent = in.start
		in.total.touch()
	}
	if in.start == len(in.stage) && !in.receiving {
		putBlock(in.stage)
		in.stage, in.sent, in.start, in.valid = nil, 0, 0, 0
	}
}

func (in *inbound) write(p []byte) {
	in.out.Write(p) // fails if the child reads no more, which is its right
}

// drop forgets the message at hand.
func (in *inbound) drop() {
	if in.stage != nil {
		in.stage = in.stage[:in.start]
	}
	in.valid = in.start
}
