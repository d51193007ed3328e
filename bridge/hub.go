package bridge

import (
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// SlowPolicy is what becomes of a viewer that is more than maxBehind bytes
// behind. The zero value is SlowDisconnect.
type SlowPolicy int

// The policies of --slow.
const (
	SlowDisconnect SlowPolicy = iota // it is disconnected
	SlowDrop                         // it loses messages, oldest first
	SlowBlock                        // everybody waits for it
)

// maxBehind is how many bytes may wait for a viewer.
const maxBehind = 1 << 20

// HubOptions are what a shared child is told by flags.
type HubOptions struct {
	// Options are those of the child: Framing, Terminal, MaxMessage, InputPatience,
	// ExitCloseCode and Log.
	Options
	// Replay is how many of the last messages a newcomer gets first.
	Replay int
	// Slow is what becomes of slow viewers.
	Slow SlowPolicy
	// ReadOnly drops what viewers send.
	ReadOnly bool
}

// uncut is what viewers with streams apart have of a stream and others have not,
// or not all of its message.
type uncut struct {
	begun []byte // of a message being sent in pieces; only if there is a replay
	tail  []byte // read, and not cut yet
}

// Hub is one child for many viewers. Its output is cut into messages and made
// into frames once; every viewer gets the same bytes.
//
// outlet.mu is held by whoever of stdout and stderr has something to send, until
// all viewers have it in their queues. mu is held for moments only: nobody writes
// to a socket meanwhile, so that a newcomer need not wait for that.
type Hub struct {
	child    Child
	opt      HubOptions
	stdin    *Outflow
	outlet   outlet
	stdout   *outbound
	stderr   *outbound // for JSON only
	recorded []*recorder
	presses  map[form]*press // what makes frames, of the forms in use
	caster   *outbound       // who sends, if it is one of these two
	counted  Traffic         // what has left

	newcomers atomic.Int32 // len(waiting)

	mu         sync.Mutex
	viewers    []*Viewer    // never changed, but replaced
	waiting    []*Viewer    // for the end of a message
	forms      map[form]int // how many viewers have each, none of them 0
	replay     replay
	uncut      [2]uncut        // of stdout and stderr, after the last message
	replays    map[bool]*burst // of lastMessages, until there are others
	casting    bool            // between Hold and Release
	midMessage bool            // viewers have part of a message
	over       bool            // the child has ended
	code       int
	signal     string

	tasks    sync.WaitGroup
	stopOnce sync.Once
}

// NewHub takes a child that was just started. Run does the work and must be
// called.
func NewHub(child Child, opt HubOptions) *Hub {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	h := &Hub{child: child, opt: opt, stdin: newOutflow(child.Stdin()),
		presses: map[form]*press{}, forms: map[form]int{}, replays: map[bool]*burst{}}
	h.replay = replay{maxMessages: opt.Replay, maxBytes: maxReplay}
	if opt.Terminal {
		h.replay = replay{maxMessages: math.MaxInt, maxBytes: maxScreen, merges: true}
	}
	h.outlet.flow = hubFlow{h}
	h.stdout = h.newStream(ChannelStdout)
	if opt.Framing == JSON {
		h.stdout.stream = "stdout"
		h.stderr = h.newStream(ChannelStderr)
		h.stderr.stream = "stderr"
	}
	return h
}

// newStream returns what sends a stream of the child to all viewers.
func (h *Hub) newStream(channel byte) *outbound {
	f := framings[h.opt.Framing]
	o := &outbound{outlet: &h.outlet, codec: f.codec(), typ: f.typ, broken: h.brokenFraming}
	if h.replay.maxMessages > 0 {
		r := &recorder{from: o}
		h.recorded = append(h.recorded, r)
		o.record = r.piece
	}
	o.tap = func(fresh []byte) {
		h.tap(channel, fresh)
		h.caster = o
	}
	o.hurry = func() bool { return h.newcomers.Load() > 0 }
	return o
}

// tap sends what the child wrote to viewers that have streams apart.
func (h *Hub) tap(channel byte, fresh []byte) {
	for f, p := range h.presses {
		if f.channels {
			p.stream(channel, fresh, maxStreamMessage)
		}
	}
}

// Run returns once the child and its group have ended. Viewers are told of it when
// they have taken what there was, which may be never.
func (h *Hub) Run() (code int, signal string) {
	var sent sync.WaitGroup
	sent.Go(h.castStderr) // ends at the end of stderr; unblocked by Child.Stop
	h.stdout.run(h.child.Stdout())
	sent.Wait()
	code, signal = h.child.Exit()
	h.Stop() // whoever of the group is left
	h.mu.Lock()
	h.over, h.code, h.signal = true, code, signal
	told := slices.Concat(h.viewers, h.waiting)
	h.mu.Unlock()
	for _, v := range told {
		go v.tellExit() // ends with the connection, or when the client has all
	}
	h.tasks.Wait()
	return code, signal
}

// castStderr logs stderr, and sends it to viewers that want it.
func (h *Hub) castStderr() {
	log := lineLog{log: h.opt.Log, pid: h.child.Pid()}
	defer log.end()
	stderr := logged{h.child.Stderr(), &log}
	if h.stderr != nil {
		h.stderr.run(stderr)
		return
	}
	readEach(stderr, func(p []byte) {
		h.outlet.begin()
		h.tap(ChannelStderr, p)
		h.outlet.end()
		h.outlet.flow.Wait(maxUnsent)
	})
}

// Stop stops the child; viewers are told how it ended. It does not wait.
func (h *Hub) Stop() { h.stop() }

// stop is Stop, and reports whether it is the first.
func (h *Hub) stop() (first bool) {
	h.stopOnce.Do(func() {
		first = true
		stopChild(&h.tasks, h.child, h.stdin, h.opt.InputPatience)
	})
	return first
}

// brokenFraming ends all because the child does not keep to its framing.
func (h *Hub) brokenFraming(cause error, position int64) {
	if !h.stop() { // it may have been stopped within a record
		return
	}
	logBroken(h.opt.Options, h.child.Pid(), cause, position)
	h.mu.Lock()
	told := slices.Concat(h.viewers, h.waiting)
	h.mu.Unlock()
	for _, v := range told {
		v.finish(endBadFraming(h.opt.Framing, cause))
	}
}

// exited tells how the child has ended; over is false if it has not.
func (h *Hub) exited() (code int, signal string, over bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.code, h.signal, h.over
}

// join makes v a viewer, as soon as no message is half sent. It reports false if
// the child has ended: then v gets the last messages only.
func (h *Hub) join(v *Viewer) bool {
	h.mu.Lock()
	switch {
	case h.over:
		v.deliverLast(h.lastMessages(v.form.channels))
		h.mu.Unlock()
		v.wire.Out.Release()
		return false
	case h.midMessage && (!v.form.channels || framings[h.opt.Framing].whole), h.casting && h.forms[v.form] == 0:
		h.waiting = append(h.waiting, v)
		h.newcomers.Add(1)
		h.mu.Unlock()
		return true
	}
	h.admit(v)
	h.mu.Unlock()
	v.admitted()
	return true
}

// admit makes v a viewer, which gets the last messages first.
func (h *Hub) admit(v *Viewer) {
	h.forms[v.form]++
	h.viewers = append(slices.Clip(h.viewers), v)
	if v.size != (WindowSize{}) {
		h.fit()
	}
	v.deliverLast(h.lastMessages(v.form.channels))
}

// lastMessages returns what newcomers get first, with streams apart or not. It is
// not compressed, which would take long: a message need not be (RFC 7692, section 6).
func (h *Hub) lastMessages(channels bool) *burst {
	if b := h.replays[channels]; b != nil {
		return b
	}
	p := newPress(form{channels: channels})
	payload := 0
	for _, m := range h.replay.messages {
		channel := ChannelStdout
		switch {
		case !channels:
			p.message(m.from.typ, m.payload()) // does not fail
			payload += len(m.data)
			continue
		case m.from == h.stderr:
			channel = ChannelStderr
		}
		p.stream(channel, m.raw(), maxStreamMessage)
	}
	if channels {
		for i, u := range h.uncut {
			p.stream(ChannelStdout+byte(i), u.begun, maxStreamMessage)
			p.stream(ChannelStdout+byte(i), u.tail, maxStreamMessage)
		}
	}
	b := p.take(len(h.replay.messages), payload)
	b.whole = true
	h.replays[channels] = b
	return b
}

// leave forgets v.
func (h *Hub) leave(v *Viewer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.viewers, v); i >= 0 {
		h.viewers = slices.Delete(slices.Clone(h.viewers), i, i+1)
		if h.forms[v.form]--; h.forms[v.form] == 0 {
			delete(h.forms, v.form)
		}
		if v.size != (WindowSize{}) {
			h.fit()
		}
	}
	if i := slices.Index(h.waiting, v); i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
		h.newcomers.Add(-1)
	}
}

// fit makes the child's terminal fit into the window of every viewer.
func (h *Hub) fit() error {
	var size WindowSize
	for _, v := range h.viewers {
		switch {
		case v.size == WindowSize{}:
		case size == WindowSize{}:
			size = v.size
		default:
			size = WindowSize{Rows: min(size.Rows, v.size.Rows), Cols: min(size.Cols, v.size.Cols)}
		}
	}
	if size == (WindowSize{}) {
		return nil
	}
	return h.child.Resize(size)
}
