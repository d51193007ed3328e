package connect

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// signalWatcher receives the signals that would end us.
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

// interrupts has the times of the last two SIGINTs, the newest first.
type interrupts [2]time.Time

// isThird records a SIGINT at now and reports whether it is the third within a second.
func (i *interrupts) isThird(now time.Time) bool {
	third := now.Sub(i[1]) < time.Second
	i[1], i[0] = i[0], now
	return third
}

// handleSignal handles sig and reports whether Run must return at once. It forwards SIGINT
// and SIGQUIT to the child if it can, and does not exit then; otherwise it exits.
func (c *client) handleSignal(sig os.Signal, recent *interrupts) (exitNow bool) {
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
