package bridge

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

// enforceSlowPolicy applies SlowDisconnect and SlowDrop. (fanOut.Wait and delivery.flushAll apply
// SlowBlock.) waiting bytes are queued for the client, of which the last fresh bytes do not
// count yet.
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
