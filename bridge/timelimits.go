package bridge

import (
	"time"

	"wspipe/bridge/wire"
)

// startTimers starts the time limits of the connection. stop must be called when the
// connection has ended.
func (c *Client) startTimers() (stop func()) {
	stopTransport := c.transport.start()
	var alarms []*wire.Alarm
	if d := c.opt.MaxRuntime; d > 0 && c.opt.Kind != Resumable { // which limits its child instead
		alarms = append(alarms, wire.StartAlarm(d, func() time.Duration {
			c.finish(endRuntime)
			return 0
		}))
	}
	if d := c.opt.IdleTimeout; d > 0 {
		alarms = append(alarms, wire.StartAlarm(d, c.checkIdle))
	}
	return func() {
		for _, a := range alarms {
			a.Stop()
		}
		stopTransport()
	}
}

// checkIdle ends the connection if no message was carried either way for IdleTimeout.
func (c *Client) checkIdle() (next time.Duration) {
	next = c.opt.IdleTimeout - min(c.input.total.quiet(), c.sequencer.total.quiet())
	if next <= 0 {
		c.finish(endIdle)
	}
	return next
}
