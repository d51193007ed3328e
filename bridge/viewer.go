package bridge

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/coder/websocket"
)

// Viewer is one of the clients of a Hub.
type Viewer struct {
	peer
	hub  *Hub
	form form
	late bool         // the child had ended already
	size WindowSize   // of its window, zero if it has not told
	lost atomic.Int64 // messages dropped because it was slow
	live int          // bytes of frames that deliver was given
}

// NewViewer makes a client of h, which gets everything from then on, on wire and
// the WebSocket on it. deflate tells whether permessage-deflate was negotiated.
// Run does the work and must be called.
func (h *Hub) NewViewer(ws *websocket.Conn, wire *Wire, deflate bool, opt Options) *Viewer {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	v := &Viewer{hub: h}
	v.init(ws, wire, viewedChild{h.child, v}, h.stdin, opt)
	v.in.whole = true // messages of several clients must not mix
	v.in.mute = h.opt.ReadOnly
	v.shared = true
	v.form = form{deflate: deflate, channels: v.usesChannels()}
	v.ending = func() { h.leave(v) }
	v.inputTaken = func() {}
	if v.usesChannels() {
		v.greet()
	}
	v.late = !h.join(v)
	return v
}

// Run carries messages both ways and returns once the connection has ended. The
// summary has the child's exit only if that has ended it.
func (v *Viewer) Run() Summary {
	stopTimers := v.startTimers()
	if v.late {
		v.tasks.Go(v.tellExit) // ends with the connection, or when the client has all
	}
	v.receiveAll() // unblocked by whatever closes the connection
	if v.end.by == byLoss {
		v.wire.Abort()
	}
	v.tasks.Wait()
	v.ws.CloseNow()
	stopTimers()
	<-v.wire.Closed()
	if lost := v.lost.Load(); lost > 0 {
		v.opt.Log.Warn("messages dropped, the client was too slow", "count", lost)
	}
	sum := Summary{End: v.end, In: v.in.total.total(), Out: v.outlet.total.total()}
	v.hub.mu.Lock()
	defer v.hub.mu.Unlock()
	if v.hub.over {
		sum.ExitCode, sum.Signal = v.hub.code, v.hub.signal
	}
	return sum
}

// Shutdown ends the connection because the server stops.
func (v *Viewer) Shutdown() { v.finish(endShutdown) }

// Abort closes the connection without another word.
func (v *Viewer) Abort() { v.wire.Abort() }

// admitted lets go what join or a hub's Release has gathered for v.
func (v *Viewer) admitted() {
	v.wire.Out.Release()
	if v.hub.opt.Terminal {
		v.hub.child.Signal("WINCH") // which makes most programs draw everything anew
	}
}

// deliverLast gives v what a newcomer gets first. It stays there until Release.
func (v *Viewer) deliverLast(b *burst) {
	v.wire.Out.Hold()
	v.wire.Out.writeBurst(b)
	v.outlet.total.add(b)
}

// deliver gives v what everybody gets, and looks after it if it is slow.
func (v *Viewer) deliver(b *burst) {
	waiting := v.wire.Out.writeBurst(b)
	v.outlet.total.add(b)
	v.outlet.total.touch()
	v.live += len(b.frames)
	behind := v.behind(waiting)
	switch {
	case behind <= maxBehind:
	case v.hub.opt.Slow == SlowDisconnect:
		v.finish(endSlow(behind))
	case v.hub.opt.Slow == SlowDrop:
		v.lost.Add(int64(v.wire.Out.dropBursts(maxBehind + waiting - behind)))
		if behind = v.behind(v.wire.Out.Waiting()); behind > 2*maxBehind { // one message that is longer than that
			v.finish(endSlow(behind))
		}
	}
}

// behind returns how much of what waits is no replay: that came before all that
// was delivered, and may be longer than a viewer may be behind.
func (v *Viewer) behind(waiting int) int {
	return min(waiting, v.live)
}

// tellExit ends v because the child has ended, once the client has all it wrote.
func (v *Viewer) tellExit() {
	h := v.hub
	h.mu.Lock()
	code, signal := h.code, h.signal
	h.mu.Unlock()
	if v.usesChannels() {
		v.farewell(code, signal)
	}
	v.wire.Out.Wait(0)
	v.finish(endExit(code, signal, v.opt.ExitCloseCode))
}

// viewedChild is a shared child as one of its viewers may use it.
type viewedChild struct {
	Child
	viewer *Viewer
}

var errReadOnly = errors.New("viewers may only look (--readonly)")

// Signal implements Child.
func (c viewedChild) Signal(name string) error {
	if c.viewer.hub.opt.ReadOnly {
		return errReadOnly
	}
	return c.Child.Signal(name)
}

// Resize implements Child: the window has room in that of every viewer.
func (c viewedChild) Resize(size WindowSize) error {
	h := c.viewer.hub
	if h.opt.ReadOnly {
		return errReadOnly
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c.viewer.size = size
	return h.fit()
}
