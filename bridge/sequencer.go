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
func (s *sequencer) begin() error {
	s.destination.Ready() // before mu, which sendLast needs
	s.mu.Lock()
	s.destination.Hold()
	if s.ended {
		return net.ErrClosed
	}
	return nil
}

func (s *sequencer) end() {
	s.destination.Release()
	s.mu.Unlock()
}

// sendMessage sends a message of one frame, between begin and end.
func (s *sequencer) sendMessage(typ websocket.MessageType, payload []byte) error {
	for _, w := range s.writers {
		if err := w.Message(typ, payload); err != nil {
			return err
		}
	}
	return nil
}

// sendFragment sends a frame of a message of several frames, between begin and end.
func (s *sequencer) sendFragment(o *output, fragment []byte, last bool) error {
	s.sender = o
	for _, w := range s.writers {
		if err := w.Fragment(o.typ, fragment, last); err != nil {
			return err
		}
	}
	if last {
		s.sender = nil
	}
	return nil
}

// sendBinary sends messages that belong to no stream, unless sendLast was called.
func (s *sequencer) sendBinary(messages ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.send(messages)
	}
}

// sendLast sends the last messages, after which the streams send nothing. Only the first call
// has an effect.
func (s *sequencer) sendLast(messages ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.send(messages)
		s.ended = true
	}
}

func (s *sequencer) send(messages [][]byte) {
	s.destination.Hold()
	defer s.destination.Release()
	for _, m := range messages {
		s.sendMessage(websocket.MessageBinary, m) // fails if the connection has ended
	}
}
