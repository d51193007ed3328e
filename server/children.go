package server

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"wspipe/bridge"
	"wspipe/process"
)

// Share says which clients have a child together.
type Share int

const (
	// ShareNone gives each client a child of its own.
	ShareNone Share = iota
	// ShareBroadcast gives all clients of an endpoint one child: its messages go
	// to each of them.
	ShareBroadcast
	// ShareMux gives all clients of an endpoint one child that talks to each of
	// them, in lines of JSON.
	ShareMux
)

// children is the table of the children that clients have in common, or can come
// back to: one for each key at most. The first client has it started.
type children struct {
	slots *slots
	once  bool // see Config.Once

	mu   sync.Mutex
	open map[childKey]*child // those that take clients
}

// childKey is what clients must have in common to attach to the same child. The zero
// value is that of children that are not in the table: each has one client.
type childKey struct {
	endpoint *Endpoint // of a shared child; a session survives a change of its route
	path     string    // of the endpoint's URL
	identity string    // of the user who can come back, see access.Client
	session  string    // see resumption
}

// isSession reports whether the key is that of a session that a client can come back
// to.
func (k childKey) isSession() bool { return k.session != "" }

// isShared reports whether the key is that of a child with any number of clients.
func (k childKey) isShared() bool { return k != (childKey{}) && !k.isSession() }

func newChildren(slots *slots, once bool) *children {
	return &children{slots: slots, once: once, open: make(map[childKey]*child)}
}

// linger returns how long c, a shared child, runs after its last client has disconnected.
func (t *children) linger(c *child) time.Duration {
	if t.once || c.key.endpoint.removed { // nobody else could attach
		return 0
	}
	return c.key.endpoint.Linger
}

// child is one child, from before its start to its end. Its slot is free when its
// process session has ended and its clients have disconnected.
type child struct {
	key  childKey
	id   string // of its session, in the log, where key.session may not be
	free func() // frees its slot

	// Guarded by the table's mu:
	clients   int             // that have joined and not left
	stop      func()          // stops the child, and does not wait; nil if there is none yet
	exited    <-chan struct{} // closed when the child has ended; nil if there is none yet
	gone      bool            // the process session has ended, or there is none
	idleSince time.Time       // clients is zero since
	timer     *time.Timer     // calls expire, if any does

	// Set by the client that is the first to come to starting:
	starting sync.Once
	err      error // why there is no child
	process  *process.Child
	bridge   *bridge.Bridge

	attached atomic.Int64  // clients that it has had
	ended    chan struct{} // closed when nothing is left of it
	status   int           // the exit status, set before ended is closed
}

// isOver reports whether a shared child has ended. Its clients may still get its
// output.
func (c *child) isOver() bool {
	select {
	case <-c.exited:
		return !c.key.isSession()
	default:
		return false
	}
}

// join returns the child of key to a client that must leave it again. If there is
// none, one is to be started, and has a slot, which counts for addr if the child
// belongs to one client. But for a client that has counted some of its messages
// (after) it is lost then, and c nil. If no slot is free, join returns the flag that
// bounds them.
func (t *children) join(key childKey, addr netip.Addr, after int64) (c *child, flag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c = t.current(key)
	if after > 0 && (c == nil || c.stop == nil) {
		return nil, ""
	}
	if c == nil {
		free, flag := t.slots.take(claimOf(key, addr))
		if flag != "" {
			return nil, flag
		}
		c = &child{key: key, id: newID(), free: free, gone: true, ended: make(chan struct{})}
		if key != (childKey{}) {
			t.open[key] = c
		}
	}
	c.clients++
	c.stopTimer()
	return c, ""
}

// ask returns the flag that join would return now.
func (t *children) ask(key childKey, addr netip.Addr, after int64) (flag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if after > 0 || t.current(key) != nil {
		return ""
	}
	return t.slots.ask(claimOf(key, addr))
}

// claimOf returns what a child of key takes of the slots.
func claimOf(key childKey, addr netip.Addr) claim {
	if key.isShared() {
		return sharedChild
	}
	return ownChild(addr)
}

// count returns how many clients the child of key has now.
func (t *children) count(key childKey) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.current(key); c != nil {
		return c.clients
	}
	return 0
}

// current returns the child that takes clients of key, or nil. mu is held.
func (t *children) current(key childKey) *child {
	if c := t.open[key]; c != nil && !c.isOver() {
		return c
	}
	return nil
}

// starts tells that c is about to be started: processGone or fail will be called.
func (t *children) starts(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.gone = false
}

// began notes how to stop c, which runs, or has ended already, and what is closed
// when it ends.
func (t *children) began(c *child, stop func(), exited <-chan struct{}) {
	t.mu.Lock()
	c.stop, c.exited = stop, exited
	gone := c.gone
	t.mu.Unlock() // see makeRoom
	if gone {
		c.bridge.ProcessGone()
	}
}

// leave takes back join. Without clients, a shared child is stopped, after the linger
// time; what becomes of another is for bridge to say.
func (t *children) leave(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.clients--
	switch {
	case c.clients > 0:
		return
	case c.stop == nil: // the client that was to start it did not come that far, or failed
		t.close(c)
	case t.open[c.key] != c || c.key.isSession():
	case t.linger(c) == 0:
		t.close(c)
		c.stop()
	case t.linger(c) > 0:
		c.idleSince = time.Now()
		c.timer = time.AfterFunc(t.linger(c), func() { t.expire(c) })
	}
	c.freeIfDone()
}

// expire stops c if it has been without a client for the linger time. A client may
// have attached, and even left again, while it waited for mu.
func (t *children) expire(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[c.key] == c && c.clients == 0 && time.Since(c.idleSince) >= t.linger(c) {
		t.close(c)
		c.stop()
	}
}

// fail lets the next client try again after c could not be started.
func (t *children) fail(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.close(c)
	c.gone = true
	if c.key.isShared() { // its clients, which are being refused, have slots of their own
		c.free()
	}
}

// retire lets nobody attach to c any more: the next client has another started.
func (t *children) retire(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.close(c)
}

// close is retire with mu held.
func (t *children) close(c *child) {
	if t.open[c.key] == c {
		delete(t.open, c.key)
	}
	c.stopTimer()
}

// processGone tells that the process session of c has ended.
func (t *children) processGone(c *child) {
	t.mu.Lock()
	c.gone = true
	c.freeIfDone()
	began := c.stop != nil
	t.mu.Unlock() // see makeRoom
	if began {
		c.bridge.ProcessGone()
	}
}

// freeIfDone frees the slot. The table's mu is held.
func (c *child) freeIfDone() {
	if c.gone && c.clients == 0 {
		c.free()
	}
}

func (c *child) stopTimer() {
	if c.timer != nil {
		c.timer.Stop()
	}
}

// makeRoom ends the session whose child has ended the longest time ago, if there
// are more than max whose clients have not got all of that yet. Zero or less is
// no bound.
func (t *children) makeRoom(max int) {
	t.mu.Lock()
	var all []*bridge.Bridge
	for key, c := range t.open {
		if c.stop != nil && key.isSession() {
			all = append(all, c.bridge)
		}
	}
	t.mu.Unlock() // a session that ends has its own lock, and then wants ours
	var oldest *bridge.Bridge
	var since time.Time
	kept := 0
	for _, b := range all {
		if at := b.Kept(); !at.IsZero() {
			if kept++; oldest == nil || at.Before(since) {
				oldest, since = b, at
			}
		}
	}
	if max > 0 && kept > max {
		oldest.Forget()
	}
}

// remove stops the shared children of endpoints, each after its last client has
// disconnected.
func (t *children) remove(endpoints []*Endpoint) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range endpoints {
		e.removed = true
	}
	for key, c := range t.open {
		if key.isShared() && key.endpoint.removed && c.clients == 0 {
			t.close(c)
			c.stop()
		}
	}
}
