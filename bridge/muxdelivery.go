package bridge

import (
	"io"
	"slices"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// delivery sends the messages of a mux to its clients. Consecutive messages to the same
// recipients share a batch. At the end of each read of the child's output, each client gets
// all its messages in one write.
type delivery struct {
	slow     SlowPolicy
	encoders map[encoding]*sharedEncoder

	recipients []*muxClient // of the current messages, each once
	encodings  []encoding   // of the recipients
	messages   int          // current ones, which encoders contain
	payload    int          // of these, in bytes
	spare      []*muxClient // room for the next recipients
	receivers  []*muxClient // clients that were sent something since the read
}

// carryLines handles the lines of the child's output until its end.
func (m *mux) carryLines(r io.Reader) {
	lines := muxLines{do: m.handleLine, log: invalidLineLog{log: m.opt.Log, pid: m.child.Pid()}}
	readEach(r, func(p []byte) {
		lines.write(p)
		m.delivery.flushAll()
	})
	lines.end()
	m.delivery.flushAll()
}

// handleLine carries out the command in line. The error says why line is invalid.
func (m *mux) handleLine(line []byte) error {
	o, err := parseMuxCommand(line)
	switch {
	case err != nil:
		return err
	case o.closeID != "":
		m.closeClient(o.closeID, o.end)
	default:
		m.delivery.address(m.appendRecipients(m.delivery.spare[:0], o))
		m.delivery.write(o)
	}
	return nil
}

// appendRecipients appends each recipient of o once; disconnected clients are skipped.
func (m *mux) appendRecipients(dst []*muxClient, o muxCommand) []*muxClient {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o.all {
		return append(dst, m.open...)
	}
	for _, id := range o.to {
		if c := m.byID[id]; c != nil && c.opened && !c.listed {
			c.listed = true
			dst = append(dst, c)
		}
	}
	for _, c := range dst {
		c.listed = false
	}
	return dst
}

// closeClient closes a client's connection after the messages sent to it.
func (m *mux) closeClient(id string, end End) {
	m.mu.Lock()
	c := m.byID[id]
	known := c != nil && c.opened
	m.mu.Unlock()
	if !known {
		return
	}
	m.delivery.flush()
	c.finish(end)
}

// address sets the recipients of the messages that follow.
func (l *delivery) address(to []*muxClient) {
	if slices.Equal(l.recipients, to) {
		l.spare = to
		return
	}
	l.flush()
	l.recipients, l.spare = to, l.recipients
	l.encodings = l.encodings[:0]
	for _, c := range to {
		if !slices.Contains(l.encodings, c.encoding) {
			l.encodings = append(l.encodings, c.encoding)
		}
	}
}

// write encodes a message once for each encoding of the recipients.
func (l *delivery) write(o muxCommand) {
	l.messages++
	l.payload += len(o.payload)
	for _, f := range l.encodings {
		l.encoder(f).order(f, o)
	}
}

// encoder returns the encoder of f.
func (l *delivery) encoder(f encoding) *sharedEncoder {
	if c := f.client; c != nil {
		if c.encoder == nil {
			c.encoder = newSharedEncoder(f, 0)
		}
		return c.encoder
	}
	p, ok := l.encoders[f]
	if !ok {
		p = newSharedEncoder(f, 0)
		l.encoders[f] = p
	}
	return p
}

// order adds the message of o. On a channel, a text message is a line of the stream.
func (p *sharedEncoder) order(f encoding, o muxCommand) {
	typ := websocket.MessageText
	switch {
	case f.channels && !o.binary:
		p.stream(channel.Stdout, append(slices.Clip(o.payload), '\n'), maxStreamMessage)
		return
	case f.channels:
		p.stream(channel.Stdout, o.payload, maxStreamMessage)
		return
	case o.binary:
		typ = websocket.MessageBinary
	}
	p.Message(typ, o.payload) // does not fail
}

// flush queues the current messages for their recipients.
func (l *delivery) flush() {
	if l.messages == 0 {
		return
	}
	for _, f := range l.encodings {
		b := l.encoder(f).take(l.messages, l.payload)
		b.Whole = true
		for _, c := range l.recipients {
			if c.encoding == f {
				l.enqueue(c, b)
			}
		}
	}
	l.messages, l.payload = 0, 0
}

func (l *delivery) enqueue(c *muxClient, b *wire.Batch) {
	if !c.held {
		c.held = true
		c.wire.Out.Hold()
		l.receivers = append(l.receivers, c)
	}
	c.deliver(b)
	c.fresh += len(b.Frames)
}

// flushAll sends what is queued, applies the slow-client policy and, with SlowBlock, waits for
// slow clients.
func (l *delivery) flushAll() {
	l.flush()
	for _, c := range l.receivers {
		c.wire.Out.Release()
		c.enforceSlowPolicy(c.wire.Out.Backlog(), c.fresh)
		c.held, c.fresh = false, 0
	}
	if l.slow == SlowBlock {
		for _, c := range l.receivers {
			c.wire.Out.Ready()
			c.wire.Out.WaitUnless(wire.MaxUnsent, &c.disconnecting) // fails if the client disconnects
		}
	}
	for _, list := range []*[]*muxClient{&l.recipients, &l.spare, &l.receivers} { // so that disconnected clients are freed
		clear(*list)
		*list = (*list)[:0]
	}
	clear(l.encodings)
	l.encodings = l.encodings[:0]
}
