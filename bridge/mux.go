package bridge

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// mux is a child that sends messages to individual clients. It reads an event for each
// client that connects, sends a message or disconnects, and writes messages with their
// recipients. Both are lines of JSON.
//
// mu is held for short times. Its holder may write to stdin, which does not wait, but not to
// a client.
type mux struct {
	*Bridge
	delivery delivery     // of the goroutine that reads the output
	last     atomic.Int64 // number of the last client

	// Guarded by mu:
	byID map[string]*muxClient // clients whose connections have not ended
	open []*muxClient          // those with an open event; replaced, never changed
}

func newMux(b *Bridge) *mux {
	return &mux{Bridge: b, byID: make(map[string]*muxClient), delivery: delivery{slow: b.opt.Slow, encoders: make(map[encoding]*sharedEncoder)}}
}

// awaitOutput implements kind.
func (*mux) awaitOutput(f func()) { go f() }

// carryOutput implements kind.
func (m *mux) carryOutput() {
	var logged sync.WaitGroup
	logStderr(&logged, m.child, m.opt.Log)
	m.carryLines(m.child.Stdout())
	logged.Wait()
}

// reportExit implements kind. A client gets the exit after the rest of the output, which it
// may never read.
func (m *mux) reportExit() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.byID {
		go c.reportExit() // ends with the connection, or when the client has everything
	}
}

// clients implements kind.
func (m *mux) clients() (all []*Client) {
	for _, c := range m.byID {
		all = append(all, c.Client)
	}
	return all
}

// end implements kind.
func (m *mux) end(e End) {
	m.finishAll(e)
	m.Stop()
}

// muxClient is the attachment of a client of a mux.
type muxClient struct {
	sharedClient
	mux *mux

	opening []byte // the open event, until it is written

	encoder *sharedEncoder // of an event stream, whose events have numbers of their own; nil before the first

	// Guarded by mux.mu:
	opened    bool // the open event was written
	closeSent bool // the close event was written
	listed    bool // in the list that appendRecipients builds

	events []byte // not written yet; a pooled block, or longer
	line   []byte // the incomplete line of a client that sends a stream

	// Of the goroutine that reads the child's output:
	held  bool // its queue collects what is sent
	fresh int  // bytes sent since then
}

// attach implements kind.
func (m *mux) attach(client *Client, opt ClientOptions) error {
	c := &muxClient{mux: m, sharedClient: sharedClient{direct: direct{client}}}
	c.shareInput()
	c.input.takeMessage, c.input.flushEvents = c.takeMessage, c.flush
	if c.usesChannels() {
		c.input.takeMessage = c.takeStream
	}
	if c.encoding.body == EventBody {
		c.encoding.client = c
	}
	c.transport.sendHello()
	c.muxID = strconv.FormatInt(m.last.Add(1), 10)
	c.opening = appendOpen(nil, c.muxID, opt.Env)
	client.attachment = c // the child may end it at once
	m.mu.Lock()
	defer m.mu.Unlock()
	c.attachedAfterExit = m.exited
	if !c.attachedAfterExit {
		m.byID[c.muxID] = c
	}
	return nil
}

// receive writes the events of the client to the child.
func (c *muxClient) receive() {
	c.open()
	c.transport.receive()
	c.writeClose()
}

// open writes the open event of c, once little enough is queued for the child. If c
// disconnects before, the child gets no event of it.
func (c *muxClient) open() {
	for !c.mux.tryOpen(c) {
		c.waitForChild()
	}
	c.opening = nil
}

// tryOpen reports false if c must wait: any number of clients may connect while the child does
// not read.
func (m *mux) tryOpen(c *muxClient) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID[c.muxID] != c {
		return true
	}
	if m.stdin.Waiting() > maxInputBacklog {
		return false
	}
	m.open = append(slices.Clip(m.open), c) // before the event, because the child may reply at once
	c.opened = true
	m.stdin.Write(c.opening) // an error means that the child has closed its stdin, which it may
	return true
}

// detach implements attachment.
func (c *muxClient) detach() {
	c.stopWaiting()
	m := c.mux
	m.mu.Lock()
	delete(m.byID, c.muxID)
	if i := slices.Index(m.open, c); i >= 0 {
		m.open = slices.Delete(slices.Clone(m.open), i, i+1)
	}
	m.mu.Unlock()
	if c.end.by == byUs || c.end.by == bySilence {
		c.writeClose() // the child gets nothing more from the client
	}
}

// writeEvents writes events of c, unless its close event was written.
func (c *muxClient) writeEvents(events []byte) {
	c.mux.mu.Lock()
	defer c.mux.mu.Unlock()
	if c.opened && !c.closeSent {
		c.mux.stdin.Write(events) // as in tryOpen
	}
}

// writeClose writes the close event of c, once, if its open event was written.
func (c *muxClient) writeClose() {
	c.mux.mu.Lock()
	defer c.mux.mu.Unlock()
	if c.opened && !c.closeSent {
		c.closeSent = true
		c.mux.stdin.Write(appendClose(nil, c.muxID, c.end.Code))
	}
}
