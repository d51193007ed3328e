package bridge

import (
	"errors"
	"time"

	"wspipe/bridge/wire"
)

// resumable is a child whose client may lose its connection and attach again. It has at most
// one client at a time.
type resumable struct {
	*Bridge
	sequencer sequencer
	streams   streams
	history   *history

	// Guarded by mu:
	state  resumeState
	client *resumedClient // attached, or the last one that was
	// reported means that a client that cannot acknowledge the exit was sent it.
	reported bool
	waiting  time.Time   // time of the last transition to detached or kept
	timer    *time.Timer // calls expire
	runtime  *time.Timer // ends the child after MaxRuntime; nil if that is zero

	over chan struct{} // closed in state ended
}

func newResumable(b *Bridge) *resumable {
	r := &resumable{Bridge: b, history: newHistory(b.opt.Buffer), over: make(chan struct{})}
	r.sequencer = sequencer{destination: r.history, writers: []messageWriter{r.history}}
	r.streams = newStreams(b.child, &r.sequencer, &b.opt, encoding{channels: b.opt.Channels}, b.brokenFraming)
	r.streams.start(&r.tasks)
	if b.opt.Terminal {
		r.history.maxBehind = min(r.history.maxBehind, wire.MaxUnsent)
		r.history.terminal = newTerminalHistory(b.opt.Channels)
	}
	for _, o := range []*output{r.streams.stdout, r.streams.stderr} {
		if o != nil {
			o.flushNow = r.history.full
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(b.opt.Grace, r.expire)
	if d := b.opt.MaxRuntime; d > 0 {
		r.runtime = time.AfterFunc(d, func() { r.end(endRuntime) })
	}
	r.enter(detached)
	return r
}

// awaitOutput implements kind.
func (r *resumable) awaitOutput(f func()) { r.streams.await(f) }

// carryOutput implements kind.
func (r *resumable) carryOutput() { r.streams.run() }

// reportExit implements kind.
func (r *resumable) reportExit() {
	r.mu.Lock()
	if r.state != ended {
		r.kept = time.Now()
	}
	r.enter(resumeStates[r.state][exits])
	r.mu.Unlock()
	r.history.finish()
	<-r.over
}

// clients implements kind.
func (r *resumable) clients() []*Client {
	if r.client == nil {
		return nil
	}
	return []*Client{r.client.Client}
}

// end implements kind.
func (r *resumable) end(e End) {
	r.mu.Lock()
	client := r.client
	r.enter(resumeStates[r.state][ends])
	r.mu.Unlock()
	if client != nil {
		client.finish(e)
	}
}

// backlog implements kind.
func (r *resumable) backlog() int { return r.history.unsent() }

// expire ends the session after the grace period. A client may have attached, and even
// detached again, while expire waited for mu.
func (r *resumable) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.waits() && time.Since(r.waiting) >= r.opt.Grace {
		r.opt.Log.Info("session expired", "after", r.opt.Grace.String())
		r.enter(resumeStates[r.state][expires])
	}
}

// happened applies an event of a's connection, unless another client has replaced a.
func (r *resumable) happened(a *resumedClient, e resumeEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client == a {
		r.enter(resumeStates[r.state][e])
	}
}

// setReported records that the client is about to get the exit.
func (r *resumable) setReported() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reported = true
}

// enter changes the state to s, unless s is unchanged. mu is held.
func (r *resumable) enter(s resumeState) {
	if s == unchanged {
		return
	}
	r.state = s
	switch {
	case s.waits():
		r.waiting = time.Now()
		r.timer.Reset(r.opt.Grace)
	case s == ended:
		r.timer.Stop()
		if r.runtime != nil {
			r.runtime.Stop()
		}
		r.kept = time.Time{}
		r.history.fail()
		r.Stop()
		close(r.over)
		if r.opt.Ended != nil {
			r.opt.Ended()
		}
	default:
		r.timer.Stop()
	}
}

// The errors of Bridge.Attach for a Resumable child.
var (
	// ErrSessionEnded means that the session has ended.
	ErrSessionEnded = errors.New("session has ended")
	// ErrHistoryLost means that the messages after those that the client has counted are
	// not held, or not in the encoding that its subprotocol needs.
	ErrHistoryLost = errors.New("history lost")
	// ErrReported means that the session has ended, and that the client, which connects by
	// HTTP and cannot acknowledge that, has been sent the exit and all messages.
	ErrReported = errors.New("session has reported its end")
)

// attach implements kind. It disconnects the client that was attached.
func (r *resumable) attach(c *Client, opt ClientOptions) error {
	a := &resumedClient{direct: direct{c}, session: r}
	a.input.holdWhole = true // another connection's input may follow
	if a.usesChannels() != r.opt.Channels {
		return ErrHistoryLost
	}
	c.wire.BoundSendBuffer(r.opt.Buffer / wire.SendBufferPart)
	c.attachment = a // the session may end it at once
	r.mu.Lock()
	if r.state == ended {
		r.mu.Unlock()
		return ErrSessionEnded
	}
	if r.reported && !c.transport.acknowledges() && r.history.isAll(opt.After) {
		r.mu.Unlock()
		return ErrReported
	}
	var err error
	if a.reader, err = r.history.attach(c.wire, opt.After); err != nil {
		r.mu.Unlock()
		return err
	}
	before := r.client
	r.client = a
	r.enter(resumeStates[r.state][attaches])
	r.mu.Unlock()
	if opt.NoStdin && before == nil {
		c.closeStdin()
	}
	if before != nil {
		before.input.ended.Store(true) // or its input would follow that of a
		before.finish(endTakeover)
	}
	if r.opt.Terminal && before != nil && opt.After < 0 {
		r.child.Signal("WINCH") // the history need not contain all that the screen shows
	}
	return nil
}
