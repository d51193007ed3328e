package wire

import (
	"sync"
	"time"
)

// Alarm calls a function repeatedly from a timer, without a goroutine of its own
// in between.
type Alarm struct {
	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

// StartAlarm calls f after d, and then again after each duration that f returns,
// until that is zero or negative. Stop releases the timer.
func StartAlarm(d time.Duration, f func() (next time.Duration)) *Alarm {
	a := &Alarm{}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.timer = time.AfterFunc(d, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.stopped {
			return
		}
		if next := f(); next > 0 {
			a.timer.Reset(next)
		}
	})
	return a
}

// Stop returns once f is not running and will not run again. f must not call it.
func (a *Alarm) Stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	a.timer.Stop()
}
