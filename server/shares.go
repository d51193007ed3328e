package server

import (
	"sync"
	"sync/atomic"
	"time"

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

// shares is the table of the children that clients share, one for each endpoint
// at most: the first client has it started, and it is stopped when the last has gone.
type shares struct {
	linger time.Duration // see Config.Linger
	slots  *slots

	mu   sync.Mutex
	open map[string]*share // those that take clients, by program.path
}

func newShares(cfg Config, slots *slots) *shares {
	t := &shares{linger: cfg.Linger, slots: slots, open: make(map[string]*share)}
	if cfg.Once { // nobody else could come
		t.linger = 0
	}
	return t
}

// share is one shared child, from before its start to its end. Its slot is free
// when its group is gone.
type share struct {
	path string
	free func() // frees its slot

	// Guarded by the table's mu:
	users     int             // clients that have joined and not left
	idleSince time.Time       // users is zero since
	timer     *time.Timer     // calls expire, if any does
	stop      func()          // stops the child, and does not wait; nil if there is none yet
	exited    <-chan struct{} // closed when the child has ended; nil if there is none yet

	// Set by the client that is the first to come to starting:
	starting sync.Once
	err      error // why there is no child
	child    *process.Child
	hub      hub

	viewers atomic.Int64  // how many it has had in all
	ended   chan struct{} // closed when nothing is left of it
	status  int           // the child's exit status, set before ended is closed
}

// hub carries the messages of a shared child: a bridge.Hub or a bridge.Mux.
type hub interface {
	// Run returns once the child has ended and every client has been told.
	Run() (code int, signal string)
	// Stop stops the child, and does not wait.
	Stop()
}

// over reports whether the child has ended. Others may still get its output.
func (sh *share) over() bool {
	select {
	case <-sh.exited:
		return true
	default:
		return false
	}
}

// join makes a client one of those who share the child of the program at path; it
// must leave again. If there is none that takes clients, one is to be started,
// and has its slot. If no slot is free, join returns the flag that bounds them.
func (t *shares) join(path string) (sh *share, flag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sh = t.current(path); sh == nil {
		free, flag := t.slots.take(sharedChild)
		if flag != "" {
			return nil, flag
		}
		sh = &share{path: path, free: free, ended: make(chan struct{})}
		t.open[path] = sh
	}
	sh.users++
	sh.stopTimer()
	return sh, ""
}

// ask returns the flag that join would return now.
func (t *shares) ask(path string) (flag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current(path) != nil {
		return ""
	}
	return t.slots.ask(sharedChild)
}

// clients returns how many clients share the child of the program at path now.
func (t *shares) clients(path string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sh := t.current(path); sh != nil {
		return sh.users
	}
	return 0
}

// current returns the one that takes clients of the program at path, or nil. mu is
// held.
func (t *shares) current(path string) *share {
	if sh := t.open[path]; sh != nil && !sh.over() {
		return sh
	}
	return nil
}

// began notes how to stop the child of sh, and what is closed when it ends.
func (t *shares) began(sh *share, stop func(), exited <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sh.stop, sh.exited = stop, exited
}

// leave takes back join.
func (t *shares) leave(sh *share) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sh.users--
	switch {
	case sh.users > 0 || t.open[sh.path] != sh:
	case sh.stop == nil: // the one that was to start it has not come that far
		t.shut(sh)
		sh.free()
	case t.linger == 0:
		t.shut(sh)
		sh.stop()
	case t.linger > 0:
		sh.idleSince = time.Now()
		sh.timer = time.AfterFunc(t.linger, func() { t.expire(sh) })
	}
}

// expire stops sh if it has been without a client for so long. Somebody may have
// come, and even gone again, while it waited for mu.
func (t *shares) expire(sh *share) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[sh.path] == sh && sh.users == 0 && time.Since(sh.idleSince) >= t.linger {
		t.shut(sh)
		sh.stop()
	}
}

// fail lets the next client try again after sh could not be started.
func (t *shares) fail(sh *share) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut(sh)
	sh.free()
}

// retire lets nobody join sh any more: the next client has another started.
func (t *shares) retire(sh *share) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut(sh)
}

// shut is retire with mu held.
func (t *shares) shut(sh *share) {
	if t.open[sh.path] == sh {
		delete(t.open, sh.path)
	}
	sh.stopTimer()
}

func (sh *share) stopTimer() {
	if sh.timer != nil {
		sh.timer.Stop()
	}
}
