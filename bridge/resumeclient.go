package bridge

import (
	"github.com/coder/websocket"

	"wspipe/bridge/wire"
)

// resumed is the attachment of the client of a resumable child.
type resumed struct {
	direct
	session *resumable
	reader  *reader
}

// start implements attachment.
func (a *resumed) start() {
	if a.usesChannels() {
		a.greet()
	}
	a.tasks.Go(a.sendHeld) // ends with the session or the connection; unblocked by journal.detach and Queue.Fail
}

// closed implements attachment.
func (a *resumed) closed() {
	if a.answered || a.wire.Done.Load() { // whoever has read the answer
		a.session.happens(a, isTold)
	}
	a.session.happens(a, isLost)
}

// endInput implements attachment.
func (a *resumed) endInput() error { return a.closeStdin() }

// sendHeld sends what the journal has, as it comes, and tells the child's exit when
// nothing more comes.
func (a *resumed) sendHeld() {
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
func (a *resumed) sendBatch(batch []entry) error {
	err := a.outlet.begin()
	for _, e := range batch {
		if err != nil {
			break
		}
		a.outlet.total.count(e.end, len(e.payload))
		if to := a.outlet.targets[0]; e.begin && e.end {
			err = to.Message(e.typ(), e.payload)
		} else {
			err = to.Fragment(e.typ(), e.payload, e.end)
		}
	}
	a.outlet.end()
	a.outlet.total.touch()
	if err != nil {
		return err
	}
	return a.wire.Out.Wait(min(wire.MaxUnsent, a.opt.Buffer/8))
}

// detach implements attachment: it tells the session how the connection ends.
func (a *resumed) detach() {
	a.over.Store(true)
	a.bridge.stdin.Wake() // so that Run need not wait for a child that does not read
	a.session.journal.detach(a.reader)
	last, _ := a.bridge.exit()
	switch {
	case a.end.mayResume():
		a.session.happens(a, isLost)
	case a.end == last.end: // closed sees whether the client gets to know
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
