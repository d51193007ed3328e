package bridge

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// mux is a child that talks to each of its clients. It reads what becomes of them
// and what they send, as events, and says which of them get which message: a line of
// JSON each, both ways.
//
// mu is held for moments only. The holder may write to stdin, which does not wait,
// but not to a client.
type mux struct {
	*Bridge
	delivery delivery     // of the goroutine that reads the output
	last     atomic.Int64 // the number of the last client

	// Guarded by mu:
	byID map[string]*muxClient // the clients whose connections have not ended
	open []*muxClient          // those that the child knows; never changed, but replaced
}

func newMux(b *Bridge) *mux {
	return &mux{Bridge: b, byID: make(map[string]*muxClient), delivery: delivery{slow: b.opt.Slow, encoders: make(map[encoding]*sharedEncoder)}}
}

// carryOutput implements kind.
func (m *mux) carryOutput() {
	var logged sync.WaitGroup
	logStderr(&logged, m.child, m.opt.Log)
	m.carryLines(m.child.Stdout())
	logged.Wait()
}

// reportExit implements kind. Clients are told when they have taken what there was,
// which may be never.
func (m *mux) reportExit() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.byID {
		go c.reportExit() // ends with the connection, or when the client has all
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

	opening []byte // the event that tells the child of the client, while that waits

	// Guarded by mux.mu:
	opened    bool // the child has been told of the client
	closeSent bool // and of its end
	listed    bool // among who gets a message that is being addressed

	events []byte // not handed on yet; a pooled block, or longer
	line   []byte // that the client has not ended, if it sends a stream

	// Of the goroutine that reads the child's output:
	held  bool // what is sent to it gathers
	fresh int  // bytes that have gathered
}

// attach implements kind.
func (m *mux) attach(client *Client, opt ClientOptions) error {
	c := &muxClient{mux: m, sharedClient: sharedClient{direct: direct{client}}}
	c.shareInput()
	c.input.takeMessage, c.input.flushEvents = c.takeMessage, c.flush
	if c.usesChannels() {
		c.input.takeMessage = c.takeStream
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

// receive tells the child of c, what it sends, and of its end.
func (c *muxClient) receive() {
	c.open()
	c.transport.receive()
	c.writeClose()
}

// open tells the child of c, as soon as little enough waits for it. If c goes
// before, the child never hears of it.
func (c *muxClient) open() {
	for !c.mux.tryOpen(c) {
		c.waitForChild()
	}
	c.opening = nil
}

// tryOpen reports false if c must wait: clients that come while the child does
// not read may be any number.
func (m *mux) tryOpen(c *muxClient) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID[c.muxID] != c {
		return true
	}
	if m.stdin.Waiting() > maxInputBacklog {
		return false
	}
	m.open = append(slices.Clip(m.open), c) // before the event, for the child may answer at once
	c.opened = true
	m.stdin.Write(c.opening) // fails if the child reads no more, which is its right
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
		c.writeClose() // what still comes in is not the child's any more
	}
}

// writeEvents gives the child events of c, unless it has been told of its end.
func (c *muxClient) writeEvents(events []byte) {
	c.mux.mu.Lock()
	defer c.mux.mu.Unlock()
	if c.opened && !c.closeSent {
		c.mux.stdin.Write(events) // as in tryOpen
	}
}

// writeClose tells the child, once, how c has ended, if it has ever known it.
func (c *muxClient) writeClose() {
	c.mux.mu.Lock()
	defer c.mux.mu.Unlock()
	if c.opened && !c.closeSent {
		c.closeSent = true
		c.mux.stdin.Write(appendClose(nil, c.muxID, c.end.Code))
	}
}
