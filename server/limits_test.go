//go:build unix

package server_test

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"wspipe/process"
	"wspipe/server"

	"github.com/coder/websocket"
)

// What bounds the life of a child, a client or the server.

// TestHalfALineIsNoMessage: a child that writes no whole line is idle.
func TestHalfALineIsNoMessage(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`while printf .; do sleep 0.05; done`), IdleTimeout: 300 * time.Millisecond}})
	dial(t, s.ws).ExpectEnd(4002, "idle timeout")
}

// TestNotIdle: a message starts the idle time again.
func TestNotIdle(t *testing.T) {
	t.Parallel()
	const limit = time.Second
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.2; done`), IdleTimeout: limit}})
	c := dial(t, s.ws)
	for last := time.Now(); ; last = time.Now() {
		if _, _, err := c.Read(c.Ctx); err != nil {
			if silent := time.Since(last); websocket.CloseStatus(err) != 1000 && silent < limit/2 { // or the machine is slow
				t.Errorf("%v after a silence of %v", err, silent)
			}
			return
		}
	}
}

// TestOnce: the exit status of the child, which ends with its client, is that of the server. A second
// client is not let in, and a refused one does not count.
func TestOnce(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{
		`echo in; exit 3`:                 3,
		`echo in; kill -TERM $$`:          143,
		`echo in; cat >/dev/null; exit 5`: 5, // after the client has disconnected
	} {
		for _, share := range []server.Share{server.ShareNone, server.ShareBroadcast} {
			cfg := shared(script)
			cfg.Once, cfg.Endpoint.Linger, cfg.Endpoint.Share = true, -1, share
			cfg.Endpoint.Child.Grace = process.WaitForever // the end of its stdin ends it, and no signal
			s := serve(t, cfg)
			refused(t, s.ws, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://evil.example"}}})
			c := dial(t, s.ws)
			c.Expect("in")
			if conn, _, err := websocket.Dial(c.Ctx, s.ws, nil); err == nil {
				conn.CloseNow()
				t.Error("a second client was let in")
			}
			c.Close(1000, "")
			s.expectStatus(t, want)
		}
	}
}

// TestExitWhenIdle: the server ends after its last client has disconnected, though a shared child
// lingers or a session is kept.
func TestExitWhenIdle(t *testing.T) {
	t.Parallel()
	lingering := shared(echoing)
	lingering.Endpoint.Linger = -1
	for name, cfg := range map[string]server.Config{"plain": {Endpoint: server.Endpoint{Child: sh(echoing)}}, "broadcast": lingering, "resume": resuming(echoing)} {
		cfg.ExitWhenIdle = time.Hour
		s := serve(t, cfg)
		c, pid := arrive(t, s.session(newID(), -1))
		s.SetExitWhenIdle(50 * time.Millisecond)
		c.Close(1001, "")
		s.expectStatus(t, 0)
		if syscall.Kill(-pid, 0) == nil {
			t.Errorf("%s: the child outlives the server", name)
		}
	}
}
