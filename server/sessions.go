package server

import (
	"sync"
	"time"
)

// sessions is the table of everything that runs behind an accepted request.
type sessions struct {
	idleFor  time.Duration // see Config.ExitWhenIdle
	idle     chan struct{} // gets a value when nothing has run for idleFor
	stopping chan struct{} // closed when every session has been told of the shutdown
	tidier   tidier

	mu      sync.Mutex
	closed  bool // nothing begins any more
	count   int  // of clients of programs
	held    int  // by what else shutdown waits for
	running map[session]struct{}
	holding map[*child]struct{}
	timer   *time.Timer // runs while count is zero and idleFor is not
	empty   sync.Cond   // on mu: count and held are zero
}

// session is what shutdown needs to know of one. Its methods do not wait.
type session interface {
	// Shutdown ends it because the server stops.
	Shutdown()
	// Abort closes its connection without another word.
	Abort()
}

func newSessions(idleFor time.Duration) *sessions {
	t := &sessions{
		idleFor:  idleFor,
		idle:     make(chan struct{}, 1),
		stopping: make(chan struct{}),
		running:  make(map[session]struct{}),
		holding:  make(map[*child]struct{}),
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
	t.tidier.changed()
	return true
}

// add lets shutdown reach s. It reports false if the server stops
// already.
func (t *sessions) add(s session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[s] = struct{}{}
	return !t.closed
}

// done takes back begin, and add if s is not nil.
func (t *sessions) done(s session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, s)
	if t.count--; t.count == 0 {
		t.armIdle()
	}
	t.empty.Broadcast()
	t.tidier.changed()
}

// answer counts a request that starts no program, until done is called. It
// reports false if the server stops.
func (t *sessions) answer() (done func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false
	}
	t.held++
	return t.answered, true
}

// hold makes shutdown end c, and wait until release is called for it. It reports
// false if the server stops already. The caller has begun and is not done.
func (t *sessions) hold(c *child) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holding[c] = struct{}{}
	return !t.closed
}

// release takes back hold.
func (t *sessions) release(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.holding, c)
	t.empty.Broadcast()
}

// answered takes back answer.
func (t *sessions) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held--
	t.empty.Broadcast()
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

// shutdown ends every session and waits for all of them, and for what is held. Clients
// that have not closed after patience are cut off, and so are, by cut, those
// that have not taken their answer; children are always waited for.
func (t *sessions) shutdown(patience time.Duration, cut func()) {
	t.mu.Lock()
	t.closed = true
	if t.timer != nil {
		t.timer.Stop()
	}
	for s := range t.running {
		s.Shutdown()
	}
	for c := range t.holding { // not before, or clients would be told that their child has ended
		c.bridge.Shutdown()
	}
	close(t.stopping)
	t.mu.Unlock()
	cutOff := time.AfterFunc(patience, func() {
		t.abort()
		cut()
	})
	defer cutOff.Stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.count+t.held+len(t.holding) > 0 {
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
