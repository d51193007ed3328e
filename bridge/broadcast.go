package bridge

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/vt"
	"wspipe/bridge/wire"
)

// uncut is what viewers with streams apart have of a stream and others have not,
// or not all of its message.
type uncut struct {
	begun []byte // of a message being sent in pieces; only if there is a replay
	tail  []byte // read, and not cut yet
}

// broadcast is a child of many clients, the viewers. Its output is split into
// messages and encoded into frames once; every viewer gets the same bytes.
//
// outlet.mu is held by stdout or stderr while it has something to send, until
// all viewers have it in their queues. mu is held for moments only: nobody writes
// to a socket meanwhile, so that a new client need not wait for that.
type broadcast struct {
	*Bridge
	outlet   outlet
	stdout   *outbound
	stderr   *outbound // for JSON only
	recorded []*recorder
	presses  map[form]*press // what makes frames, of the forms in use
	caster   *outbound       // the sender, if it is one of these two
	counted  Traffic         // what has left
	quiet    *vt.QueryFilter // for the forms without queries; nil if none is in use
	quietBuf []byte          // its output

	newcomers atomic.Int32 // len(waiting)

	// Guarded by mu:
	viewers    []*viewer    // never changed, but replaced
	waiting    []*viewer    // for the end of a message
	forms      map[form]int // how many viewers have each, none of them 0
	replay     replay
	uncut      [2]uncut             // of stdout and stderr, after the last message
	replays    map[form]*wire.Batch // of lastMessages, until there are others
	rechoose   bool                 // chooseReplier may find another viewer
	casting    bool                 // between Hold and Release
	midMessage bool                 // viewers have part of a message
}

func newBroadcast(b *Bridge) *broadcast {
	h := &broadcast{Bridge: b, presses: map[form]*press{}, forms: map[form]int{}, replays: map[form]*wire.Batch{}}
	h.replay = replay{maxMessages: b.opt.Replay, maxBytes: maxReplay}
	if b.opt.Terminal {
		terminal := vt.NewState()
		h.replay = replay{maxMessages: math.MaxInt, maxBytes: maxScreen, terminal: &terminal}
	}
	h.outlet.flow = hubFlow{h}
	h.stdout = h.newStream(channel.Stdout)
	if b.opt.Framing == framing.JSON {
		h.stdout.stream = "stdout"
		h.stderr = h.newStream(channel.Stderr)
		h.stderr.stream = "stderr"
	}
	return h
}

// newStream returns what sends a stream of the child to all viewers.
func (h *broadcast) newStream(number byte) *outbound {
	f := h.opt.Framing
	o := &outbound{outlet: &h.outlet, codec: f.NewCodec(), typ: messageType(f), broken: h.brokenFraming}
	if h.replay.maxMessages > 0 {
		r := &recorder{from: o}
		h.recorded = append(h.recorded, r)
		o.record = r.piece
	}
	o.tap = func(fresh []byte) {
		h.tap(number, fresh)
		h.caster = o
	}
	o.hurry = func() bool { return h.newcomers.Load() > 0 }
	return o
}

// tap sends what the child wrote to viewers that have streams apart.
func (h *broadcast) tap(number byte, fresh []byte) {
	if h.quiet != nil {
		h.quietBuf = h.quiet.Filter(h.quietBuf[:0], fresh)
	}
	for f, p := range h.presses {
		switch {
		case f.quiet:
			p.terminal(h.quietBuf)
		case f.channels:
			p.stream(number, fresh, maxStreamMessage)
		}
	}
}

// carryOutput implements kind.
func (h *broadcast) carryOutput() {
	var sent sync.WaitGroup
	sent.Go(h.castStderr) // ends at the end of stderr; unblocked by Child.Stop
	h.stdout.run(h.child.Stdout())
	sent.Wait()
	h.flushQuiet()
}

// tellExit implements kind. Viewers are told when they have taken what there was,
// which may be never.
func (h *broadcast) tellExit() {
	h.mu.Lock()
	told := slices.Concat(h.viewers, h.waiting)
	h.mu.Unlock()
	for _, v := range told {
		go v.tellExit() // ends with the connection, or when the client has all
	}
}

// clients implements kind.
func (h *broadcast) clients() (all []*Client) {
	for _, v := range slices.Concat(h.viewers, h.waiting) {
		all = append(all, v.Client)
	}
	return all
}

// end implements kind: viewers are told how the child ended.
func (h *broadcast) end(End) { h.Stop() }

// castStderr logs stderr, and sends it to viewers that want it.
func (h *broadcast) castStderr() {
	log := lineLog{log: h.opt.Log, pid: h.child.Pid()}
	defer log.end()
	stderr := logged{h.child.Stderr(), &log}
	if h.stderr != nil {
		h.stderr.run(stderr)
		return
	}
	readEach(stderr, func(p []byte) {
		h.outlet.begin()
		h.tap(channel.Stderr, p)
		h.outlet.end()
		h.outlet.flow.Wait(wire.MaxUnsent)
	})
}

// join makes v a viewer, as soon as no message is half sent. It reports false if
// the child has ended: then v gets the last messages only.
func (h *broadcast) join(v *viewer) bool {
	h.mu.Lock()
	v.form.quiet = h.oneReplies() && len(h.viewers) > 0
	switch {
	case h.exited:
		v.deliverLast(h.lastMessages(v.form))
		h.mu.Unlock()
		v.wire.Out.Release()
		return false
	case h.midMessage && (!v.form.channels || h.opt.Framing.HoldsWhole()), h.casting && h.forms[v.form] == 0:
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
func (h *broadcast) admit(v *viewer) {
	v.form.quiet = h.oneReplies() && len(h.viewers) > 0
	h.rechoose = true
	h.forms[v.form]++
	h.viewers = append(slices.Clip(h.viewers), v)
	if v.size != (WindowSize{}) {
		h.fit()
	}
	v.deliverLast(h.lastMessages(v.form))
}

// lastMessages returns what new clients get first in a form. It is not compressed, which
// would take long: a message need not be (RFC 7692, section 6).
func (h *broadcast) lastMessages(f form) *wire.Batch {
	f.deflate = false
	if b := h.replays[f]; b != nil {
		return b
	}
	p := newPress(f)
	messages, payload := 0, 0
	if h.opt.Terminal {
		p.terminal(h.lastOutput(f.quiet))
	} else {
		messages, payload = h.appendLast(p)
	}
	b := p.take(messages, payload)
	b.Whole = true
	h.replays[f] = b
	return b
}

// appendLast gives p the last messages, and returns how many there are, and of how
// many bytes.
func (h *broadcast) appendLast(p *press) (messages, payload int) {
	for _, m := range h.replay.messages {
		number := channel.Stdout
		switch {
		case !p.form.channels:
			p.Message(m.from.typ, m.payload()) // does not fail
			payload += len(m.data)
			continue
		case m.from == h.stderr:
			number = channel.Stderr
		}
		p.stream(number, m.raw(), maxStreamMessage)
	}
	if p.form.channels {
		for i, u := range h.uncut {
			p.stream(channel.Stdout+byte(i), u.begun, maxStreamMessage)
			p.stream(channel.Stdout+byte(i), u.tail, maxStreamMessage)
		}
	}
	return len(h.replay.messages), payload
}

// leave forgets v.
func (h *broadcast) leave(v *viewer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.viewers, v); i >= 0 {
		h.viewers = slices.Delete(slices.Clone(h.viewers), i, i+1)
		if h.forms[v.form]--; h.forms[v.form] == 0 {
			delete(h.forms, v.form)
		}
		h.rechoose = true
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
func (h *broadcast) fit() error {
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
