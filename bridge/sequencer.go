package bridge

import (
	"net"
	"sync"

	"github.com/coder/websocket"
)

// sequencer serializes the messages of a child's streams on the way to one destination: a
// client, the encoders of many clients, or a history.
type sequencer struct {
	destination destination
	total       trafficCounter // of the streams' messages

	mu      sync.Mutex // held while sending
	writers []messageWriter
	sender  *output // whose message has begun and not ended, or nil
	ended   bool    // sendLast was called
}

// destination is where the messages go.
type destination interface {
	// Ready waits while nothing may be sent, as in a pause.
	Ready()
	// Hold collects messages until Release, which sends them.
	Hold()
	Release()
	// Wait waits until at most n bytes are queued.
	Wait(n int) error
}

// messageWriter encodes messages.
type messageWriter interface {
	// Message adds a message of one frame.
	Message(typ websocket.MessageType, payload []byte) error
	// Fragment adds a frame of a message of several frames; last marks the final one. No
	// other message may come in between.
	Fragment(typ websocket.MessageType, payload []byte, last bool) error
}

func newSequencer(w clientWriter) sequencer {
	return sequencer{destination: w, writers: []messageWriter{w}}
}

// begin locks the sequencer for a batch, until end, which must be called even after an error.
// The error is net.ErrClosed after sendLast.
func (o *sequencer) begin() error {
	o.destination.Ready() // before mu, which sendLast needs
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

// sendMessage sends a message of one frame, between begin and end.
func (o *sequencer) sendMessage(typ websocket.MessageType, payload []byte) error {
	for _, t := range o.writers {
		if err := t.Message(typ, payload); err != nil {
			return err
		}
	}
	return nil
}

// sendFragment sends a frame of a message of several frames, between begin and end.
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

// sendBinary sends messages that belong to no stream, unless sendLast was called.
func (o *sequencer) sendBinary(messages ...[]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.send(messages)
	}
}

// sendLast sends the last messages, after which the streams send nothing. Only the first call
// has an effect.
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
