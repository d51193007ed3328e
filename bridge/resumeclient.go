package bridge

import (
	"github.com/coder/websocket"

	"wspipe/bridge/wire"
)

// resumedClient is the attachment of a client of a resumable child.
type resumedClient struct {
	direct
	session *resumable
	reader  *historyReader
}

// start implements attachment.
func (a *resumedClient) start() {
	a.transport.sendHello()
	a.tasks.Go(a.sendHistory) // ends with the session or the connection; unblocked by history.detach and Queue.Fail
}

// closed implements attachment.
func (a *resumedClient) closed() {
	if a.answered || a.wire.Done.Load() { // the client has received the exit
		a.session.happened(a, acknowledges)
	}
	a.session.happened(a, losesConnection)
}

// endInput implements attachment.
func (a *resumedClient) endInput() error { return a.closeStdin() }

// sendHistory sends the messages of the history, and the child's exit after the last one.
func (a *resumedClient) sendHistory() {
	for {
		batch, over := a.reader.read()
		switch {
		case over:
			a.reportExit()
			return
		case len(batch) == 0 || a.sendBatch(batch) != nil:
			return
		}
	}
}

// sendBatch sends a batch in one write, and waits while the client is slow.
func (a *resumedClient) sendBatch(batch []entry) error {
	err := a.sequencer.begin()
	channelSize := 0 // in each payload
	if a.usesChannels() {
		channelSize = 1
	}
	for _, e := range batch {
		if err != nil {
			break
		}
		a.sequencer.total.count(e.end, len(e.payload)-channelSize)
		if to := a.sequencer.writers[0]; e.begin && e.end {
			err = to.Message(e.typ(), e.payload)
		} else {
			err = to.Fragment(e.typ(), e.payload, e.end)
		}
	}
	a.sequencer.end()
	a.sequencer.total.touch()
	if err != nil {
		return err
	}
	return a.wire.Out.Wait(min(wire.MaxUnsent, a.opt.Buffer/8))
}

// detach implements attachment. It informs the session of the end of the connection.
func (a *resumedClient) detach() {
	a.disconnecting.Store(true)
	a.bridge.stdin.Wake() // so that Run does not wait for a child that does not read
	a.session.history.detach(a.reader)
	last, _ := a.bridge.exit()
	switch {
	case a.end.mayResume():
		a.session.happened(a, losesConnection)
	case a.end == last.end: // closed finds out whether the client has received it
		if !a.transport.acknowledges() {
			a.session.setReported()
		}
	default:
		a.session.happened(a, disconnects)
	}
}

// mayResume reports whether a client whose connection ended with e may attach again.
func (e End) mayResume() bool {
	switch e.by {
	case byLoss, bySilence, byViolation: // a proxy that breaks off may send invalid frames
		return true
	case byClient:
		return e.Code != websocket.StatusNormalClosure && e.Code != websocket.StatusNoStatusRcvd
	}
	return false
}
