package server

import (
	"runtime/debug"
	"sync"
	"time"
)

const (
	// quietTime is how long no session must have begun or ended for the server to be
	// quiet.
	quietTime = 2 * time.Second
	// worthTidying is how many must have done so for there to be garbage.
	worthTidying = 100
)

// tidier collects the garbage of sessions' beginnings and ends once the server is
// quiet, and gives its room back to the system. What idle sessions leave untouched
// would else stay until much more has been allocated.
type tidier struct {
	mu      sync.Mutex
	changes int  // since it was tidied
	seen    int  // at the last look
	looking bool // a look is due
}

// changed notes that a session has begun or ended.
func (t *tidier) changed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes++; t.changes >= worthTidying && !t.looking {
		t.looking = true
		time.AfterFunc(quietTime, t.look)
	}
}

// look tidies if nothing has changed since the last look.
func (t *tidier) look() {
	t.mu.Lock()
	quiet := t.changes == t.seen
	if quiet {
		t.changes, t.looking = 0, false
	}
	t.seen = t.changes
	t.mu.Unlock()
	if quiet {
		debug.FreeOSMemory()
	} else {
		time.AfterFunc(quietTime, t.look)
	}
}
