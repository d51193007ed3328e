package server

import (
	"sync"
	"time"

	"wspipe/bridge"
)

// sessions is the table of everything that runs behind an accepted request.
type sessions struct {
	idleFor  time.Duration // see Config.ExitWhenIdle
	idle     chan struct{} // gets a value when nothing has run for idleFor
	stopping chan struct{} // closed when shutdown begins

	mu      sync.Mutex
	closed  bool // nothing begins any more
	count   int  // of programs
	answers int  // to requests that start no program
	running map[*bridge.Session]struct{}
	timer   *time.Timer // runs while count is zero and idleFor is not
	empty   sync.Cond   // on mu: count and answers are zero
}

func newSessions(idleFor time.Duration) *sessions {
	t := &sessions{
		idleFor:  idleFor,
		idle:     make(chan struct{}, 1),
		stopping: make(chan struct{}),
		running:  make(map[*bridge.Session]struct{}),
	}
	t.empty.L = &t.mu
	t.armIdle()
	return t
}

// begin counts a session, or another program, that is about to be, unless the server stops.
func (t *sessions) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.count++
	if t.timer != nil {
		t.timer.Stop()
	}
	return true
}

// add lets shutdown reach session. It reports false if the server stops
// already.
func (t *sessions) add(session *bridge.Session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[session] = struct{}{}
	return !t.closed
}

// done takes back begin, and add if session is not nil.
func (t *sessions) done(session *bridge.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, session)
	if t.count--; t.count == 0 {
		t.armIdle()
	}
	t.empty.Broadcast()
}

// answer counts a request that starts no program, until done is called. It
// reports false if the server stops.
func (t *sessions) answer() (done func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false
	}
	t.answers++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.answers--
		t.empty.Broadcast()
	}, true
}

func (t *sessions) armIdle() {
	if t.idleFor > 0 && !t.closed {
		t.timer = time.AfterFunc(t.idleFor, t.reportIdle)
	}
}

func (t *sessions) reportIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == 0 {
		select {
		case t.idle <- struct{}{}:
		default:
		}
	}
}

// shutdown ends every session and waits for all of them, and for answers. Clients
// that have not closed after patience are cut off, and so are, by cut, those
// that have not taken their answer; children are always waited for.
func (t *sessions) shutdown(patience time.Duration, cut func()) {
	t.mu.Lock()
	t.closed = true
	close(t.stopping)
	if t.timer != nil {
		t.timer.Stop()
	}
	for s := range t.running {
		s.Shutdown()
	}
	t.mu.Unlock()
	cutOff := time.AfterFunc(patience, func() {
		t.abort()
		cut()
	})
	defer cutOff.Stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.count+t.answers > 0 {
		t.empty.Wait()
	}
}

func (t *sessions) abort() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.running {
		s.Abort()
	}
}
