package bridge

import (
	"errors"
	"log/slog"

	"github.com/coder/websocket"
)

// Viewer is one of the clients of a Hub.
type Viewer struct {
	member
	hub  *Hub
	form form
	size WindowSize // of its window, zero if it has not told
}

// NewViewer makes a client of h, which gets everything from then on, on wire and
// the WebSocket on it. Run does the work and must be called.
func (h *Hub) NewViewer(ws *websocket.Conn, wire *Wire, opt Options) *Viewer {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	v := &Viewer{hub: h, member: member{slow: h.opt.Slow, exited: h.exited}}
	v.enroll(ws, wire, viewedChild{h.child, v}, h.stdin, opt, func() { h.leave(v) })
	v.in.mute = opt.NoStdin || h.opt.ReadOnly
	v.form = form{deflate: opt.Deflate, channels: v.usesChannels()}
	if v.usesChannels() {
		v.greet()
	}
	v.late = !h.join(v)
	return v
}

// Resize says how large the client's window is, as its messages may.
func (v *Viewer) Resize(size WindowSize) error { return v.child.Resize(size) }

// Run carries messages both ways and returns once the connection has ended. The
// summary has the child's exit only if that has ended it.
func (v *Viewer) Run() Summary { return v.run(v.receiveAll) }

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
func (v *Viewer) deliver(b *burst) { v.judge(v.get(b), 0) }

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
