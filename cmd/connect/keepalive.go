package connect

import (
	"context"
	"time"
)

// keepAliveInterval is how long a write of ours to stdout may be stuck before we give
// a sign of life, and again.
const keepAliveInterval = 10 * time.Second

// keepAlive shows the server that we live while nobody takes our output, so that we
// read nothing and answer no pings. Answers are not waited for.
func (s *clientConn) keepAlive() {
	tick := time.NewTicker(keepAliveInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.done:
			return
		}
		if s.output.blockedFor() >= keepAliveInterval {
			s.ping()
		}
	}
}

// How often a server that is silent is asked for a sign of life, where a session
// can go on over another connection, and how long none of its host may come.
const (
	pingInterval = 5 * time.Second
	lossTimeout  = 15 * time.Second
)

// detectLoss gives up a connection whose other end has vanished: the kernel alone would
// do that after many minutes. A host that is there answers, also for a server
// that does not read.
func (s *clientConn) detectLoss() {
	tick := time.NewTicker(pingInterval)
	defer tick.Stop()
	for before := int64(0); ; {
		select {
		case <-tick.C:
		case <-s.done:
			return
		}
		reads := s.netConn.reads.Load()
		switch {
		case reads != before:
			before = reads
		case s.netConn.HostGone(lossTimeout):
			s.netConn.closeRead()
		default:
			s.ping()
		}
	}
}

// ping makes the server, or at least its host, say something. That is not waited
// for.
func (s *clientConn) ping() {
	if !s.netConn.MayAnswer() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.ws.Ping(ctx)
}
