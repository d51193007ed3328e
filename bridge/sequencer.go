package bridge

import (
	"net"
	"sync"

	"github.com/coder/websocket"
)

// sequencer is the one way out of what the streams of a child send: to a
// connection or, with a hub, to the encoders of many.
type sequencer struct {
	destination destination
	total       trafficCounter // of what the child's streams send

	mu      sync.Mutex // held by who sends
	writers []messageWriter
	sender  *output // whose message is being sent in pieces, or nil
	ended   bool    // the last message has been sent
}

// destination is where messages end up.
type destination interface {
	// ready waits while nothing is to be sent.
	Ready()
	// Hold gathers what is sent until Release.
	Hold()
	Release()
	// Wait waits until no more than n bytes wait to be taken.
	Wait(n int) error
}

// messageWriter gets every message that leaves by an outlet.
type messageWriter interface {
	// message takes one that is one frame.
	Message(typ websocket.MessageType, payload []byte) error
	// piece takes a frame of one that has, or will have, several. Until the last
	// there is no other.
	Fragment(typ websocket.MessageType, payload []byte, last bool) error
}

func newSequencer(w clientWriter) sequencer {
	return sequencer{destination: w, writers: []messageWriter{w}}
}

// begin lets the caller send until it calls end; all of that leaves in one write.
func (o *sequencer) begin() error {
	o.destination.Ready() // before mu, which the last words need
	o.mu.Lock()
	o.destination.Hold()
	if o.ended {
		return net.ErrClosed
	}
	return nil
}

func (o *sequencer) end() {
	o.destination.Release()
	o.mu.Unlock()
}

// sendMessage sends a message that is one frame.
func (o *sequencer) sendMessage(typ websocket.MessageType, payload []byte) error {
	for _, t := range o.writers {
		if err := t.Message(typ, payload); err != nil {
			return err
		}
	}
	return nil
}

// sendFragment sends a frame of a message that has, or will have, several.
func (o *sequencer) sendFragment(s *output, piece []byte, last bool) error {
	o.sender = s
	for _, t := range o.writers {
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
func (o *sequencer) sendBinary(messages ...[]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.send(messages)
	}
}

// sendLast is sendBinary for the last messages: the streams send nothing after
// them. It does nothing if it has been called before.
func (o *sequencer) sendLast(messages ...[]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.send(messages)
		o.ended = true
	}
}

func (o *sequencer) send(messages [][]byte) {
	o.destination.Hold()
	defer o.destination.Release()
	for _, m := range messages {
		o.sendMessage(websocket.MessageBinary, m) // fails if the connection has ended
	}
}
