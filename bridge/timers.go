package bridge

import (
	"context"
	"sync"
	"time"

	"wspipe/bridge/wire"
)

// startTimers starts what ends the session by time alone. stop is to be called
// when the connection is closed.
func (c *Client) startTimers() (stop func()) {
	k := &keepalive{client: c, interval: c.opt.PingInterval}
	var alarms []*wire.Alarm
	if d := c.opt.MaxRuntime; d > 0 && c.opt.Kind != Resumable { // whose child has it
		alarms = append(alarms, wire.StartAlarm(d, func() time.Duration {
			c.finish(endRuntime)
			return 0
		}))
	}
	if d := c.opt.IdleTimeout; d > 0 {
		alarms = append(alarms, wire.StartAlarm(d, c.checkIdle))
	}
	if d := c.opt.PingInterval; d > 0 {
		alarms = append(alarms, wire.StartAlarm(d, k.tick))
	}
	return func() {
		for _, a := range alarms {
			a.Stop()
		}
		k.stop()
	}
}

// checkIdle ends the session if no message has gone either way for IdleTimeout.
func (c *Client) checkIdle() (next time.Duration) {
	next = c.opt.IdleTimeout - min(c.input.total.quiet(), c.sequencer.total.quiet())
	if next <= 0 {
		c.finish(endIdle)
	}
	return next
}

// keepalive finds dead peers. A peer lives as long as anything of it arrives.
type keepalive struct {
	client     *Client
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
