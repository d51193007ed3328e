//go:build unix

package server

import (
	"io"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"wspipe/bridge"
)

// The table of children, without any child.

// begin marks sh as running, and returns whether it has been stopped.
func begin(t *children, sh *child) (stopped *atomic.Bool) {
	stopped = new(atomic.Bool)
	t.starting(sh)
	t.started(sh, func() { stopped.Store(true) }, make(chan struct{}))
	return stopped
}

func mustJoin(t *testing.T, table *children, e *Endpoint) *child {
	t.Helper()
	sh, flag := table.attach(childKey{endpoint: e, path: "/p"}, netip.Addr{}, 0)
	if flag != "" {
		t.Fatalf("no room: %s", flag)
	}
	return sh
}

// TestLinger: a child is stopped after the linger time without a client.
func TestLinger(t *testing.T) {
	for linger, want := range map[time.Duration][]bool{
		0:           {true, true, true},
		time.Minute: {false, false, true},
		-1:          {false, false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			table := newChildren(newSlots(0, 0), false)
			e := &Endpoint{Linger: linger}
			sh := mustJoin(t, table, e)
			stopped := begin(table, sh)
			table.detach(sh)
			for i, after := range []time.Duration{0, time.Minute - 1, 2} {
				time.Sleep(after)
				synctest.Wait()
				if stopped.Load() != want[i] {
					t.Errorf("linger %v: stopped is %v at step %d", linger, stopped.Load(), i)
				}
			}
			again := mustJoin(t, table, e)
			if (again == sh) == want[2] {
				t.Errorf("linger %v: the next client gets the same child: %v", linger, again == sh)
			}
			begin(table, again)
			table.detach(again)
		})
	}
}

// TestLingerRestarts: a client that attaches while the child lingers keeps it, and the linger time
// restarts when the client disconnects.
func TestLingerRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newChildren(newSlots(0, 0), false)
		e := &Endpoint{Linger: time.Minute}
		sh := mustJoin(t, table, e)
		stopped := begin(table, sh)
		table.detach(sh)
		time.Sleep(50 * time.Second)
		if mustJoin(t, table, e) != sh {
			t.Error("a lingering child is not shared")
		}
		time.Sleep(time.Hour)
		table.detach(sh)
		for range 10 { // each shortly before the linger time is over
			time.Sleep(time.Minute - 1)
			mustJoin(t, table, e)
			table.detach(sh)
		}
		table.expire(sh) // a timer that waited for the mutex
		synctest.Wait()
		if stopped.Load() {
			t.Error("stopped before its time")
		}
		time.Sleep(time.Minute + 1)
		synctest.Wait()
		if !stopped.Load() {
			t.Error("not stopped")
		}
	})
}

// TestSlotsOfShares: only the child takes a slot, even before its start.
func TestSlotsOfShares(t *testing.T) {
	t.Parallel()
	table := newChildren(newSlots(1, 0), false)
	e := &Endpoint{}
	sh := mustJoin(t, table, e)
	mustJoin(t, table, e)
	if _, flag := table.attach(childKey{endpoint: e, path: "/another"}, netip.Addr{}, 0); flag != "--maxforks" {
		t.Errorf("a second child gets a slot, %q", flag)
	}
	table.detach(sh)
	table.detach(sh) // before the start
	sh = mustJoin(t, table, e)
	table.fail(sh)
	again := mustJoin(t, table, e) // before all clients of the failed child have left
	table.detach(sh)
	if again == sh || mustJoin(t, table, e) != again {
		t.Error("what has failed is joined")
	}
	if table.slots.used != 1 {
		t.Errorf("%d slots are taken, want 1", table.slots.used)
	}
}

// TestSlotOfAChildThatEndsAtOnce: the process session may end before began is called.
func TestSlotOfAChildThatEndsAtOnce(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]func(*children, *child){
		"gone, began, left": {(*children).starting, (*children).processSessionEnded, beganBridge, (*children).detach},
		"began, gone, left": {(*children).starting, beganBridge, (*children).processSessionEnded, (*children).detach},
		"began, left, gone": {(*children).starting, beganBridge, (*children).detach, (*children).processSessionEnded},
		"failed, left":      {(*children).starting, (*children).fail, (*children).detach},
		"left":              {(*children).detach},
	} {
		e := &Endpoint{}
		for kind, key := range map[string]childKey{"single": {}, "shared": {endpoint: e, path: "/p"}, "resumable": {endpoint: e, path: "/p", session: "s"}} {
			table := newChildren(newSlots(1, 1), false)
			c, _ := table.attach(key, netip.Addr{}, 0)
			for i, step := range order {
				if flag := table.check(childKey{endpoint: e, path: "/another", session: "another"}, netip.Addr{}, 0); flag == "" && !(kind == "shared" && i > 1) {
					t.Errorf("%s, %s: the slot is free before step %d", name, kind, i)
				}
				step(table, c)
			}
			if table.slots.used != 0 || len(table.slots.perIP) != 0 {
				t.Errorf("%s, %s: the slot is not free", name, kind)
			}
		}
	}
}

// beganBridge calls began for a child with a bridge.
func beganBridge(t *children, c *child) {
	c.bridge = bridge.New(nothing{}, bridge.Options{Kind: bridge.Broadcast})
	t.started(c, func() {}, nil)
}

// nothing is a child whose methods are not called.
type nothing struct{ bridge.Child }

func (nothing) Stdin() io.WriteCloser { return nil }

// TestEndedChildIsNotJoined: even before retire is called.
func TestEndedChildIsNotJoined(t *testing.T) {
	t.Parallel()
	table := newChildren(newSlots(0, 0), false)
	e := &Endpoint{Linger: -1}
	sh := mustJoin(t, table, e)
	exited := make(chan struct{})
	table.starting(sh)
	table.started(sh, func() {}, exited)
	if mustJoin(t, table, e) != sh {
		t.Error("a running child is not joined")
	}
	close(exited)
	again := mustJoin(t, table, e)
	if again == sh {
		t.Error("an ended child is joined")
	}
	table.retire(sh)
	table.detach(sh)
	table.detach(sh)
	if mustJoin(t, table, e) != again {
		t.Error("the end of the first child has cost the second one its place")
	}
}

// TestNewSessionHasNoMessages: a new session has no messages, so a client that has some does not start
// it.
func TestNewSessionHasNoMessages(t *testing.T) {
	t.Parallel()
	table := newChildren(newSlots(1, 0), false)
	key := childKey{session: "id"}
	first, _ := table.attach(key, netip.Addr{}, 0)
	if rs, flag := table.attach(key, netip.Addr{}, 1); rs != nil || flag != "" {
		t.Errorf("got %v %q, want none", rs, flag)
	}
	if rs, _ := table.attach(key, netip.Addr{}, -1); rs != first {
		t.Errorf("got %v, want %v", rs, first)
	}
	table.detach(first)
	table.detach(first)
	if len(table.byKey) > 0 || table.slots.used > 0 {
		t.Error("it is not gone")
	}
}
