package server

import (
	"runtime/debug"
	"sync"
	"time"
)

const (
	// idleGCDelay is how long no client must have connected or disconnected.
	idleGCDelay = 2 * time.Second
	// idleGCThreshold is how many connects and disconnects make a collection worthwhile.
	idleGCThreshold = 100
)

// idleGC runs the garbage collector when the server is idle after many connects and
// disconnects, and returns the memory to the system. Otherwise an idle server would keep that
// garbage, because it allocates too little to start a collection.
type idleGC struct {
	mu        sync.Mutex
	changes   int  // connects and disconnects since the last collection
	seen      int  // changes at the last check
	scheduled bool // a check is scheduled
}

// changed records that a client has connected or disconnected.
func (t *idleGC) changed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes++; t.changes >= idleGCThreshold && !t.scheduled {
		t.scheduled = true
		time.AfterFunc(idleGCDelay, t.check)
	}
}

// check collects garbage if nothing has changed since the last check, or schedules another.
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
