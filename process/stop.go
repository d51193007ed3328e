package process

import "time"

// stopSequence lists the signals that Stop sends to a process session that still runs,
// and the wait before each. These are the waits of websocketd's --closems.
var stopSequence = []struct {
	wait   time.Duration
	signal stopSignal
}{
	{100 * time.Millisecond, interrupt},
	{250 * time.Millisecond, terminate},
	{500 * time.Millisecond, kill},
}

// Stop waits killTimeout after SIGKILL, since a process in an uninterruptible wait does
// not end. It repeats SIGKILL every killInterval, for processes that were started while
// signal listed them.
const (
	killTimeout  = 2 * time.Second
	killInterval = 100 * time.Millisecond
)

// zombieInterval is how often Stop with WaitForever checks whether only zombies are left.
const zombieInterval = 2 * time.Second

// Stop ends the whole process session. It returns once no process of it is left, or at most
// 2 s after SIGKILL. A process that has left the session by setsid(2) keeps running.
//
// Stop waits 100 ms before it sends SIGINT, 250 ms more before SIGTERM and 500 ms more
// before SIGKILL, with Spec.Grace added to each wait. With WaitForever it sends no signal.
// The caller closes Stdin, as soon as the child has read its input; Stop closes it before
// the first signal. Calls after the first wait for the same end.
func (c *Child) Stop() {
	c.stopOnce.Do(func() {
		if c.grace == WaitForever {
			for !c.waitSessionEnd(zombieInterval) {
			}
		} else {
			c.stopBySignals()
		}
		c.stdin.Close()
		c.stopped.Store(true)
		c.session.close()
		if c.onSessionEnd != nil {
			c.onSessionEnd()
		}
	})
}

// stopBySignals runs the stop sequence.
func (c *Child) stopBySignals() {
	for _, step := range stopSequence {
		if c.waitSessionEnd(step.wait + c.grace) {
			return
		}
		c.stdin.Close()
		c.session.signal(step.signal)
	}
	var err error
	for end := time.Now().Add(killTimeout); err == nil && time.Now().Before(end); {
		if c.waitSessionEnd(killInterval) {
			return
		}
		err = c.session.signal(kill)
	}
	if err != nil { // EPERM: a process runs as another user
		c.log.Error("cannot stop the child's process session", "pid", c.Pid(), "error", err)
	} else {
		c.log.Error("process session outlives SIGKILL", "pid", c.Pid())
	}
	c.setExit(Exit{Code: unknownExit})
}

// waitSessionEnd waits, for at most d, until the leader has exited and no other process
// of its session runs. The system does not report the end of a session, so it polls.
func (c *Child) waitSessionEnd(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		return false
	}
	for pause := time.Millisecond; !c.session.ended(); pause = min(2*pause, 20*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-timer.C:
			return c.session.ended() || c.session.onlyZombies()
		}
	}
	return true
}

// FirstWait returns how long Stop waits before the first signal, given Spec.Grace. A
// negative value means that it sends none.
func FirstWait(grace time.Duration) time.Duration {
	if grace == WaitForever {
		return WaitForever
	}
	return stopSequence[0].wait + grace
}
