package bridge

import (
	"errors"

	"wspipe/bridge/wire"
)

// viewer is the attachment of a client of a broadcast child.
type viewer struct {
	sharedClient
	hub  *broadcast
	form form
	size WindowSize // of its window, zero if it has not told
}

// attach implements kind. The client gets everything from then on.
func (h *broadcast) attach(c *Client, _ ClientOptions) error {
	v := &viewer{sharedClient: sharedClient{direct: direct{c}}, hub: h}
	v.shareInput()
	v.in.mute = v.in.mute || h.opt.ReadOnly
	v.form = form{deflate: c.deflate, channels: v.usesChannels()}
	if v.usesChannels() {
		v.greet()
	}
	c.attachment = v // the child may end it at once
	v.late = !h.join(v)
	return nil
}

// detach implements attachment.
func (v *viewer) detach() {
	v.stopWaiting()
	v.hub.leave(v)
}

// admitted lets go what join or a hub's Release has gathered for v.
func (v *viewer) admitted() {
	v.wire.Out.Release()
	if v.opt.Terminal {
		v.bridge.child.Signal("WINCH") // which makes most programs redraw
	}
}

// deliverLast gives v what a newcomer gets first. It stays there until Release.
func (v *viewer) deliverLast(b *wire.Batch) {
	v.wire.Out.Hold()
	v.wire.Out.WriteBatch(b)
	v.outlet.total.add(b)
}

var errReadOnly = errors.New("input is disabled (--readonly)")

// signal implements attachment.
func (v *viewer) signal(name string) error {
	if v.opt.ReadOnly {
		return errReadOnly
	}
	return v.sharedClient.signal(name)
}

// resize implements attachment: the window has room in that of every viewer.
func (v *viewer) resize(size WindowSize) error {
	switch {
	case v.opt.ReadOnly:
		return errReadOnly
	case !v.opt.Terminal:
		return nil
	}
	h := v.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	v.size = size
	h.rechoose = true
	return h.fit()
}
