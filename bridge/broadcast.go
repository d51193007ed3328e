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

// unsplit is the output of one stream that clients with streams have, and clients with
// messages have not, or not as a complete message.
type unsplit struct {
	begun []byte // of a message that is sent in fragments; only if there is a replay
	tail  []byte // read and not split yet
}

// broadcast is a child with many clients. Its output is split into messages and encoded once;
// clients with the same encoding get the same bytes.
//
// sequencer.mu is held by stdout or stderr from the beginning of a batch until it is in the
// queues of all clients. mu is held for short times, never during a write to a socket, so
// that a new client does not wait for that.
type broadcast struct {
	*Bridge
	sequencer sequencer
	stdout    *output
	stderr    *output // for JSON only
	recorders []*replayCollector
	encoders  map[encoding]*sharedEncoder // of the encodings in use
	sender    *output                     // stdout or stderr while it sends, or nil
	counted   Traffic                     // sent so far
	quiet     *vt.QueryFilter             // for encodings without queries; nil if none is in use
	quietBuf  []byte                      // output of quiet

	waitingCount atomic.Int32 // len(waiting)

	// Guarded by mu:
	attached      []*broadcastClient // replaced, never changed
	waiting       []*broadcastClient // clients that wait for the end of a message
	encodings     map[encoding]int   // number of clients with each encoding, not zero
	replay        replay
	unsplit       [2]unsplit               // of stdout and stderr, after the last message
	replayBatches map[encoding]*wire.Batch // results of replayBatch since the last batch
	rechoose      bool                     // chooseReplier may find another client
	sending       bool                     // between Hold and Release
	midMessage    bool                     // clients have an incomplete message
}

func newBroadcast(on *Bridge) *broadcast {
	b := &broadcast{Bridge: on, encoders: map[encoding]*sharedEncoder{}, encodings: map[encoding]int{}, replayBatches: map[encoding]*wire.Batch{}}
	b.replay = replay{maxMessages: b.opt.Replay, maxBytes: maxReplay}
	if b.opt.Terminal {
		terminal := vt.NewState()
		b.replay = replay{maxMessages: math.MaxInt, maxBytes: maxScreen, terminal: &terminal}
	}
	b.sequencer.destination = fanOut{b}
	b.stdout = b.newStream(channel.Stdout)
	if b.opt.Framing == framing.JSON {
		b.stdout.stream = "stdout"
		b.stderr = b.newStream(channel.Stderr)
		b.stderr.stream = "stderr"
	}
	return b
}

// newStream returns the output that sends a stream of the child to all clients.
func (b *broadcast) newStream(number byte) *output {
	f := b.opt.Framing
	o := &output{sequencer: &b.sequencer, codec: f.NewCodec(), typ: messageType(f), broken: b.brokenFraming, droppable: b.opt.Slow == SlowDrop}
	if b.replay.maxMessages > 0 {
		r := &replayCollector{from: o}
		b.recorders = append(b.recorders, r)
		o.onFragment = r.add
	}
	o.onRead = func(fresh []byte) {
		b.sendRaw(number, fresh)
		b.sender = o
	}
	o.flushNow = func() bool { return b.waitingCount.Load() > 0 }
	return o
}

// sendRaw sends what the child wrote to clients with streams.
func (b *broadcast) sendRaw(number byte, fresh []byte) {
	if b.quiet != nil {
		b.quietBuf = b.quiet.Filter(b.quietBuf[:0], fresh)
	}
	for e, encoder := range b.encoders {
		switch {
		case e.quiet:
			encoder.terminal(b.quietBuf)
		case e.isStream():
			encoder.stream(number, fresh, maxStreamMessage)
		}
	}
}

// awaitOutput implements kind.
func (*broadcast) awaitOutput(f func()) { go f() }

// carryOutput implements kind.
func (b *broadcast) carryOutput() {
	var sent sync.WaitGroup
	sent.Go(b.carryStderr) // ends with stderr; unblocked by Child.Stop
	b.stdout.run(b.child.Stdout())
	sent.Wait()
	b.flushQuiet()
}

// reportExit implements kind. A client gets the exit after the rest of the output, which it
// may never read.
func (b *broadcast) reportExit() {
	b.mu.Lock()
	clients := slices.Concat(b.attached, b.waiting)
	b.mu.Unlock()
	for _, c := range clients {
		go c.reportExit() // ends with the connection, or when the client has everything
	}
}

// clients implements kind.
func (b *broadcast) clients() (all []*Client) {
	for _, c := range slices.Concat(b.attached, b.waiting) {
		all = append(all, c.Client)
	}
	return all
}

// end implements kind.
func (b *broadcast) end(e End) {
	b.finishAll(e)
	b.Stop()
}

// carryStderr logs stderr and sends it to clients with streams.
func (b *broadcast) carryStderr() {
	log := lineLogger{log: b.opt.Log, pid: b.child.Pid()}
	defer log.end()
	stderr := loggedReader{b.child.Stderr(), &log}
	if b.stderr != nil {
		b.stderr.run(stderr)
		return
	}
	readEach(stderr, func(p []byte) {
		b.sequencer.begin()
		b.sendRaw(channel.Stderr, p)
		b.sequencer.end()
		b.sequencer.destination.Wait(wire.MaxUnsent)
	})
}

// join attaches c, at once or at the end of a message. It returns false if the child has
// exited: then c gets only the replay.
func (b *broadcast) join(c *broadcastClient) bool {
	b.mu.Lock()
	c.encoding.quiet = b.oneClientReplies() && len(b.attached) > 0
	switch {
	case b.exited:
		c.deliverReplay(b.replayBatch(c.encoding))
		b.mu.Unlock()
		c.wire.Out.Release()
		return false
	case b.midMessage && (!c.encoding.channels || b.opt.Framing.HoldsWhole()), b.sending && b.encodings[c.encoding] == 0:
		b.waiting = append(b.waiting, c)
		b.waitingCount.Add(1)
		b.mu.Unlock()
		return true
	}
	b.admit(c)
	b.mu.Unlock()
	c.joined()
	return true
}

// admit attaches c, which gets the replay first.
func (b *broadcast) admit(c *broadcastClient) {
	c.encoding.quiet = b.oneClientReplies() && len(b.attached) > 0
	b.rechoose = true
	b.encodings[c.encoding]++
	b.attached = append(slices.Clip(b.attached), c)
	if c.size != (WindowSize{}) {
		b.resizeToFit()
	}
	c.deliverReplay(b.replayBatch(c.encoding))
}

// replayBatch returns the replay for new clients with the encoding e. It is not compressed,
// which would take long: no message has to be (RFC 7692, section 6).
func (b *broadcast) replayBatch(e encoding) *wire.Batch {
	e.deflate = false
	if batch := b.replayBatches[e]; batch != nil {
		return batch
	}
	encoder := newSharedEncoder(e, 0)
	messages, payload := 0, 0
	if b.opt.Terminal {
		encoder.terminal(b.terminalReplay(e.quiet))
	} else {
		messages, payload = b.appendReplay(encoder)
	}
	batch := encoder.take(messages, payload)
	b.replayBatches[e] = batch
	return batch
}

// appendReplay adds the replay to encoder. It returns the number of messages and the size of
// their payload.
func (b *broadcast) appendReplay(encoder *sharedEncoder) (messages, payload int) {
	for _, m := range b.replay.messages {
		number := channel.Stdout
		switch {
		case !encoder.encoding.isStream():
			encoder.countFrom(m.number - 1)
			encoder.Message(m.from.typ, m.encode()) // does not fail
			payload += len(m.data)
			continue
		case m.from == b.stderr:
			number = channel.Stderr
		}
		encoder.stream(number, m.raw(), maxStreamMessage)
	}
	if encoder.encoding.isStream() {
		for i, u := range b.unsplit {
			encoder.stream(channel.Stdout+byte(i), u.begun, maxStreamMessage)
			encoder.stream(channel.Stdout+byte(i), u.tail, maxStreamMessage)
		}
	}
	return len(b.replay.messages), payload
}

// remove detaches c.
func (b *broadcast) remove(c *broadcastClient) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.attached, c); i >= 0 {
		b.attached = slices.Delete(slices.Clone(b.attached), i, i+1)
		if b.encodings[c.encoding]--; b.encodings[c.encoding] == 0 {
			delete(b.encodings, c.encoding)
		}
		b.rechoose = true
		if c.size != (WindowSize{}) {
			b.resizeToFit()
		}
	}
	if i := slices.Index(b.waiting, c); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.waitingCount.Add(-1)
	}
}
