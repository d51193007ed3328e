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
	cmd, err := parseMuxCommand(line)
	switch {
	case err != nil:
		return err
	case cmd.closeID != "":
		m.closeClient(cmd.closeID, cmd.end)
	default:
		m.delivery.address(m.appendRecipients(m.delivery.spare[:0], cmd))
		m.delivery.write(cmd)
	}
	return nil
}

// appendRecipients appends each recipient of cmd once; disconnected clients are skipped.
func (m *mux) appendRecipients(dst []*muxClient, cmd muxCommand) []*muxClient {
	m.mu.Lock()
	defer m.mu.Unlock()
	if cmd.all {
		return append(dst, m.open...)
	}
	for _, id := range cmd.to {
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
func (d *delivery) address(to []*muxClient) {
	if slices.Equal(d.recipients, to) {
		d.spare = to
		return
	}
	d.flush()
	d.recipients, d.spare = to, d.recipients
	d.encodings = d.encodings[:0]
	for _, c := range to {
		if !slices.Contains(d.encodings, c.encoding) {
			d.encodings = append(d.encodings, c.encoding)
		}
	}
}

// write encodes a message once for each encoding of the recipients.
func (d *delivery) write(cmd muxCommand) {
	d.messages++
	d.payload += len(cmd.payload)
	for _, e := range d.encodings {
		d.encoder(e).addCommand(cmd)
	}
}

// encoder returns the encoder for e.
func (d *delivery) encoder(e encoding) *sharedEncoder {
	if c := e.client; c != nil {
		if c.encoder == nil {
			c.encoder = newSharedEncoder(e, 0)
		}
		return c.encoder
	}
	encoder, ok := d.encoders[e]
	if !ok {
		encoder = newSharedEncoder(e, 0)
		d.encoders[e] = encoder
	}
	return encoder
}

// addCommand adds the message of cmd. On a channel, a text message is a line of the stream.
func (s *sharedEncoder) addCommand(cmd muxCommand) {
	typ := websocket.MessageText
	switch {
	case s.encoding.channels && !cmd.binary:
		s.stream(channel.Stdout, append(slices.Clip(cmd.payload), '\n'), maxStreamMessage)
		return
	case s.encoding.channels:
		s.stream(channel.Stdout, cmd.payload, maxStreamMessage)
		return
	case cmd.binary:
		typ = websocket.MessageBinary
	}
	s.Message(typ, cmd.payload) // does not fail
}

// flush queues the current messages for their recipients.
func (d *delivery) flush() {
	if d.messages == 0 {
		return
	}
	for _, e := range d.encodings {
		b := d.encoder(e).take(d.messages, d.payload)
		for _, c := range d.recipients {
			if c.encoding == e {
				d.enqueue(c, b)
			}
		}
	}
	d.messages, d.payload = 0, 0
}

func (d *delivery) enqueue(c *muxClient, b *wire.Batch) {
	if !c.held {
		c.held = true
		c.wire.Out.Hold()
		d.receivers = append(d.receivers, c)
	}
	c.deliver(b)
	c.fresh += len(b.Frames)
}

// flushAll sends what is queued, applies the slow-client policy and, with SlowBlock, waits for
// slow clients.
func (d *delivery) flushAll() {
	d.flush()
	for _, c := range d.receivers {
		c.wire.Out.Release()
		c.enforceSlowPolicy(c.wire.Out.Backlog(), c.fresh)
		c.held, c.fresh = false, 0
	}
	if d.slow == SlowBlock {
		for _, c := range d.receivers {
			c.wire.Out.Ready()
			c.wire.Out.WaitUnless(wire.MaxUnsent, &c.disconnecting) // fails if the client disconnects
		}
	}
	for _, list := range []*[]*muxClient{&d.recipients, &d.spare, &d.receivers} { // so that disconnected clients are freed
		clear(*list)
		*list = (*list)[:0]
	}
	clear(d.encodings)
	d.encodings = d.encodings[:0]
}
