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
	recorders []*recorder
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

func newBroadcast(b *Bridge) *broadcast {
	h := &broadcast{Bridge: b, encoders: map[encoding]*sharedEncoder{}, encodings: map[encoding]int{}, replayBatches: map[encoding]*wire.Batch{}}
	h.replay = replay{maxMessages: b.opt.Replay, maxBytes: maxReplay}
	if b.opt.Terminal {
		terminal := vt.NewState()
		h.replay = replay{maxMessages: math.MaxInt, maxBytes: maxScreen, terminal: &terminal}
	}
	h.sequencer.destination = fanOut{h}
	h.stdout = h.newStream(channel.Stdout)
	if b.opt.Framing == framing.JSON {
		h.stdout.stream = "stdout"
		h.stderr = h.newStream(channel.Stderr)
		h.stderr.stream = "stderr"
	}
	return h
}

// newStream returns the output that sends a stream of the child to all clients.
func (h *broadcast) newStream(number byte) *output {
	f := h.opt.Framing
	o := &output{sequencer: &h.sequencer, codec: f.NewCodec(), typ: messageType(f), broken: h.brokenFraming}
	if h.replay.maxMessages > 0 {
		r := &recorder{from: o}
		h.recorders = append(h.recorders, r)
		o.onPiece = r.piece
	}
	o.onRead = func(fresh []byte) {
		h.sendRaw(number, fresh)
		h.sender = o
	}
	o.flushNow = func() bool { return h.waitingCount.Load() > 0 }
	return o
}

// sendRaw sends what the child wrote to clients with streams.
func (h *broadcast) sendRaw(number byte, fresh []byte) {
	if h.quiet != nil {
		h.quietBuf = h.quiet.Filter(h.quietBuf[:0], fresh)
	}
	for f, p := range h.encoders {
		switch {
		case f.quiet:
			p.terminal(h.quietBuf)
		case f.isStream():
			p.stream(number, fresh, maxStreamMessage)
		}
	}
}

// carryOutput implements kind.
func (h *broadcast) carryOutput() {
	var sent sync.WaitGroup
	sent.Go(h.carryStderr) // ends with stderr; unblocked by Child.Stop
	h.stdout.run(h.child.Stdout())
	sent.Wait()
	h.flushQuiet()
}

// reportExit implements kind. A client gets the exit after the rest of the output, which it
// may never read.
func (h *broadcast) reportExit() {
	h.mu.Lock()
	told := slices.Concat(h.attached, h.waiting)
	h.mu.Unlock()
	for _, v := range told {
		go v.reportExit() // ends with the connection, or when the client has everything
	}
}

// clients implements kind.
func (h *broadcast) clients() (all []*Client) {
	for _, v := range slices.Concat(h.attached, h.waiting) {
		all = append(all, v.Client)
	}
	return all
}

// end implements kind.
func (h *broadcast) end(e End) {
	h.finishAll(e)
	h.Stop()
}

// carryStderr logs stderr and sends it to clients with streams.
func (h *broadcast) carryStderr() {
	log := lineLogger{log: h.opt.Log, pid: h.child.Pid()}
	defer log.end()
	stderr := loggedReader{h.child.Stderr(), &log}
	if h.stderr != nil {
		h.stderr.run(stderr)
		return
	}
	readEach(stderr, func(p []byte) {
		h.sequencer.begin()
		h.sendRaw(channel.Stderr, p)
		h.sequencer.end()
		h.sequencer.destination.Wait(wire.MaxUnsent)
	})
}

// join attaches v, at once or at the end of a message. It returns false if the child has
// exited: then v gets only the replay.
func (h *broadcast) join(v *broadcastClient) bool {
	h.mu.Lock()
	v.encoding.quiet = h.oneClientReplies() && len(h.attached) > 0
	switch {
	case h.exited:
		v.deliverReplay(h.replayBatch(v.encoding))
		h.mu.Unlock()
		v.wire.Out.Release()
		return false
	case h.midMessage && (!v.encoding.channels || h.opt.Framing.HoldsWhole()), h.sending && h.encodings[v.encoding] == 0:
		h.waiting = append(h.waiting, v)
		h.waitingCount.Add(1)
		h.mu.Unlock()
		return true
	}
	h.admit(v)
	h.mu.Unlock()
	v.joined()
	return true
}

// admit attaches v, which gets the replay first.
func (h *broadcast) admit(v *broadcastClient) {
	v.encoding.quiet = h.oneClientReplies() && len(h.attached) > 0
	h.rechoose = true
	h.encodings[v.encoding]++
	h.attached = append(slices.Clip(h.attached), v)
	if v.size != (WindowSize{}) {
		h.resizeToFit()
	}
	v.deliverReplay(h.replayBatch(v.encoding))
}

// replayBatch returns the replay for new clients with the encoding f. It is not compressed, to
// save time: no message has to be (RFC 7692, section 6).
func (h *broadcast) replayBatch(f encoding) *wire.Batch {
	f.deflate = false
	if b := h.replayBatches[f]; b != nil {
		return b
	}
	p := newSharedEncoder(f, 0)
	messages, payload := 0, 0
	if h.opt.Terminal {
		p.terminal(h.terminalReplay(f.quiet))
	} else {
		messages, payload = h.appendReplay(p)
	}
	b := p.take(messages, payload)
	b.Whole = true
	h.replayBatches[f] = b
	return b
}

// appendReplay adds the replay to p, and returns the number of messages and the size of their
// payload.
func (h *broadcast) appendReplay(p *sharedEncoder) (messages, payload int) {
	for _, m := range h.replay.messages {
		number := channel.Stdout
		switch {
		case !p.encoding.isStream():
			p.countFrom(m.number - 1)
			p.Message(m.from.typ, m.encode()) // does not fail
			payload += len(m.data)
			continue
		case m.from == h.stderr:
			number = channel.Stderr
		}
		p.stream(number, m.raw(), maxStreamMessage)
	}
	if p.encoding.isStream() {
		for i, u := range h.unsplit {
			p.stream(channel.Stdout+byte(i), u.begun, maxStreamMessage)
			p.stream(channel.Stdout+byte(i), u.tail, maxStreamMessage)
		}
	}
	return len(h.replay.messages), payload
}

// leave detaches v.
func (h *broadcast) leave(v *broadcastClient) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.attached, v); i >= 0 {
		h.attached = slices.Delete(slices.Clone(h.attached), i, i+1)
		if h.encodings[v.encoding]--; h.encodings[v.encoding] == 0 {
			delete(h.encodings, v.encoding)
		}
		h.rechoose = true
		if v.size != (WindowSize{}) {
			h.resizeToFit()
		}
	}
	if i := slices.Index(h.waiting, v); i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
		h.waitingCount.Add(-1)
	}
}

// resizeToFit makes the child's terminal fit the windows of all clients.
func (h *broadcast) resizeToFit() error {
	var size WindowSize
	for _, v := range h.attached {
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
