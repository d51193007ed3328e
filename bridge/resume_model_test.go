//go:build unix

package bridge

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// walk drives a session by events and predicts its state from the table.
type walk struct {
	*resumableChild
	client *attachedClient // nil if no client is attached
	past   []string
}

// do makes e happen, if the test can do that in this state.
func (w *walk) do(e resumeEvent) {
	from := w.stateNow()
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
		if from == ended {
			w.refuse(-1, ErrSessionEnded)
			break
		}
		w.client = w.reattach(-1)
	case losesConnection:
		w.client.Reset()
	case disconnects:
		w.client.write(closeFrame(1000, ""))
		io.Copy(io.Discard, w.client.client)
	case exits:
		w.puppet.exit(7, "")
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
	gone := e == losesConnection || e == disconnects || e == acknowledges
	if older != nil && (older != w.client || gone) {
		older.lose()
	}
	if gone {
		w.client = nil
	}
	wspipetest.Eventually(w.t, fmt.Sprintf("%s after %s", stateNames[want], strings.Join(w.past, ", ")), func() bool { return w.stateNow() == want })
	w.check(want)
}

// check checks what must be true in state s.
func (w *walk) check(s resumeState) {
	over := false
	select {
	case <-w.over:
		over = true
	default:
	}
	if over != (s == ended) {
		w.t.Errorf("over %t in state %s after %v", over, stateNames[s], w.past)
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

// TestModelOfSessions compares sessions with the table in docs/sessions.md: each event in each state, and random
// events.
func TestModelOfSessions(t *testing.T) {
	t.Parallel()
	ways := [][]resumeEvent{{}, {attaches}, {attaches, exits}, {attaches, losesConnection, exits}, {ends}} // one to each state
	var all [][]resumeEvent
	for _, way := range ways {
		for e := range ends + 1 {
			all = append(all, append(way[:len(way):len(way)], e))
		}
	}
	for range 20 {
		var random []resumeEvent
		for range 12 {
			random = append(random, rand.N(expires)) // further events end it
		}
		all = append(all, random)
	}
	states := map[resumeState]bool{}
	for _, events := range all {
		w := &walk{resumableChild: startResumable(t, link{}, Options{})}
		for _, e := range events {
			states[w.stateNow()] = true
			w.do(e)
		}
	}
	if len(states) != len(stateNames) {
		t.Errorf("%d states were tried", len(states))
	}
}

// visit is one connection, in which the numbers received must be consecutive. It returns false if the session has
// ended.
func (r *resumableChild) visit() bool {
	c, to := connect(r.t, r.link)
	defer c.Close()
	a, err := r.Attach(to, ClientOptions{After: rand.Int64N(40) - 1})
	if err != nil {
		to.conn().Abort()
		<-to.conn().Closed()
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
		c.Reset()
	case 1:
		c.Write(closeFrame(1001, ""))
	}
	c.Close()
	<-done
	return true
}

// TestCompetingClients attach, disconnect and take over one session. Nothing is left of it when it ends, by its
// child's exit, by the grace period or by the server.
func TestCompetingClients(t *testing.T) {
	t.Parallel()
	for i := range 24 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			r := startResumable(t, link{}, Options{Buffer: 1000 + rand.N(100_000), Grace: time.Duration(1+rand.N(20)) * time.Millisecond})
			go func() { // ends when nobody reads any more
				for n, last := 1, 2000+rand.N(20_000); n < last; n++ {
					if _, err := fmt.Fprintln(r.far[1], n); err != nil {
						break
					}
				}
				r.puppet.exit(0, "")
			}()
			if i%3 == 0 {
				defer time.AfterFunc(time.Duration(rand.N(300))*time.Millisecond, r.Shutdown).Stop()
			}
			var all sync.WaitGroup
			for range 1 + i%4 {
				all.Go(func() { // ends with the session
					for r.visit() {
					}
				})
			}
			all.Wait()
			if r.mu.Lock(); r.state != ended || r.history.size > 0 {
				t.Errorf("state %s, %d bytes held", stateNames[r.state], r.history.size)
			}
			r.mu.Unlock()
		})
	}
}
