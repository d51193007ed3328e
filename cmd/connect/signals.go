package connect

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// signalWatcher has the signals that would end us.
type signalWatcher struct {
	c          chan os.Signal
	interrupts interrupts
}

func watchSignals() *signalWatcher {
	w := &signalWatcher{c: make(chan os.Signal, 4)}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) { // as under nohup, or in a script's background
			signal.Notify(w.c, sig)
		}
	}
	return w
}

func (w *signalWatcher) stop() { signal.Stop(w.c) }

// interrupts are the times of the last SIGINTs, the last one first.
type interrupts [2]time.Time

// isThird reports whether the one at now is the third within a second.
func (i *interrupts) isThird(now time.Time) bool {
	third := now.Sub(i[1]) < time.Second
	i[1], i[0] = i[0], now
	return third
}

// handleSignal does what sig asks for, and reports whether that is to end at once. What a
// program on the other side can be told it is told: that ends us only if it ends
// by it.
func (c *client) handleSignal(sig os.Signal, recent *interrupts) (enough bool) {
	number := sig.(syscall.Signal)
	s := c.conn()
	switch {
	case c.isExiting():
		return true
	case sig == os.Interrupt && !recent.isThird(time.Now()) && s != nil && s.sendSignal("INT"):
		return false
	case sig == syscall.SIGQUIT && s != nil && s.sendSignal("QUIT"):
		return false
	}
	c.restoreTerminal(true)
	c.exit(result{status: 128 + int(number)})
	return false
}
