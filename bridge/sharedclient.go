package bridge

import (
	"sync/atomic"

	"wspipe/bridge/wire"
)

// sharedClient is what the clients of a broadcast and of a mux have in common.
type sharedClient struct {
	direct
	dropped           atomic.Int64 // messages dropped by SlowDrop
	delivered         int          // bytes of frames passed to deliver
	attachedAfterExit bool         // the child had ended before
}

// shareInput keeps each message whole, because other clients send to the same stdin.
func (s *sharedClient) shareInput() { s.input.holdWhole = true }

// start implements attachment.
func (s *sharedClient) start() {
	if s.attachedAfterExit {
		s.tasks.Go(s.reportExit) // ends with the connection, or when the client has everything
	}
}

// stopWaiting ends the waits for the child on behalf of the client, and for the client.
func (s *sharedClient) stopWaiting() {
	s.disconnecting.Store(true)
	s.bridge.stdin.Wake()
	s.wire.Out.Wake()
}

// closed implements attachment.
func (s *sharedClient) closed() {
	if lost := s.dropped.Load(); lost > 0 {
		s.log.Warn("slow client: messages dropped", "count", lost)
	}
}

// sent implements attachment. Messages that were dropped do not count, nor does the backlog.
func (s *sharedClient) sent() (t Traffic) {
	t.Messages, t.Bytes = s.wire.Out.Sent()
	return t
}

// endInput implements attachment.
func (s *sharedClient) endInput() error { return errSharedInput }

// deliver queues b and returns how many bytes are now queued for the client.
func (s *sharedClient) deliver(b *wire.Batch) (waiting int) {
	s.transport.begin()
	waiting = s.wire.Out.WriteBatch(b)
	s.sequencer.total.add(b)
	s.sequencer.total.touch()
	s.delivered += len(b.Frames)
	return waiting
}
