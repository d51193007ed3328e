package server

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"wspipe/bridge"
	"wspipe/process"
	"wspipe/server/recording"
)

// Share specifies which clients share a child. The zero value is ShareNone.
type Share int

const (
	// ShareNone means that each client has its own child.
	ShareNone Share = iota
	// ShareBroadcast means that all clients of an endpoint share a child, and each gets
	// all its messages.
	ShareBroadcast
	// ShareMux means that all clients of an endpoint share a child, which addresses
	// messages to single clients with lines of JSON.
	ShareMux
)

// children is the table of children to which further clients can attach: shared children and
// sessions, at most one per key. The first client starts the child.
type children struct {
	slots *slots
	once  bool // see Config.Once

	mu    sync.Mutex          // the lock of a Bridge is taken before this one
	byKey map[childKey]*child // those to which clients can attach
}

// childKey identifies the child to which a client attaches. The zero value means a child of
// its own, which is not in the table.
type childKey struct {
	endpoint *Endpoint // of a shared child; a session survives a change of its route
	path     string    // of the endpoint's URL
	room     string    // see Endpoint.ShareBy
	identity string    // of the user of a session, see access.Client
	session  string    // the session ID, see resumeRequest
}

// isSession reports whether the key is that of a session, see --resume.
func (k childKey) isSession() bool { return k.session != "" }

// isShared reports whether the key is that of a shared child.
func (k childKey) isShared() bool { return k != (childKey{}) && !k.isSession() }

func newChildren(slots *slots, once bool) *children {
	return &children{slots: slots, once: once, byKey: make(map[childKey]*child)}
}

// linger returns how long the shared child c runs after its last client has disconnected.
func (t *children) linger(c *child) time.Duration {
	if t.once || c.key.endpoint.removed { // nobody else could attach
		return 0
	}
	return c.key.endpoint.Linger
}

// child is one child, from before its start until after its end. Its slot is freed when its
// process session has ended and its clients have disconnected.
type child struct {
	key  childKey
	id   string // of its session in the log, because key.session is secret
	free func() // frees its slot

	// Guarded by mu of the table:
	clients      int             // number of attached clients
	stop         func()          // stops the child without waiting; nil before the start
	exited       <-chan struct{} // closed when the child has exited; nil before the start
	processEnded bool            // the process session has ended, or has not started
	idleSince    time.Time       // when clients became zero
	timer        *time.Timer     // calls expire; may be nil

	// Set within startOnce:
	startOnce sync.Once
	err       error // the error of the start
	process   *process.Child
	recording *recording.Recorder // nil without Config.RecordDir
	bridge    *bridge.Bridge

	attached atomic.Int64  // clients that have attached so far
	ended    chan struct{} // closed when the bridge has ended
	status   int           // the exit status, set before ended is closed
}

// hasExited reports whether c, which has been started, has exited.
func (c *child) hasExited() bool {
	select {
	case <-c.process.Exited():
		return true
	default:
		return false
	}
}

// isOver reports whether a shared child has exited. Its clients may still receive its output.
func (c *child) isOver() bool {
	select {
	case <-c.exited:
		return !c.key.isSession()
	default:
		return false
	}
}

// attach returns the child for key and counts a client of it, until detach is called. If there is
// none, attach takes a slot for a new child, which counts for addr unless the child is shared;
// the caller starts it. If after is positive and the child has not started, the session that the
// client wants is lost, and c is nil. If no slot is free, attach returns the flag that limits them.
func (t *children) attach(key childKey, addr netip.Addr, after int64) (c *child, flag string) {
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
		c = &child{key: key, id: newID(), free: free, processEnded: true, ended: make(chan struct{})}
		if key != (childKey{}) {
			t.byKey[key] = c
		}
	}
	c.clients++
	c.stopTimer()
	return c, ""
}

// check returns the flag that attach would return, without any effect.
func (t *children) check(key childKey, addr netip.Addr, after int64) (flag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if after > 0 || t.current(key) != nil {
		return ""
	}
	return t.slots.check(claimOf(key, addr))
}

// claimOf returns the slots that a child of key takes.
func claimOf(key childKey, addr netip.Addr) claim {
	if key.isShared() {
		return sharedChild
	}
	return ownChild(addr)
}

// count returns the number of clients of the child of key.
func (t *children) count(key childKey) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.current(key); c != nil {
		return c.clients
	}
	return 0
}

// current returns the child for key, or nil. The caller holds mu.
func (t *children) current(key childKey) *child {
	if c := t.byKey[key]; c != nil && !c.isOver() {
		return c
	}
	return nil
}

// starting records that c is about to start. The caller ensures that processSessionEnded or fail is
// called.
func (t *children) starting(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.processEnded = false
}

// started records that c has started. exited is closed when it exits; it may have ended already.
func (t *children) started(c *child, stop func(), exited <-chan struct{}) {
	t.mu.Lock()
	c.stop, c.exited = stop, exited
	gone := c.processEnded
	t.mu.Unlock() // see dropOldestEnded
	if gone {
		c.bridge.ProcessGone()
	}
}

// detach undoes attach. It stops a shared child without clients after the linger time. Other
// children are stopped by their bridge.
func (t *children) detach(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.clients--
	switch {
	case c.clients > 0:
		return
	case c.stop == nil: // the start failed, or its client disconnected before
		t.close(c)
	case t.byKey[c.key] != c || c.key.isSession():
	case t.linger(c) == 0:
		t.close(c)
		c.stop()
	case t.linger(c) > 0:
		c.idleSince = time.Now()
		c.timer = time.AfterFunc(t.linger(c), func() { t.expire(c) })
	}
	c.freeIfDone()
}

// expire stops c after the linger time without a client. A client may have attached, and even
// disconnected again, while expire waited for mu.
func (t *children) expire(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKey[c.key] == c && c.clients == 0 && time.Since(c.idleSince) >= t.linger(c) {
		t.close(c)
		c.stop()
	}
}

// fail removes c from the table after its start has failed, so that the next client starts
// another.
func (t *children) fail(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.close(c)
	c.processEnded = true
	if c.key.isShared() { // its clients have slots of their own until they are refused
		c.free()
	}
}

// retire removes c from the table, so that the next client starts another child.
func (t *children) retire(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.close(c)
}

// close removes c from the table. The caller holds mu.
func (t *children) close(c *child) {
	if t.byKey[c.key] == c {
		delete(t.byKey, c.key)
	}
	c.stopTimer()
}

// processSessionEnded records that the process session of c has ended.
func (t *children) processSessionEnded(c *child) {
	t.mu.Lock()
	c.processEnded = true
	c.freeIfDone()
	began := c.stop != nil
	t.mu.Unlock() // see dropOldestEnded
	if began {
		c.bridge.ProcessGone()
	}
}

// freeIfDone frees the slot if c has neither processes nor clients. The caller holds mu of the
// table.
func (c *child) freeIfDone() {
	if c.processEnded && c.clients == 0 {
		c.free()
	}
}

func (c *child) stopTimer() {
	if c.timer != nil {
		c.timer.Stop()
	}
}

// dropOldestEnded ends the session whose child ended first, if more than max sessions have a child
// that has ended and output that their client has not received. Zero or less means no limit.
func (t *children) dropOldestEnded(max int) {
	t.mu.Lock()
	var all []*bridge.Bridge
	for key, c := range t.byKey {
		if c.stop != nil && key.isSession() {
			all = append(all, c.bridge)
		}
	}
	t.mu.Unlock() // lock order: a session that ends locks t.mu while it holds its own lock
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
	for key, c := range t.byKey {
		if key.isShared() && key.endpoint.removed && c.clients == 0 {
			t.close(c)
			c.stop()
		}
	}
}
