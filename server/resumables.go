package server

import (
	"net/netip"
	"sync"
	"time"

	"wspipe/bridge"
	"wspipe/process"
)

// resumables is the table of the sessions that clients may come back to.
type resumables struct {
	slots *slots

	mu   sync.Mutex
	open map[resumeKey]*resumable
}

// resumeKey is what a client must have to come back to a session.
type resumeKey struct {
	path     string // of the program
	identity string // of the user, see visitor
	id       string // see resumption
}

func newResumables(slots *slots) *resumables {
	return &resumables{slots: slots, open: make(map[resumeKey]*resumable)}
}

// resumable is one session, from before its child's start to its end. Its slot is
// free when the child's group is gone.
type resumable struct {
	key  resumeKey
	id   string // in the log, where key.id may not be
	free func() // frees its slot

	// Guarded by the table's mu:
	users   int  // clients that have joined and not left
	started bool // it ends by itself

	// Set by the client that is the first to come to starting:
	starting sync.Once
	err      error // why there is no child
	child    *process.Child
	session  *bridge.Resumable
}

// join returns the session with this key to a client that must leave it again. If
// there is none one is to be started, and has its slot: but for a client that has
// counted some of its messages it is lost, and rs nil, also if another is about to
// start it. If no slot is free join returns the flag that bounds them.
func (t *resumables) join(key resumeKey, addr netip.Addr, after int64) (rs *resumable, flag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rs = t.open[key]
	if after > 0 && (rs == nil || !rs.started) {
		return nil, ""
	}
	if rs == nil {
		free, flag := t.slots.take(ownChild(addr))
		if flag != "" {
			return nil, flag
		}
		rs = &resumable{key: key, id: newID(), free: free}
		t.open[key] = rs
	}
	rs.users++
	return rs, ""
}

// ask returns the flag that join would return now.
func (t *resumables) ask(key resumeKey, addr netip.Addr, after int64) (flag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if after > 0 || t.open[key] != nil {
		return ""
	}
	return t.slots.ask(ownChild(addr))
}

// began tells that rs has its child.
func (t *resumables) began(rs *resumable) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rs.started = true
}

// leave takes back join.
func (t *resumables) leave(rs *resumable) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if rs.users--; rs.users == 0 && !rs.started && t.open[rs.key] == rs { // who was to start it has not come that far
		delete(t.open, rs.key)
		rs.free()
	}
}

// fail lets the client try again after rs could not be started.
func (t *resumables) fail(rs *resumable) {
	t.forget(rs)
	rs.free()
}

// forget lets nobody come back to rs.
func (t *resumables) forget(rs *resumable) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[rs.key] == rs {
		delete(t.open, rs.key)
	}
}

// makeRoom ends the session whose child has ended the longest time ago, if there
// are more than max whose clients have not got all of that yet. Zero or less is
// no bound.
func (t *resumables) makeRoom(max int) {
	t.mu.Lock()
	var all []*bridge.Resumable
	for _, rs := range t.open {
		if rs.started {
			all = append(all, rs.session)
		}
	}
	t.mu.Unlock() // a session that ends has its own lock, and then wants ours
	var oldest *bridge.Resumable
	var since time.Time
	left := 0
	for _, session := range all {
		if at, yes := session.Exited(); yes {
			if left++; oldest == nil || at.Before(since) {
				oldest, since = session, at
			}
		}
	}
	if max > 0 && left > max {
		oldest.Forget()
	}
}
