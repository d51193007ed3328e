package bridge

import (
	"errors"

	"wspipe/bridge/wire"
)

// broadcastClient is the attachment of a client of a broadcast child.
type broadcastClient struct {
	sharedClient
	shared *broadcast
	size   WindowSize // of its window, zero if unknown
}

// attach implements kind. The client gets all output from then on.
func (h *broadcast) attach(c *Client, _ ClientOptions) error {
	v := &broadcastClient{sharedClient: sharedClient{direct: direct{c}}, shared: h}
	v.shareInput()
	v.input.discard = v.input.discard || h.opt.ReadOnly
	v.transport.sendHello()
	c.attachment = v // the child may end it at once
	v.attachedAfterExit = !h.join(v)
	return nil
}

// detach implements attachment.
func (v *broadcastClient) detach() {
	v.stopWaiting()
	v.shared.leave(v)
}

// joined sends what join, or fanOut.Release, has put into the client's queue.
func (v *broadcastClient) joined() {
	v.wire.Out.Release()
	if v.opt.Terminal {
		v.bridge.child.Signal("WINCH") // makes most programs redraw
	}
}

// deliverReplay queues the replay b until Release.
func (v *broadcastClient) deliverReplay(b *wire.Batch) {
	if len(b.Frames) > 0 {
		v.transport.begin()
	}
	v.wire.Out.Hold()
	v.wire.Out.WriteBatch(b)
	v.sequencer.total.add(b)
}

var errReadOnly = errors.New("input is disabled (--readonly)")

// signal implements attachment.
func (v *broadcastClient) signal(name string) error {
	if v.opt.ReadOnly {
		return errReadOnly
	}
	return v.sharedClient.signal(name)
}

// resize implements attachment. The child's window fits those of all clients.
func (v *broadcastClient) resize(size WindowSize) error {
	switch {
	case v.opt.ReadOnly:
		return errReadOnly
	case !v.opt.Terminal:
		return nil
	}
	h := v.shared
	h.mu.Lock()
	defer h.mu.Unlock()
	v.size = size
	h.rechoose = true
	return h.resizeToFit()
}
