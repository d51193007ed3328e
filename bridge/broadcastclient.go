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
func (b *broadcast) attach(client *Client, _ ClientOptions) error {
	c := &broadcastClient{sharedClient: sharedClient{direct: direct{client}}, shared: b}
	c.shareInput()
	c.input.discard = c.input.discard || b.opt.ReadOnly
	c.transport.sendHello()
	client.attachment = c // the child may end it at once
	c.attachedAfterExit = !b.join(c)
	return nil
}

// detach implements attachment.
func (c *broadcastClient) detach() {
	c.stopWaiting()
	c.shared.remove(c)
}

// joined sends what join, or fanOut.Release, has put into the client's queue.
func (c *broadcastClient) joined() {
	c.wire.Out.Release()
	if c.opt.Terminal {
		c.bridge.child.Signal("WINCH") // makes most programs redraw
	}
}

// deliverReplay queues the replay until Release.
func (c *broadcastClient) deliverReplay(batch *wire.Batch) {
	if len(batch.Frames) > 0 {
		c.transport.begin()
	}
	c.wire.Out.Hold()
	c.wire.Out.WriteBatch(batch)
	c.sequencer.total.add(batch)
}

var errReadOnly = errors.New("input is disabled (--readonly)")

// signal implements attachment.
func (c *broadcastClient) signal(name string) error {
	if c.opt.ReadOnly {
		return errReadOnly
	}
	return c.sharedClient.signal(name)
}

// resize implements attachment. The child's window fits those of all clients.
func (c *broadcastClient) resize(size WindowSize) error {
	switch {
	case c.opt.ReadOnly:
		return errReadOnly
	case !c.opt.Terminal:
		return nil
	}
	b := c.shared
	b.mu.Lock()
	defer b.mu.Unlock()
	c.size = size
	b.rechoose = true
	return b.resizeToFit()
}
