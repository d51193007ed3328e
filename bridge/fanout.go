package bridge

import "wspipe/bridge/wire"

// hubFlow is where a hub's messages end up: with its viewers.
type hubFlow struct{ *broadcast }

// Ready implements flow: a pause is a viewer's.
func (h hubFlow) Ready() {}

// Hold implements flow: from here on viewers of a form that is not in use yet
// must wait.
func (h hubFlow) Hold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.casting = true
	h.chooseReplier()
	for f := range h.forms {
		if _, ok := h.presses[f]; !ok {
			h.presses[f] = newPress(f)
		}
	}
	if h.midMessage { // whose frames go on
		return
	}
	h.outlet.targets = h.outlet.targets[:0]
	for f, p := range h.presses {
		switch {
		case h.forms[f] == 0:
			delete(h.presses, f)
		case !f.channels && !f.quiet:
			h.outlet.targets = append(h.outlet.targets, p)
		}
	}
}

// Release implements flow: every viewer gets what was gathered, and newcomers
// what there was so far.
func (h hubFlow) Release() {
	bursts := h.takeBursts()
	h.mu.Lock()
	h.casting = false
	wasMid := h.midMessage
	h.midMessage = h.outlet.sender != nil || h.stdout.owing || h.stderr != nil && h.stderr.owing
	for f, b := range bursts {
		b.Whole = f.channels || !wasMid && !h.midMessage
	}
	for i, r := range h.recorded {
		h.replay.add(r.take())
		h.uncut[i].begun = r.data // which only grows, or is replaced
	}
	if o := h.caster; o != nil {
		u := &h.uncut[0]
		if o == h.stderr {
			u = &h.uncut[1]
		}
		u.tail = append(u.tail[:0], o.buf[o.from:o.to]...)
	}
	h.caster = nil
	clear(h.replays)
	viewers := h.viewers
	var newcomers []*viewer
	if !h.midMessage {
		newcomers, h.waiting = h.waiting, nil
		h.newcomers.Store(0)
		for _, v := range newcomers {
			h.admit(v)
		}
	}
	h.mu.Unlock()
	for _, v := range viewers {
		if b := bursts[v.form]; b != nil {
			v.enforce(v.deliver(b), 0)
		}
	}
	for _, v := range newcomers {
		v.admitted()
	}
}

// takeBursts returns what was gathered, for each form.
func (h hubFlow) takeBursts() map[form]*wire.Batch {
	total := h.outlet.total.total()
	messages, payload := int(total.Messages-h.counted.Messages), int(total.Bytes-h.counted.Bytes)
	h.counted = total
	bursts := map[form]*wire.Batch{}
	for f, p := range h.presses {
		if b := p.take(messages, payload); len(b.Frames) > 0 {
			bursts[f] = b
		}
	}
	return bursts
}

// Wait implements flow: with SlowBlock it waits for the slowest viewer.
func (h hubFlow) Wait(n int) error {
	if h.opt.Slow != SlowBlock {
		return nil
	}
	h.mu.Lock()
	viewers := h.viewers
	h.mu.Unlock()
	for _, v := range viewers {
		v.wire.Out.Ready()
		v.wire.Out.Wait(n) // fails if it goes meanwhile
	}
	return nil
}
