package bridge

import "github.com/coder/websocket"

// Attachment is a connection of the client of a Resumable.
type Attachment struct {
	peer
	session *Resumable
	reader  *reader
}

// Run carries messages both ways and returns once the connection has ended. The
// summary has the child's exit only if that has ended it.
func (a *Attachment) Run() Summary {
	if a.usesChannels() {
		a.greet()
	}
	a.tasks.Go(a.sendHeld) // ends with the session or the connection; unblocked by journal.detach and Outflow.Fail
	a.carryInput(a.receiveAll)
	r := a.session
	if a.answered || a.wire.done.Load() { // whoever has read the answer
		r.happens(a, isTold)
	}
	r.happens(a, isLost)
	code, signal, _ := r.exit()
	return Summary{End: a.end, ExitCode: code, Signal: signal, In: a.in.total.total(), Out: a.outlet.total.total()}
}

// Shutdown ends the session because the server stops.
func (a *Attachment) Shutdown() { a.finish(endShutdown) }

// Abort closes the connection without another word.
func (a *Attachment) Abort() { a.wire.Abort() }

// sendHeld sends what the journal has, as it comes, and tells the child's exit when
// nothing more comes.
func (a *Attachment) sendHeld() {
	for {
		batch, over := a.reader.read()
		switch {
		case over:
			a.tellExit()
			return
		case len(batch) == 0 || a.sendBatch(batch) != nil:
			return
		}
	}
}

// sendBatch sends messages in one write, and waits while the client is slow.
func (a *Attachment) sendBatch(batch []entry) error {
	err := a.outlet.begin()
	for _, e := range batch {
		if err != nil {
			break
		}
		a.outlet.total.count(e.end, len(e.payload))
		if to := a.outlet.targets[0]; e.begin && e.end {
			err = to.message(e.typ(), e.payload)
		} else {
			err = to.piece(e.typ(), e.payload, e.end)
		}
	}
	a.outlet.end()
	a.outlet.total.touch()
	if err != nil {
		return err
	}
	return a.wire.Out.Wait(min(maxUnsent, a.session.opt.Buffer/8))
}

// tellExit ends the connection because the child has ended, once the client has
// all that it wrote.
func (a *Attachment) tellExit() {
	a.wire.Out.ready()
	code, signal, last := a.session.exit()
	if a.usesChannels() {
		a.farewell(code, signal)
	}
	a.wire.Out.Wait(0)
	a.finish(last)
}

// tellSession tells the session how the connection ends.
func (a *Attachment) tellSession() {
	a.over.Store(true)
	a.stdin.wake() // so that Run need not wait for a child that does not read
	a.session.journal.detach(a.reader)
	_, _, last := a.session.exit()
	switch {
	case a.end.mayResume():
		a.session.happens(a, isLost)
	case a.end == last: // Run sees whether the client gets to know
	default:
		a.session.happens(a, leaves)
	}
}

// mayResume reports whether a client whose connection ends so may come back.
func (e End) mayResume() bool {
	switch e.by {
	case byLoss, bySilence, byViolation: // invalid frames come from proxies that break off
		return true
	case byClient:
		return e.Code != websocket.StatusNormalClosure && e.Code != websocket.StatusNoStatusRcvd
	}
	return false
}
