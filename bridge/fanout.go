package bridge

import "wspipe/bridge/wire"

// fanOut is the destination of a broadcast: all its clients.
type fanOut struct{ *broadcast }

// Ready implements destination. It does not wait: the queue of a paused client holds batches.
func (h fanOut) Ready() {}

// Hold implements destination. Until Release, clients with an encoding that is not in use
// cannot attach.
func (h fanOut) Hold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sending = true
	h.chooseReplier()
	for f := range h.encodings {
		if _, ok := h.encoders[f]; !ok {
			h.encoders[f] = newSharedEncoder(f, h.counted.Messages)
		}
	}
	if h.midMessage { // the same encoders continue
		return
	}
	h.sequencer.writers = h.sequencer.writers[:0]
	for f, p := range h.encoders {
		switch {
		case h.encodings[f] == 0:
			delete(h.encoders, f)
		case !f.isStream():
			h.sequencer.writers = append(h.sequencer.writers, p)
		}
	}
}

// Release implements destination. It queues the batch for every client, and attaches the
// clients that waited for the end of a message.
func (h fanOut) Release() {
	bursts := h.takeBatches()
	h.mu.Lock()
	h.sending = false
	wasMid := h.midMessage
	h.midMessage = h.sequencer.sender != nil || h.stdout.interrupted || h.stderr != nil && h.stderr.interrupted
	for f, b := range bursts {
		b.Whole = f.channels || f.body != RawBody && !wasMid && !h.midMessage
		b.Open = h.midMessage
	}
	for i, r := range h.recorders {
		h.replay.add(r.take())
		h.unsplit[i].begun = r.data // only appended to, or replaced
	}
	if o := h.sender; o != nil {
		u := &h.unsplit[0]
		if o == h.stderr {
			u = &h.unsplit[1]
		}
		u.tail = append(u.tail[:0], o.buf[o.from:o.to]...)
	}
	h.sender = nil
	clear(h.replayBatches)
	viewers := h.attached
	var newcomers []*broadcastClient
	if !h.midMessage {
		newcomers, h.waiting = h.waiting, nil
		h.waitingCount.Store(0)
		for _, v := range newcomers {
			h.admit(v)
		}
	}
	h.mu.Unlock()
	for _, v := range viewers {
		if b := bursts[v.encoding]; b != nil {
			v.enforceSlowPolicy(v.deliver(b), 0)
		}
	}
	for _, v := range newcomers {
		v.joined()
	}
}

// takeBatches returns the batch for each encoding.
func (h fanOut) takeBatches() map[encoding]*wire.Batch {
	total := h.sequencer.total.total()
	messages, payload := int(total.Messages-h.counted.Messages), int(total.Bytes-h.counted.Bytes)
	h.counted = total
	bursts := map[encoding]*wire.Batch{}
	for f, p := range h.encoders {
		if b := p.take(messages, payload); len(b.Frames) > 0 {
			bursts[f] = b
		}
	}
	return bursts
}

// Wait implements destination. With SlowBlock it waits for the slowest client.
func (h fanOut) Wait(n int) error {
	if h.opt.Slow != SlowBlock {
		return nil
	}
	h.mu.Lock()
	viewers := h.attached
	h.mu.Unlock()
	for _, v := range viewers {
		v.wire.Out.Ready()
		v.wire.Out.Wait(n) // fails if the client disconnects
	}
	return nil
}
