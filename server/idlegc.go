package server

import (
	"runtime/debug"
	"sync"
	"time"
)

const (
	// idleGCDelay is how long no session must have begun or ended for the server to be
	// quiet.
	idleGCDelay = 2 * time.Second
	// idleGCThreshold is how many must have done so for there to be garbage.
	idleGCThreshold = 100
)

// idleGC collects the garbage of sessions' beginnings and ends once the server is
// quiet, and gives its room back to the system. What idle sessions leave untouched
// would else stay until much more has been allocated.
type idleGC struct {
	mu        sync.Mutex
	changes   int  // since it was tidied
	seen      int  // at the last look
	scheduled bool // a look is due
}

// changed notes that a session has begun or ended.
func (t *idleGC) changed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes++; t.changes >= idleGCThreshold && !t.scheduled {
		t.scheduled = true
		time.AfterFunc(idleGCDelay, t.check)
	}
}

// check tidies if nothing has changed since the last look.
func (t *idleGC) check() {
	t.mu.Lock()
	quiet := t.changes == t.seen
	if quiet {
		t.changes, t.scheduled = 0, false
	}
	t.seen = t.changes
	t.mu.Unlock()
	if quiet {
		debug.FreeOSMemory()
	} else {
		time.AfterFunc(idleGCDelay, t.check)
	}
}
