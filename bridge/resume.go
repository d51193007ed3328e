package bridge

import (
	"errors"
	"time"

	"wspipe/bridge/wire"
)

// resumable is a child whose client may lose its connection and come back. It has at
// most one client at a time.
type resumable struct {
	*Bridge
	sequencer sequencer
	streams   streams
	history   *history

	// Guarded by mu:
	state  resumeState
	client *resumedClient // who is attached, or was the last
	// reported says that a client that cannot acknowledge it was told how the child ended.
	reported bool
	waiting  time.Time   // detached or kept since
	timer    *time.Timer // calls expire
	runtime  *time.Timer // ends the child after MaxRuntime; nil if that is zero

	over chan struct{} // closed in state ended
}

func newResumable(b *Bridge) *resumable {
	r := &resumable{Bridge: b, history: newHistory(b.opt.Buffer), over: make(chan struct{})}
	r.sequencer = sequencer{destination: r.history, writers: []messageWriter{r.history}}
	r.streams = newStreams(b.child, &r.sequencer, &b.opt, encoding{channels: b.opt.Channels}, b.brokenFraming)
	if b.opt.Terminal {
		r.history.behind = min(r.history.behind, wire.MaxUnsent)
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

// carryOutput implements kind.
func (r *resumable) carryOutput() { r.streams.run(&r.tasks) }

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

// expire ends a session whose client has been away for too long. It may have come,
// and even gone again, while expire waited for mu.
func (r *resumable) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.waits() && time.Since(r.waiting) >= r.opt.Grace {
		r.opt.Log.Info("session expired", "after", r.opt.Grace.String())
		r.enter(resumeStates[r.state][expires])
	}
}

// happened is what a's connection makes happen, unless another has taken its place.
func (r *resumable) happened(a *resumedClient, e resumeEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client == a {
		r.enter(resumeStates[r.state][e])
	}
}

// setReported notes that the client is about to be told how the child ended.
func (r *resumable) setReported() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reported = true
}

// enter does what belongs to a state. mu is held.
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

// Why a client cannot have a session.
var (
	// ErrSessionEnded says that there is no session any more.
	ErrSessionEnded = errors.New("session has ended")
	// ErrHistoryLost says that what the client wants to go on from is not held, or
	// not in the form that its subprotocol needs.
	ErrHistoryLost = errors.New("history lost")
	// ErrReported says that the session has ended, and that the client, which connects
	// with HTTP and cannot acknowledge that, has been told so and has all messages.
	ErrReported = errors.New("session has reported its end")
)

// attach implements kind: it takes the session from the client that has it.
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
	if _, isHTTP := c.transport.(*httpClient); isHTTP && r.reported && r.history.isAll(opt.After) {
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
		before.input.ended.Store(true) // its input would come behind that of a
		before.finish(endTakeover)
	}
	if r.opt.Terminal && before != nil && opt.After < 0 {
		r.child.Signal("WINCH") // what is held need not be all that the screen shows
	}
	return nil
}
