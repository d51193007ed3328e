package server

import (
	"sync"
	"time"
)

// tracker tracks the admitted requests, the clients and the children, for the shutdown and for
// --exit-when-idle.
type tracker struct {
	idleTimeout time.Duration // see Config.ExitWhenIdle
	idle        chan struct{} // gets a value after idleTimeout without clients
	stopping    chan struct{} // closed when shutdown has called Shutdown on all
	gc          idleGC

	mu        sync.Mutex
	closed    bool // the server stops
	count     int  // clients of programs, including CGI requests
	requests  int  // other requests
	clients   map[shutdowner]struct{}
	children  map[*child]struct{}
	idleTimer *time.Timer // runs while count is zero, if idleTimeout is not
	empty     sync.Cond   // on mu; signalled when count, requests or children decreases
}

// shutdowner is a client, as shutdown uses it. The methods do not wait.
type shutdowner interface {
	// Shutdown closes the connection because the server stops.
	Shutdown()
	// Abort closes the connection without a closing handshake.
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

// begin counts a new client of a program, until done is called. It returns false if the server
// stops.
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

// addClient adds s to the clients that shutdown closes. It returns false if the server already
// stops.
func (t *tracker) addClient(s shutdowner) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clients[s] = struct{}{}
	return !t.closed
}

// done undoes begin and, if s is not nil, addClient.
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

// beginRequest counts a request that starts no program, until done is called. It returns false
// if the server stops.
func (t *tracker) beginRequest() (done func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false
	}
	t.requests++
	return t.endRequest, true
}

// addChild adds c to the children that shutdown stops. shutdown waits until removeChild is
// called. It returns false if the server already stops. The caller must be between begin and
// done.
func (t *tracker) addChild(c *child) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.children[c] = struct{}{}
	return !t.closed
}

// removeChild undoes addChild.
func (t *tracker) removeChild(c *child) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.children, c)
	t.empty.Broadcast()
}

// endRequest undoes beginRequest.
func (t *tracker) endRequest() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests--
	t.empty.Broadcast()
}

// armIdle starts idleTimer. The caller holds t.mu.
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

// shutdown closes all clients, stops all children and waits until they and all requests have
// ended. After timeout it aborts the remaining clients and calls closeConns to close the
// connections of other requests. It waits for children without limit.
func (t *tracker) shutdown(timeout time.Duration, closeConns func()) {
	t.mu.Lock()
	t.closed = true
	if t.idleTimer != nil {
		t.idleTimer.Stop()
	}
	for s := range t.clients {
		s.Shutdown()
	}
	for c := range t.children { // last, or clients would get the exit of their child
		c.bridge.Shutdown()
	}
	close(t.stopping)
	t.mu.Unlock()
	timer := time.AfterFunc(timeout, func() {
		t.abort()
		closeConns()
	})
	defer timer.Stop()
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
