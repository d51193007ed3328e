//go:build unix

package bridge

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// walk drives a session by events and predicts its state from the table.
type walk struct {
	*resumableChild
	child  *puppet
	client *resumeConn // nil if no client is attached
	past   []string
}

// do makes e happen, if the test can do that in this state.
func (w *walk) do(e resumeEvent) {
	w.mu.Lock()
	from := w.state
	w.mu.Unlock()
	if w.client == nil && (e == losesConnection || e == disconnects) || e == acknowledges && from != ending || e == exits && from != attached && from != detached {
		return
	}
	w.past = append(w.past, eventNames[e])
	want := resumeStates[from][e]
	if want == unchanged {
		want = from
	}
	older := w.client
	switch e {
	case attaches:
		w.attachIn(from)
	case losesConnection:
		w.client.reset()
	case disconnects:
		w.client.write(closeFrame(1000, ""))
		io.Copy(io.Discard, w.client)
	case exits:
		w.child.exit(7, "")
	case acknowledges:
		w.client.expectClose(1000, "exit 7")
	case expires:
		w.mu.Lock()
		w.waiting = w.waiting.Add(-2 * w.opt.Grace) // time passes
		w.mu.Unlock()
		w.expire()
	case ends:
		w.Shutdown()
	}
	if older != nil && (older != w.client || e == losesConnection || e == disconnects || e == acknowledges) {
		older.client.Close()
		older.summary()
	}
	if e == losesConnection || e == disconnects || e == acknowledges {
		w.client = nil
	}
	wspipetest.Eventually(w.t, fmt.Sprintf("%s after %s", stateNames[want], strings.Join(w.past, ", ")), func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.state == want
	})
	w.check(want)
}

// attachIn attaches a client, which must be possible unless the session has ended.
func (w *walk) attachIn(from resumeState) {
	if from != ended {
		w.client = w.reattach(-1)
		return
	}
	c, on := w.dial()
	if _, err := w.Attach(NewWebSocket(on.ws, on.wire, false), ClientOptions{After: -1}); err != ErrSessionEnded {
		w.t.Errorf("after %v: %v", w.past, err)
	}
	c.Close()
	on.wire.Abort()
	<-on.wire.Closed()
}

// check checks what must be true in state s.
func (w *walk) check(s resumeState) {
	select {
	case <-w.over:
		if s != ended {
			w.t.Errorf("over in state %s after %v", stateNames[s], w.past)
		}
	default:
		if s == ended {
			w.t.Errorf("not over after %v", w.past)
		}
	}
	w.mu.Lock()
	stopped := !w.timer.Stop()
	if !stopped {
		w.timer.Reset(w.opt.Grace)
	}
	w.mu.Unlock()
	if stopped == s.waits() {
		w.t.Errorf("in state %s after %v the timer runs: %v", stateNames[s], w.past, !stopped)
	}
}

// TestModelOfSessions compares sessions with the table in docs/sessions.md, through
// random events.
func TestModelOfSessions(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	var mu sync.Mutex
	t.Cleanup(func() {
		for s, events := range resumeStates {
			for e := range events {
				if name := stateNames[s] + ", " + eventNames[e]; seen[name] == 0 {
					t.Errorf("never tried: %s", name)
				}
			}
		}
	})
	for i := range 500 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			w := &walk{resumableChild: startResumable(t, child, Options{}), child: child}
			for range 12 {
				w.mu.Lock()
				from := w.state
				w.mu.Unlock()
				e := resumeEvent(rand.N(int(ends) + 1))
				if resumeStates[from][e] == ended && rand.N(2) > 0 {
					e = attaches
				}
				before := len(w.past)
				if w.do(e); len(w.past) > before {
					mu.Lock()
					seen[stateNames[from]+", "+eventNames[e]]++
					mu.Unlock()
				}
			}
		})
	}
}

// compete lets several clients attach, disconnect and take over one session until it has
// ended. It returns how often a client was attached.
func (r *resumableChild) compete(clients int) int64 {
	var came atomic.Int64
	var all sync.WaitGroup
	for range clients {
		_, addr, conns := serve(r.t, link{})
		one := &resumableChild{resumable: r.resumable, t: r.t, link: r.link, addr: addr, conns: conns}
		all.Go(func() { // ends with the session
			for one.visit() {
				came.Add(1)
			}
		})
	}
	all.Wait()
	return came.Load()
}

// visit is one connection, in which the numbers received must be consecutive. It returns false
// if the session has ended.
func (r *resumableChild) visit() bool {
	c, on := r.dial()
	defer c.Close()
	a, err := r.Attach(NewWebSocket(on.ws, on.wire, false), ClientOptions{After: rand.Int64N(40) - 1})
	if err != nil {
		on.wire.Abort()
		<-on.wire.Closed()
		return err == ErrHistoryLost
	}
	done := make(chan bool)
	go func() { // ends with the connection
		a.Run()
		close(done)
	}()
	before := 0
	for left := rand.N(300); left > 0; left-- {
		f, err := c.frame()
		if err != nil {
			break
		}
		if f.first&^fin == wire.OpClose {
			if rand.N(2) == 0 {
				c.Write(maskedFrame(fin|wire.OpClose, f.payload))
				io.Copy(io.Discard, c)
			}
			break
		}
		n, _ := strconv.Atoi(string(f.payload))
		if before > 0 && n != before+1 {
			r.t.Errorf("%d comes after %d", n, before)
		}
		before = n
	}
	switch rand.N(4) {
	case 0:
		c.reset()
	case 1:
		c.Write(closeFrame(1001, ""))
	}
	c.Close()
	<-done
	return true
}

// TestCompetingClients: nothing is left of sessions that end at a random moment, by their
// child's exit, by the grace period or by the server.
func TestCompetingClients(t *testing.T) {
	t.Parallel()
	var came atomic.Int64
	t.Run("all", func(t *testing.T) {
		for i := range 200 {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				child := newPuppet(t)
				r := startResumable(t, child, Options{Buffer: 1000 + rand.N(100_000), Grace: time.Duration(1+rand.N(20)) * time.Millisecond})
				go func() { // ends when nobody reads any more
					for n, last := 1, 2000+rand.N(20_000); n < last; n++ {
						if _, err := fmt.Fprintln(child.far[1], n); err != nil {
							break
						}
					}
					child.exit(0, "")
				}()
				if i%3 == 0 {
					defer time.AfterFunc(time.Duration(rand.N(300))*time.Millisecond, r.Shutdown).Stop()
				}
				came.Add(r.compete(1 + i%4))
				if r.mu.Lock(); r.state != ended || r.history.size > 0 {
					t.Errorf("state %s, %d bytes held", stateNames[r.state], r.history.size)
				}
				r.mu.Unlock()
			})
		}
	})
	t.Logf("%d connections", came.Load())
}
