package bridge

import (
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"
)

// Mux is one child that talks to each of its clients. It reads what becomes of
// them and what they send, as events, and says who gets which message: a line of
// JSON each, both ways.
//
// mu is held for moments only. Who holds it may give something to stdin, which
// does not wait, but not to a client.
type Mux struct {
	child Child
	opt   HubOptions
	stdin *Outflow
	mail  mail         // of the goroutine that reads the output
	last  atomic.Int64 // the number of the last client

	mu      sync.Mutex
	clients map[string]*MuxClient // whose connections have not ended
	open    []*MuxClient          // those that the child knows; never changed, but replaced
	over    bool                  // the child has ended
	code    int
	signal  string

	tasks    sync.WaitGroup
	stopOnce sync.Once
}

// NewMux takes a child that was just started. Of opt it needs MaxMessage,
// InputPatience, Log and Slow. Run does the work and must be called.
func NewMux(child Child, opt HubOptions) *Mux {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	m := &Mux{child: child, opt: opt, stdin: newOutflow(child.Stdin()), clients: make(map[string]*MuxClient)}
	m.mail = mail{slow: opt.Slow, presses: make(map[form]*press)}
	return m
}

// Run returns once the child and its group have ended. Clients are told of it when
// they have taken what there was, which may be never.
func (m *Mux) Run() (code int, signal string) {
	var logged sync.WaitGroup
	logStderr(&logged, m.child, m.opt.Log)
	m.carryOutput(m.child.Stdout())
	logged.Wait()
	code, signal = m.child.Exit()
	m.Stop() // whoever of the group is left
	m.mu.Lock()
	m.over, m.code, m.signal = true, code, signal
	for _, c := range m.clients {
		go c.tellExit() // ends with the connection, or when the client has all
	}
	m.mu.Unlock()
	m.tasks.Wait()
	return code, signal
}

// Stop stops the child; clients are told how it ended. It does not wait.
func (m *Mux) Stop() {
	m.stopOnce.Do(func() { stopChild(&m.tasks, m.child, m.stdin, m.opt.InputPatience) })
}

// exited tells how the child has ended; over is false if it has not.
func (m *Mux) exited() (code int, signal string, over bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.code, m.signal, m.over
}

// MuxClient is one of the clients of a Mux.
type MuxClient struct {
	member
	mux  *Mux
	id   string
	form form

	opening []byte // the event that tells the child of the client, while that waits

	// Guarded by mux.mu:
	opened bool // the child has been told of the client
	closed bool // and of its end
	listed bool // among who gets a message that is being addressed

	events []byte // not handed on yet; a pooled block, or longer
	line   []byte // that the client has not ended, if it sends a stream

	// Of the goroutine that reads the child's output:
	held  bool // what is sent to it gathers
	fresh int  // bytes that have gathered
}

// NewClient makes a client of m, on wire and the WebSocket on it. env, as NAME=VALUE, is what
// the child is told of the client's request. Run does the work and must be called.
func (m *Mux) NewClient(ws *websocket.Conn, wire *Wire, env []string, opt Options) *MuxClient {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	c := &MuxClient{mux: m, member: member{slow: m.opt.Slow, exited: m.exited}}
	c.enroll(ws, wire, m.child, m.stdin, opt, c.leave)
	c.in.take, c.in.flush = c.takeMessage, c.flush
	c.form = form{deflate: opt.Deflate, channels: c.usesChannels()}
	if c.usesChannels() {
		c.in.take, c.in.obey = c.takeStream, c.obey
		c.greet()
	}
	c.id = strconv.FormatInt(m.last.Add(1), 10)
	c.opening = appendOpen(nil, c.id, env)
	m.mu.Lock()
	defer m.mu.Unlock()
	c.late = m.over
	if !c.late {
		m.clients[c.id] = c
	}
	return c
}

// ID returns what the child knows the client by.
func (c *MuxClient) ID() string { return c.id }

// Run carries messages both ways and returns once the connection has ended. The
// summary has the child's exit only if that has ended it.
func (c *MuxClient) Run() Summary { return c.run(c.receive) }

// receive tells the child of c, what it sends, and of its end.
func (c *MuxClient) receive() {
	c.open()
	c.receiveAll()
	c.tellClose()
}

// open tells the child of c, as soon as little enough waits for it. If c goes
// before, the child never hears of it.
func (c *MuxClient) open() {
	for !c.mux.tryOpen(c) {
		c.waitForChild()
	}
	c.opening = nil
}

// tryOpen reports false if c must wait: clients that come while the child does
// not read may be any number.
func (m *Mux) tryOpen(c *MuxClient) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.clients[c.id] != c {
		return true
	}
	if m.stdin.Waiting() > maxWaiting {
		return false
	}
	m.open = append(slices.Clip(m.open), c) // before the event, for the child may answer at once
	c.opened = true
	m.stdin.Write(c.opening) // fails if the child reads no more, which is its right
	return true
}

// leave forgets c.
func (c *MuxClient) leave() {
	m := c.mux
	m.mu.Lock()
	delete(m.clients, c.id)
	if i := slices.Index(m.open, c); i >= 0 {
		m.open = slices.Delete(slices.Clone(m.open), i, i+1)
	}
	m.mu.Unlock()
	if c.end.by == byUs || c.end.by == bySilence {
		c.tellClose() // what still comes in is not the child's any more
	}
}

// tell gives the child events of c, unless it has been told of its end.
func (c *MuxClient) tell(events []byte) {
	c.mux.mu.Lock()
	defer c.mux.mu.Unlock()
	if c.opened && !c.closed {
		c.mux.stdin.Write(events) // as in tryOpen
	}
}

// tellClose tells the child, once, how c has ended, if it has ever known it.
func (c *MuxClient) tellClose() {
	c.mux.mu.Lock()
	defer c.mux.mu.Unlock()
	if c.opened && !c.closed {
		c.closed = true
		c.mux.stdin.Write(appendClose(nil, c.id, c.end.Code))
	}
}
