package bridge

import (
	"sync/atomic"

	"wspipe/bridge/wire"
)

// SlowPolicy is what happens to a client of a shared child that is more than maxBacklog
// bytes behind. The zero value is SlowDisconnect.
type SlowPolicy int

// The policies of --slow.
const (
	SlowDisconnect SlowPolicy = iota // the client is disconnected
	SlowDrop                         // the oldest messages for the client are dropped
	SlowBlock                        // the child waits for the client
)

// maxBacklog is how many bytes may be queued for a client of a shared child.
const maxBacklog = 1 << 20

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

// enforceSlowPolicy applies the slow-client policy. waiting bytes are queued for the client,
// of which the last fresh bytes do not count yet.
func (s *sharedClient) enforceSlowPolicy(waiting, fresh int) {
	behind := s.behind(waiting) - fresh
	switch {
	case behind <= maxBacklog:
	case s.opt.Slow == SlowDisconnect:
		s.slow.Store(true)
		s.finish(endSlow(behind))
	case s.opt.Slow == SlowDrop:
		s.slow.Store(true)
		s.dropped.Add(int64(s.wire.Out.DropBatches(maxBacklog + waiting - behind)))
		if behind = s.behind(s.wire.Out.Backlog()) - fresh; behind > 2*maxBacklog { // a single message is longer
			s.finish(endSlow(behind))
		}
	}
}

// behind returns how many of the queued bytes are not the replay, which precedes everything
// delivered and may be longer than maxBacklog.
func (s *sharedClient) behind(waiting int) int { return min(waiting, s.delivered) }
