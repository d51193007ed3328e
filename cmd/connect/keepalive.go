package connect

import (
	"context"
	"time"
)

// keepAliveInterval is how long a write to stdout may be blocked before we send a ping, and
// the interval of further pings.
const keepAliveInterval = 10 * time.Second

// keepAlive sends pings while a write to stdout is blocked, because we read nothing then
// and cannot answer the server's pings.
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

// pingInterval is how often a silent server gets a ping, and lossTimeout is how long its
// host may be silent, with --resume.
const (
	pingInterval = 5 * time.Second
	lossTimeout  = 15 * time.Second
)

// detectLoss ends a connection whose other host has vanished. The kernel would take many
// minutes. A live host acknowledges our pings even if the server does not read.
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

// ping sends a ping, unless the server does not read. It does not wait for the pong.
func (s *clientConn) ping() {
	if !s.netConn.MayAnswer() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.ws.Ping(ctx)
}
