//go:build unix

package server_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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
