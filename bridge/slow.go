package bridge

import (
	"sync/atomic"

	"wspipe/bridge/wire"
)

// SlowPolicy is what becomes of a client of a shared child that is more than
// maxBehind bytes behind. The zero value is SlowDisconnect.
type SlowPolicy int

// The policies of --slow.
const (
	SlowDisconnect SlowPolicy = iota // it is disconnected
	SlowDrop                         // it loses messages, oldest first
	SlowBlock                        // everybody waits for it
)

// maxBehind is how many bytes may wait for a client of a shared child.
const maxBehind = 1 << 20

// sharedClient is a client of a shared child.
type sharedClient struct {
	direct
	dropped           atomic.Int64 // messages dropped because it was slow
	delivered         int          // bytes of frames that deliver was given
	attachedAfterExit bool         // the child had ended already
}

// shareInput says that other clients send to the same stdin.
func (s *sharedClient) shareInput() { s.input.holdWhole = true } // their messages must not mix

// start implements attachment.
func (s *sharedClient) start() {
	if s.attachedAfterExit {
		s.tasks.Go(s.reportExit) // ends with the connection, or when the client has all
	}
}

// stopWaiting lets nobody wait any more for the child on behalf of the client, or for
// the client.
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

// deliver gives b to the client, and returns how many bytes wait for it now.
func (s *sharedClient) deliver(b *wire.Batch) (waiting int) {
	waiting = s.wire.Out.WriteBatch(b)
	s.sequencer.total.add(b)
	s.sequencer.total.touch()
	s.delivered += len(b.Frames)
	return waiting
}

// enforceSlowPolicy does what the slow-client policy says if too much waits for the client.
// fresh bytes of what waits are too young to count.
func (s *sharedClient) enforceSlowPolicy(waiting, fresh int) {
	behind := s.behind(waiting) - fresh
	switch {
	case behind <= maxBehind:
	case s.opt.Slow == SlowDisconnect:
		s.finish(endSlow(behind))
	case s.opt.Slow == SlowDrop:
		s.dropped.Add(int64(s.wire.Out.DropBatches(maxBehind + waiting - behind)))
		if behind = s.behind(s.wire.Out.Backlog()) - fresh; behind > 2*maxBehind { // one message that is longer than that
			s.finish(endSlow(behind))
		}
	}
}

// behind returns how much of what waits is no replay: that came before all that
// was delivered, and may be longer than a client may be behind.
func (s *sharedClient) behind(waiting int) int { return min(waiting, s.delivered) }
