package bridge

import (
	"net"
	"sync"

	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// outlet is the one way out of what the streams of a child send: to a
// connection or, with a hub, to the encoders of many.
type outlet struct {
	flow  flow
	total traffic // of what the child's streams send

	mu      sync.Mutex // held by who sends
	targets []sink
	sender  *outbound // whose message is being sent in pieces, or nil
	settled bool      // the last message has been sent
}

// flow is where messages end up.
type flow interface {
	// ready waits while nothing is to be sent.
	Ready()
	// Hold gathers what is sent until Release.
	Hold()
	Release()
	// Wait waits until no more than n bytes wait to be taken.
	Wait(n int) error
}

// sink gets every message that leaves by an outlet.
type sink interface {
	// message takes one that is one frame.
	Message(typ websocket.MessageType, payload []byte) error
	// piece takes a frame of one that has, or will have, several. Until the last
	// there is no other.
	Fragment(typ websocket.MessageType, payload []byte, last bool) error
}

func newOutlet(conn *wire.Conn, deflate bool) outlet {
	w := wire.NewFrameWriter(conn.Out, deflate)
	return outlet{flow: w, targets: []sink{w}}
}

// begin lets the caller send until it calls end; all of that leaves in one write.
func (o *outlet) begin() error {
	o.flow.Ready() // before mu, which the last words need
	o.mu.Lock()
	o.flow.Hold()
	if o.settled {
		return net.ErrClosed
	}
	return nil
}

func (o *outlet) end() {
	o.flow.Release()
	o.mu.Unlock()
}

// sendAlone sends a message that is one frame.
func (o *outlet) sendAlone(typ websocket.MessageType, payload []byte) error {
	for _, t := range o.targets {
		if err := t.Message(typ, payload); err != nil {
			return err
		}
	}
	return nil
}

// sendPiece sends a frame of a message that has, or will have, several.
func (o *outlet) sendPiece(s *outbound, piece []byte, last bool) error {
	o.sender = s
	for _, t := range o.targets {
		if err := t.Fragment(s.typ, piece, last); err != nil {
			return err
		}
	}
	if last {
		o.sender = nil
	}
	return nil
}

// sendBinary sends messages that are none of the child's streams, unless settle
// has been called.
func (o *outlet) sendBinary(messages ...[]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.settled {
		o.send(messages)
	}
}

// settle is sendBinary for the last messages: the streams send nothing after
// them. It does nothing if it has been called before.
func (o *outlet) settle(messages ...[]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.settled {
		o.send(messages)
		o.settled = true
	}
}

func (o *outlet) send(messages [][]byte) {
	o.flow.Hold()
	defer o.flow.Release()
	for _, m := range messages {
		o.sendAlone(websocket.MessageBinary, m) // fails if the connection has ended
	}
}
