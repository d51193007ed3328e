package bridge

import (
	"context"
	"sync"
	"time"

	"wspipe/bridge/wire"
)

// start implements Transport: it sends pings.
func (w *webSocket) start() (stop func()) {
	interval := w.opt.PingInterval
	if interval <= 0 {
		return func() { w.ws.CloseNow() }
	}
	k := &keepalive{client: w, interval: interval}
	alarm := wire.StartAlarm(interval, k.tick)
	return func() {
		w.ws.CloseNow() // also ends what the library does for the connection
		alarm.Stop()
		k.stop()
	}
}

// keepalive finds dead clients. A client lives as long as anything of it arrives.
type keepalive struct {
	client     *webSocket
	interval   time.Duration
	reads      int64  // Conn.reads at the last tick
	missed     int    // intervals in a row without the sign of life that was due
	cancelPing func() // ends the wait for the last ping's pong; nil before the first
	pings      sync.WaitGroup
}

// tick looks whether the peer has answered the last ping, and sends another,
// also to one that is silent: a kernel whose program has closed the connection
// says so only when it gets something.
func (k *keepalive) tick() (next time.Duration) {
	reads := k.client.wire.Reads.Load()
	switch {
	case reads != k.reads:
		k.reads, k.missed = reads, 0
	case k.cancelPing != nil:
		k.checkAlive()
	}
	k.stop()
	ctx, cancel := context.WithCancel(context.Background())
	k.cancelPing = cancel
	k.pings.Go(func() { k.client.ws.Ping(ctx) }) // ends with the pong, the connection or giveUp
	return k.interval
}

// stop gives up the last ping. That was written an interval ago: a context that
// ends while the library writes would close the connection.
func (k *keepalive) stop() {
	if k.cancelPing != nil {
		k.cancelPing()
	}
	k.pings.Wait()
}

// checkAlive ends the session if the peer is dead. Silence proves that only if the
// peer has got our ping and we would have read its answer: a client that does
// not read, or one that a child holds up, may be silent as long as its host
// answers ours.
func (k *keepalive) checkAlive() {
	c := k.client
	if c.wire.HostGone(k.interval) {
		c.wire.Abort()
		return
	}
	heldUp := c.bridge.stdin.Waiting() > maxInputBacklog/2
	unread := c.wire.Out.Waiting() > 0 || wire.Unsent(c.wire.Conn) > 0
	if heldUp || unread {
		k.missed = 0
		return
	}
	if k.missed++; k.missed >= 2 {
		c.finish(endSilent)
	}
}
