package process

import "time"

// stopSequence is what Stop does to a process session that goes on running: the contract of
// websocketd's users, who tune it with --closems.
var stopSequence = []struct {
	wait   time.Duration
	signal stopSignal
}{
	{100 * time.Millisecond, interrupt},
	{250 * time.Millisecond, terminate},
	{500 * time.Millisecond, kill},
}

// killTimeout is how long SIGKILL may take, and killInterval how often it is sent
// meanwhile, for a process that was started while signal looked for all of them.
// A process in an uninterruptible wait outlives it, and we do not wait for it.
const (
	killTimeout  = 2 * time.Second
	killInterval = 100 * time.Millisecond
)

// zombieInterval is how often WaitForever looks whether only zombies are left.
const zombieInterval = 2 * time.Second

// Stop ends the whole process session, and returns once it is gone, or once it
// has been sent SIGKILL in vain; a process that has left it by setsid(2) runs on.
// The caller closes Stdin, now or when the child has taken what waits; Stop then waits
// 100 ms before SIGINT, 250 ms more before SIGTERM and 500 ms more before
// SIGKILL, Spec.Grace added to each, and closes Stdin with the first signal at
// the latest. With WaitForever it sends no signal. Several may call it; all
// wait for the same end.
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
	if err != nil { // EPERM: it runs as another user
		c.log.Error("cannot stop the child's process session", "pid", c.Pid(), "error", err)
	} else {
		c.log.Error("process session outlives SIGKILL", "pid", c.Pid())
	}
	c.setExit(Exit{Code: unknownExit})
}

// waitSessionEnd waits until the leader has exited and no other process of its session
// runs, for at most d. Nothing tells the end of a session, so it looks, often at
// first.
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

// FirstWait returns how long a child has between the closing of its stdin and
// the first signal, for a Spec with that Grace; negative means for ever.
func FirstWait(grace time.Duration) time.Duration {
	if grace == WaitForever {
		return WaitForever
	}
	return stopSequence[0].wait + grace
}
