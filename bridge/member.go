package bridge

import (
	"sync/atomic"

	"github.com/coder/websocket"
)

// member is one of the clients of a shared child.
type member struct {
	peer
	slow SlowPolicy
	lost atomic.Int64 // messages dropped because it was slow
	live int          // bytes of frames that get was given
	late bool         // the child had ended already
	// exited tells how the child has ended; over is false if it has not.
	exited func() (code int, signal string, over bool)
}

// enroll joins the connection and a child that others have, too. leave is called
// once it is clear how the connection ends.
func (m *member) enroll(ws *websocket.Conn, wire *Wire, child Child, stdin *Outflow, opt Options, leave func()) {
	m.init(ws, wire, child, stdin, opt)
	m.in.whole = true // messages of several clients must not mix
	m.shared = true
	m.ending = func() {
		m.over.Store(true)
		stdin.wake()
		wire.Out.wake()
		leave()
	}
	m.inputTaken = func() {}
}

// run carries messages both ways, those that come in by receive, and returns once
// the connection has ended. The summary has the child's exit only if that has
// ended it.
func (m *member) run(receive func()) Summary {
	if m.late {
		m.tasks.Go(m.tellExit) // ends with the connection, or when the client has all
	}
	m.carryInput(receive)
	if lost := m.lost.Load(); lost > 0 {
		m.opt.Log.Warn("messages dropped, the client was too slow", "count", lost)
	}
	sum := Summary{End: m.end, In: m.in.total.total(), Out: m.outlet.total.total()}
	if code, signal, over := m.exited(); over {
		sum.ExitCode, sum.Signal = code, signal
	}
	return sum
}

// Shutdown ends the connection because the server stops.
func (m *member) Shutdown() { m.finish(endShutdown) }

// Abort closes the connection without another word.
func (m *member) Abort() { m.wire.Abort() }

// get takes what is for the client, and returns how much waits for it now.
func (m *member) get(b *burst) (waiting int) {
	waiting = m.wire.Out.writeBurst(b)
	m.outlet.total.add(b)
	m.outlet.total.touch()
	m.live += len(b.frames)
	return waiting
}

// judge looks after the client if it is slow: if too much waits for it, of which
// fresh bytes are too young to tell.
func (m *member) judge(waiting, fresh int) {
	behind := m.behind(waiting) - fresh
	switch {
	case behind <= maxBehind:
	case m.slow == SlowDisconnect:
		m.finish(endSlow(behind))
	case m.slow == SlowDrop:
		m.lost.Add(int64(m.wire.Out.dropBursts(maxBehind + waiting - behind)))
		if behind = m.behind(m.wire.Out.backlog()) - fresh; behind > 2*maxBehind { // one message that is longer than that
			m.finish(endSlow(behind))
		}
	}
}

// behind returns how much of what waits is no replay: that came before all that
// was delivered, and may be longer than a client may be behind.
func (m *member) behind(waiting int) int {
	return min(waiting, m.live)
}

// tellExit ends the connection because the child has ended, once the client has
// all it wrote.
func (m *member) tellExit() {
	m.wire.Out.ready()
	code, signal, _ := m.exited()
	if m.usesChannels() {
		m.farewell(code, signal)
	}
	m.wire.Out.Wait(0)
	m.finish(endExit(code, signal, m.opt.ExitCloseCode))
}
