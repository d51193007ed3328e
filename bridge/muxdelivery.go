package bridge

import (
	"io"
	"slices"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// delivery is what a mux's child sends, on its way from the read that brought it to
// the clients. Messages in a row to the same clients become one burst; with the
// end of the read, all of a client's leave in one write.
type delivery struct {
	slow     SlowPolicy
	encoders map[encoding]*sharedEncoder

	recipients []*muxClient // who gets the messages at hand, each once
	encodings  []encoding   // that they want
	messages   int          // at hand, made into frames by presses
	payload    int          // of these, in bytes
	spare      []*muxClient // room for who gets the next
	receivers  []*muxClient // who has got something of this read
}

// carryLines does what the child says, to the end of its output.
func (m *mux) carryLines(r io.Reader) {
	lines := muxLines{do: m.handleLine, log: invalidLineLog{log: m.opt.Log, pid: m.child.Pid()}}
	readEach(r, func(p []byte) {
		lines.write(p)
		m.delivery.flushAll()
	})
	lines.end()
	m.delivery.flushAll()
}

// handleLine does what a line says, or returns what is wrong with it.
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

// appendRecipients appends who gets the message o, each once. Who has gone gets
// nothing.
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

// closeClient closes a client's connection, behind what has been sent to it.
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

// address sets who gets what is written from now on.
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

// write makes frames of a message, in each form that somebody wants.
func (l *delivery) write(o muxCommand) {
	l.messages++
	l.payload += len(o.payload)
	for _, f := range l.encodings {
		p, ok := l.encoders[f]
		if !ok {
			p = newSharedEncoder(f, 0)
			l.encoders[f] = p
		}
		p.order(f, o)
	}
}

// muxCommand adds a message: a line, or what is binary, of the stream if there are
// channels.
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

// flush gives what is at hand to those who are to get it, where it gathers.
func (l *delivery) flush() {
	if l.messages == 0 {
		return
	}
	for _, f := range l.encodings {
		b := l.encoders[f].take(l.messages, l.payload)
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

// flushAll lets go what has gathered, looks after those who are slow and, with
// SlowBlock, waits for them.
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
			c.wire.Out.WaitUnless(wire.MaxUnsent, &c.disconnecting) // fails if it goes meanwhile
		}
	}
	for _, list := range []*[]*muxClient{&l.recipients, &l.spare, &l.receivers} { // who goes is not kept
		clear(*list)
		*list = (*list)[:0]
	}
	l.encodings = l.encodings[:0]
}
