package bridge

import "wspipe/bridge/wire"

// fanOut is the destination of a broadcast: all its clients.
type fanOut struct{ *broadcast }

// Ready implements destination. It does not wait: the queue of a paused client holds batches.
func (b fanOut) Ready() {}

// Hold implements destination. Until Release, clients with an encoding that is not in use
// cannot attach.
func (b fanOut) Hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sending = true
	b.chooseReplier()
	for e := range b.encodings {
		if _, ok := b.encoders[e]; !ok {
			b.encoders[e] = newSharedEncoder(e, b.counted.Messages)
		}
	}
	if b.midMessage { // the same encoders continue
		return
	}
	b.sequencer.writers = b.sequencer.writers[:0]
	for e, encoder := range b.encoders {
		switch {
		case b.encodings[e] == 0:
			delete(b.encoders, e)
		case !e.isStream():
			b.sequencer.writers = append(b.sequencer.writers, encoder)
		}
	}
}

// Release implements destination. It queues the batch for every client, and attaches the
// clients that waited for the end of a message.
func (b fanOut) Release() {
	batches := b.takeBatches()
	b.mu.Lock()
	b.sending = false
	b.midMessage = b.sequencer.sender != nil || b.stdout.interrupted || b.stderr != nil && b.stderr.interrupted
	for e, batch := range batches {
		batch.Part = e.part(b.encoders[e].begun, b.midMessage)
		b.encoders[e].begun = b.midMessage
		batch.Open = b.midMessage
	}
	for i, r := range b.recorders {
		b.replay.add(r.take())
		b.unsplit[i].begun = r.data // only appended to, or replaced
	}
	if o := b.sender; o != nil {
		u := &b.unsplit[0]
		if o == b.stderr {
			u = &b.unsplit[1]
		}
		u.tail = append(u.tail[:0], o.buf[o.from:o.to]...)
	}
	b.sender = nil
	clear(b.replayBatches)
	attached := b.attached
	var joining []*broadcastClient
	if !b.midMessage {
		joining, b.waiting = b.waiting, nil
		b.waitingCount.Store(0)
		for _, c := range joining {
			b.admit(c)
		}
	}
	b.mu.Unlock()
	for _, c := range attached {
		if batch := batches[c.encoding]; batch != nil {
			c.enforceSlowPolicy(c.deliver(batch), 0)
		}
	}
	for _, c := range joining {
		c.joined()
	}
}

// part returns which part a batch is that begins within a message, if after is set, and ends within
// one, if before is set.
func (e encoding) part(after, before bool) wire.Part {
	switch {
	case e.body == RawBody: // it may end anywhere
		return wire.Middle
	case e.isStream():
		return wire.Whole
	case after && before:
		return wire.Middle
	case after:
		return wire.Last
	case before:
		return wire.First
	}
	return wire.Whole
}

// takeBatches returns the batch for each encoding.
func (b fanOut) takeBatches() map[encoding]*wire.Batch {
	total := b.sequencer.total.total()
	messages, payload := int(total.Messages-b.counted.Messages), int(total.Bytes-b.counted.Bytes)
	b.counted = total
	batches := map[encoding]*wire.Batch{}
	for e, encoder := range b.encoders {
		if batch := encoder.take(messages, payload); len(batch.Frames) > 0 {
			batches[e] = batch
		}
	}
	return batches
}

// Wait implements destination. With SlowBlock it waits for the slowest client.
func (b fanOut) Wait(n int) error {
	if b.opt.Slow != SlowBlock {
		return nil
	}
	b.mu.Lock()
	attached := b.attached
	b.mu.Unlock()
	for _, c := range attached {
		c.wire.Out.Ready()
		c.wire.Out.Wait(n) // fails if the client disconnects
	}
	return nil
}
