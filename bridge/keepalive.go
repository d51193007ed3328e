package bridge

import (
	"context"
	"sync"
	"time"

	"wspipe/bridge/wire"
)

// start implements Transport. It starts the pings.
func (w *webSocket) start() (stop func()) {
	interval := w.opt.PingInterval
	if interval <= 0 {
		return func() { w.ws.CloseNow() }
	}
	k := &keepalive{client: w, interval: interval}
	alarm := wire.StartAlarm(interval, k.tick)
	return func() {
		w.ws.CloseNow() // also ends the library's goroutine for the connection
		alarm.Stop()
		k.stop()
	}
}

// keepalive detects dead clients. A client is alive while anything arrives from it.
type keepalive struct {
	client     *webSocket
	interval   time.Duration
	reads      int64  // Conn.Reads at the last tick
	missed     int    // intervals in a row without an expected sign of life
	cancelPing func() // ends the wait for the last pong; nil before the first ping
	pings      sync.WaitGroup
}

// tick checks whether the client has replied to the last ping, and sends another, even to a
// silent client: a kernel whose program has closed the connection replies only if it receives
// something.
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
	k.pings.Go(func() { k.client.ws.Ping(ctx) }) // ends with the pong or the connection; unblocked by stop
	return k.interval
}

// stop ends the wait for the last pong. The ping was written an interval ago: if the context
// ended during the write, the library would close the connection.
func (k *keepalive) stop() {
	if k.cancelPing != nil {
		k.cancelPing()
	}
	k.pings.Wait()
}

// checkAlive ends the connection if the client is dead. Silence proves that only if the
// client has received our ping and we would have read its reply. A client that does not
// read, or that waits for the child, may be silent while its host replies to ours.
func (k *keepalive) checkAlive() {
	c := k.client
	if c.wire.HostGone(k.interval) {
		c.wire.Abort()
		return
	}
	waitsForChild := c.bridge.stdin.Waiting() > maxInputBacklog/2
	unread := c.wire.Out.Waiting() > 0 || wire.Unsent(c.wire.Conn) > 0
	if waitsForChild || unread {
		k.missed = 0
		return
	}
	if k.missed++; k.missed >= 2 {
		c.finish(endSilent)
	}
}
