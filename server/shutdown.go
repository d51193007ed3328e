package server

import (
	"sync"
	"time"
)

// tracker is the table of everything that runs behind an accepted request.
type tracker struct {
	idleTimeout time.Duration // see Config.ExitWhenIdle
	idle        chan struct{} // gets a value when nothing has run for idleFor
	stopping    chan struct{} // closed when every session has been told of the shutdown
	gc          idleGC

	mu        sync.Mutex
	closed    bool // nothing begins any more
	count     int  // of clients of programs
	requests  int  // by what else shutdown waits for
	clients   map[shutdowner]struct{}
	children  map[*child]struct{}
	idleTimer *time.Timer // runs while count is zero and idleFor is not
	empty     sync.Cond   // on mu: count and held are zero
}

// shutdowner is what shutdown needs to know of one. Its methods do not wait.
type shutdowner interface {
	// Shutdown ends it because the server stops.
	Shutdown()
	// Abort closes its connection without another word.
	Abort()
}

func newTracker(idleFor time.Duration) *tracker {
	t := &tracker{
		idleTimeout: idleFor,
		idle:        make(chan struct{}, 1),
		stopping:    make(chan struct{}),
		clients:     make(map[shutdowner]struct{}),
		children:    make(map[*child]struct{}),
	}
	t.empty.L = &t.mu
	t.armIdle()
	return t
}

// begin counts a session, or another program, that is about to be, unless the server stops.
func (t *tracker) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.count++
	if t.idleTimer != nil {
		t.idleTimer.Stop()
	}
	t.gc.changed()
	return true
}

// addClient lets shutdown reach s. It reports false if the server stops
// already.
func (t *tracker) addClient(s shutdowner) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clients[s] = struct{}{}
	return !t.closed
}

// done takes back begin, and add if s is not nil.
func (t *tracker) done(s shutdowner) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.clients, s)
	if t.count--; t.count == 0 {
		t.armIdle()
	}
	t.empty.Broadcast()
	t.gc.changed()
}

// beginRequest counts a request that starts no program, until done is called. It
// reports false if the server stops.
func (t *tracker) beginRequest() (done func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false
	}
	t.requests++
	return t.endRequest, true
}

// addChild makes shutdown end c, and wait until release is called for it. It reports
// false if the server stops already. The caller has begun and is not done.
func (t *tracker) addChild(c *child) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.children[c] = struct{}{}
	return !t.closed
}

// removeChild takes back hold.
func (t *tracker) removeChild(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.children, c)
	t.empty.Broadcast()
}

// endRequest takes back answer.
func (t *tracker) endRequest() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests--
	t.empty.Broadcast()
}

func (t *tracker) armIdle() {
	if t.idleTimeout > 0 && !t.closed {
		t.idleTimer = time.AfterFunc(t.idleTimeout, t.reportIdle)
	}
}

func (t *tracker) reportIdle() {
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
func (t *tracker) shutdown(patience time.Duration, cut func()) {
	t.mu.Lock()
	t.closed = true
	if t.idleTimer != nil {
		t.idleTimer.Stop()
	}
	for s := range t.clients {
		s.Shutdown()
	}
	for c := range t.children { // not before, or clients would be told that their child has ended
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
	for t.count+t.requests+len(t.children) > 0 {
		t.empty.Wait()
	}
}

func (t *tracker) abort() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.clients {
		s.Abort()
	}
}
