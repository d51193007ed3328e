//go:build unix

package server_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// The life of a shared child, and the limits, with real children.

// TestSharedChildLingers: for --linger after its last client disconnects, and no longer than the server
// runs.
func TestSharedChildLingers(t *testing.T) {
	t.Parallel()
	for linger, stays := range map[time.Duration]bool{0: false, 50 * time.Millisecond: false, time.Hour: true, -1: true} {
		cfg := shared(echoing)
		cfg.Endpoint.Linger = linger
		s := serve(t, cfg)
		a, pid := arrive(t, s.ws)
		a.Close(1000, "")
		s.log.Await(t, `"disconnect"`, 1)
		if !stays {
			awaitGone(t, pid)
		}
		b, next := arrive(t, s.ws)
		if (pid == next) != stays {
			t.Errorf("linger %v: the children are %d and %d", linger, pid, next)
		}
		b.Close(1000, "")
		s.log.Await(t, `"disconnect"`, 2)
		s.stop()
		<-s.status
		if syscall.Kill(-next, 0) == nil {
			t.Errorf("linger %v: the child outlives the server", linger)
		}
	}
}

// TestChildBeingStoppedIsNotShared: a client that connects then starts a new one. With --maxforks
// that needs a slot, which the old child has until its end.
func TestChildBeingStoppedIsNotShared(t *testing.T) {
	t.Parallel()
	const stubborn = `trap '' INT TERM; ` + echoing + `; while :; do sleep 1000; done`
	s := serve(t, shared(stubborn))
	a, pid := arrive(t, s.ws)
	a.Close(1000, "")
	s.log.Await(t, `"disconnect"`, 1)
	_, next := arrive(t, s.ws)
	if pid == next {
		t.Errorf("a child that is being stopped is shared")
	}
	cfg := shared(stubborn)
	cfg.MaxChildren = 1
	s = serve(t, cfg)
	a, pid = arrive(t, s.ws)
	a.Close(1000, "")
	s.log.Await(t, `"disconnect"`, 1)
	resp, body := refused(t, s.ws, nil)
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, "--maxforks") {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
	s.log.Await(t, `"shared child ended"`, 1)
	if _, next = arrive(t, s.ws); pid == next {
		t.Errorf("a child that was stopped is shared")
	}
}

// TestSharedChildCannotStart: all waiting clients get 1011, and the next one tries again.
func TestSharedChildCannotStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "late")
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: process.Spec{Path: path}, Share: server.ShareBroadcast, MaxMessage: 1 << 20}, MaxChildren: 1, MaxPerIP: 5})
	for range 3 {
		var clients []*wspipetest.Client
		for range 5 {
			clients = append(clients, dial(t, s.ws))
		}
		for _, c := range clients {
			c.ExpectEnd(1011, "cannot start: no such file")
		}
		wspipetest.Eventually(t, "the places come free", s.unused)
	}
	wspipetest.WriteFile(t, path, "#!/bin/sh\n"+echoing+"\n")
	arrive(t, s.ws)
}

// TestLimitsOfSharedChildren: --maxforks limits children, --max-per-ip limits clients.
func TestLimitsOfSharedChildren(t *testing.T) {
	t.Parallel()
	cfg := server.Config{Dir: t.TempDir(), Endpoint: server.Endpoint{Share: server.ShareBroadcast, MaxMessage: 1 << 20}, MaxChildren: 1, MaxPerIP: 3}
	for _, name := range []string{"a", "b"} {
		wspipetest.WriteFile(t, filepath.Join(cfg.Dir, name), "#!/bin/sh\n"+echoing+"\n")
	}
	s := serve(t, cfg)
	a, _ := arrive(t, s.ws+"a")
	b, _ := arrive(t, s.ws+"a")
	expect429 := func(path, want string) {
		t.Helper()
		resp, body := refused(t, s.ws+path, nil)
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, want) {
			t.Errorf("got %d, Retry-After %q, %q, want 429 %q", resp.StatusCode, resp.Header.Get("Retry-After"), body, want)
		}
	}
	expect429("b", "too many children (--maxforks)")
	for range 3 { // none of them takes a slot
		if resp := handshake(t, s.ws+"a", http.Header{"Sec-Websocket-Version": {"8"}}); resp.StatusCode != 400 {
			t.Fatalf("got %d, want 400", resp.StatusCode)
		}
	}
	wspipetest.Eventually(t, "none of them is counted", func() bool { return s.SlotsOf("127.0.0.1") == 2 })
	c, _ := arrive(t, s.ws+"a")
	expect429("a", "too many clients at your address (--max-per-ip)")
	a.Close(1000, "")
	s.log.Await(t, `"disconnect"`, 1)
	d, _ := arrive(t, s.ws+"a")
	for _, c := range []*wspipetest.Client{b, c, d} {
		c.Close(1000, "")
	}
	s.log.Await(t, `"shared child ended"`, 1)
	if !s.unused() {
		t.Error("somebody has gone and is still counted")
	}
	arrive(t, s.ws+"b")
}

// TestFailedHandshakeStartsNothing: even if it is the first, and it takes no slot.
func TestFailedHandshakeStartsNothing(t *testing.T) {
	t.Parallel()
	cfg := shared(echoing)
	cfg.MaxChildren, cfg.Endpoint.Linger = 1, -1
	s := serve(t, cfg)
	if resp := handshake(t, s.ws, http.Header{"Sec-Websocket-Key": {"short"}}); resp.StatusCode != 400 {
		t.Fatalf("got %d, want 400", resp.StatusCode)
	}
	wspipetest.Eventually(t, "its place comes free", s.unused)
	if strings.Contains(s.log.String(), "shared child") {
		t.Error("a child was started")
	}
	arrive(t, s.ws)
}

// TestShutdownWithBroadcast: each client gets 1001, also if another does not answer. The child is stopped,
// and the server waits for it.
func TestShutdownWithBroadcast(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{"obedient": echoing, "stubborn": `trap '' INT TERM; ` + echoing + `; while :; do sleep 1000; done`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := shared(script)
			cfg.Endpoint.Linger = -1
			s := serve(t, cfg)
			var clients []*wspipetest.Client
			pid := 0
			for range 10 {
				c, id := arrive(t, s.ws)
				clients, pid = append(clients, c), id
			}
			wspipetest.DialRaw(t, s.ws) // never answers the close frame
			s.log.Await(t, `"connect"`, 11)
			s.stop()
			for _, c := range clients {
				c.ExpectEnd(1001, "server shutting down")
			}
			select {
			case status := <-s.status:
				if status != 0 {
					t.Errorf("status %d, want 0", status)
				}
			case <-time.After(wspipetest.Patience):
				t.Fatal("the server did not stop")
			}
			if syscall.Kill(-pid, 0) == nil {
				t.Error("the child outlives the server")
			}
		})
	}
}

// TestSharedExitWhenIdle: a server without clients is idle, even if a child lingers.
func TestSharedExitWhenIdle(t *testing.T) {
	t.Parallel()
	cfg := shared(echoing)
	cfg.Endpoint.Linger = -1
	expectExitWhenIdle(t, cfg)
}

// TestSharedOnce: the child ends with the one client, without lingering, and its exit status is that of
// the server.
func TestSharedOnce(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{
		`echo in; exit 3`:                                          3,
		`echo in; kill -TERM $$`:                                   143,
		`echo in; cat >/dev/null; exit 5`:                          5, // after the client has disconnected
		`trap 'exit 6' INT; echo in; while :; do sleep 0.05; done`: 6,
	} {
		cfg := shared(script)
		cfg.Once, cfg.Endpoint.Linger = true, -1
		s := serve(t, cfg)
		c := dial(t, s.ws)
		c.Expect("in")
		if conn, _, err := websocket.Dial(c.Ctx, s.ws, nil); err == nil {
			conn.CloseNow()
			t.Error("a second client was let in")
		}
		c.Close(1000, "")
		select {
		case status := <-s.status:
			if status != want {
				t.Errorf("%s: status %d, want %d", script, status, want)
			}
		case <-time.After(wspipetest.Patience):
			t.Fatalf("%s: the server did not stop", script)
		}
	}
}
