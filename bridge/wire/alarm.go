package wire

import (
	"sync"
	"time"
)

// Alarm calls a function again and again without a goroutine in between.
type Alarm struct {
	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

// StartAlarm calls f after d, and then each time after what f returns, until
// that is zero or less.
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

// Stop returns once f neither runs nor will.
func (a *Alarm) Stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	a.timer.Stop()
}
