package bridge

import (
	"time"

	"wspipe/bridge/wire"
)

// startTimers starts what ends the session by time alone. stop is to be called
// when the connection is closed.
func (c *Client) startTimers() (stop func()) {
	stopTransport := c.transport.start()
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
	return func() {
		for _, a := range alarms {
			a.Stop()
		}
		stopTransport()
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
