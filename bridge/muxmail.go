package bridge

import (
	"io"
	"slices"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// mail is what a mux's child sends, on its way from the read that brought it to
// the clients. Messages in a row to the same clients become one burst; with the
// end of the read, all of a client's leave in one write.
type mail struct {
	slow    SlowPolicy
	presses map[form]*press

	to       []*muxClient // who gets the messages at hand, each once
	forms    []form       // that they want
	messages int          // at hand, made into frames by presses
	payload  int          // of these, in bytes
	spare    []*muxClient // room for who gets the next
	touched  []*muxClient // who has got something of this read
}

// carryLines does what the child says, to the end of its output.
func (m *mux) carryLines(r io.Reader) {
	lines := muxLines{do: m.obeyLine, log: complaints{log: m.opt.Log, pid: m.child.Pid()}}
	readEach(r, func(p []byte) {
		lines.write(p)
		m.mail.post()
	})
	lines.end()
	m.mail.post()
}

// obeyLine does what a line says, or returns what is wrong with it.
func (m *mux) obeyLine(line []byte) error {
	o, err := parseOrder(line)
	switch {
	case err != nil:
		return err
	case o.closes != "":
		m.dismiss(o.closes, o.end)
	default:
		m.mail.address(m.appendRecipients(m.mail.spare[:0], o))
		m.mail.write(o)
	}
	return nil
}

// appendRecipients appends who gets the message o, each once. Who has gone gets
// nothing.
func (m *mux) appendRecipients(dst []*muxClient, o order) []*muxClient {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o.everybody {
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

// dismiss closes a client's connection, behind what has been sent to it.
func (m *mux) dismiss(id string, end End) {
	m.mu.Lock()
	c := m.byID[id]
	known := c != nil && c.opened
	m.mu.Unlock()
	if !known {
		return
	}
	m.mail.flush()
	if c.usesChannels() && end.Code == websocket.StatusNormalClosure {
		c.wire.Out.Seal() // what a pause keeps back comes before
		c.outlet.settle(channel.Encode(channel.Error, channel.Status{Status: channel.StatusSuccess}))
	}
	c.finish(end)
}

// address sets who gets what is written from now on.
func (l *mail) address(to []*muxClient) {
	if slices.Equal(l.to, to) {
		l.spare = to
		return
	}
	l.flush()
	l.to, l.spare = to, l.to
	l.forms = l.forms[:0]
	for _, c := range to {
		if !slices.Contains(l.forms, c.form) {
			l.forms = append(l.forms, c.form)
		}
	}
}

// write makes frames of a message, in each form that somebody wants.
func (l *mail) write(o order) {
	l.messages++
	l.payload += len(o.payload)
	for _, f := range l.forms {
		p, ok := l.presses[f]
		if !ok {
			p = newPress(f)
			l.presses[f] = p
		}
		p.order(f, o)
	}
}

// order adds a message: a line, or what is binary, of the stream if there are
// channels.
func (p *press) order(f form, o order) {
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
func (l *mail) flush() {
	if l.messages == 0 {
		return
	}
	for _, f := range l.forms {
		b := l.presses[f].take(l.messages, l.payload)
		b.Whole = true
		for _, c := range l.to {
			if c.form == f {
				l.give(c, b)
			}
		}
	}
	l.messages, l.payload = 0, 0
}

func (l *mail) give(c *muxClient, b *wire.Batch) {
	if !c.held {
		c.held = true
		c.wire.Out.Hold()
		l.touched = append(l.touched, c)
	}
	c.deliver(b)
	c.fresh += len(b.Frames)
}

// post lets go what has gathered, looks after those who are slow and, with
// SlowBlock, waits for them.
func (l *mail) post() {
	l.flush()
	for _, c := range l.touched {
		c.wire.Out.Release()
		c.enforce(c.wire.Out.Backlog(), c.fresh)
		c.held, c.fresh = false, 0
	}
	if l.slow == SlowBlock {
		for _, c := range l.touched {
			c.wire.Out.Ready()
			c.wire.Out.WaitUnless(wire.MaxUnsent, &c.over) // fails if it goes meanwhile
		}
	}
	for _, list := range []*[]*muxClient{&l.to, &l.spare, &l.touched} { // who goes is not kept
		clear(*list)
		*list = (*list)[:0]
	}
	l.forms = l.forms[:0]
}
