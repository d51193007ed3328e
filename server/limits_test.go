//go:build unix

package server_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/access"

	"github.com/coder/websocket"
)

// What bounds the life of a child, a client or the server.

func TestTimeLimits(t *testing.T) {
	t.Parallel()
	t.Run("max runtime", func(t *testing.T) {
		t.Parallel()
		s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec yes`), MaxRuntime: 300 * time.Millisecond}})
		dial(t, s.ws).ExpectEnd(4001, "max runtime")
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`), IdleTimeout: 300 * time.Millisecond}})
		dial(t, s.ws).ExpectEnd(4002, "idle timeout")
	})
	t.Run("half a line is no message", func(t *testing.T) {
		t.Parallel()
		s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`while printf .; do sleep 0.05; done`), IdleTimeout: 300 * time.Millisecond}})
		dial(t, s.ws).ExpectEnd(4002, "idle timeout")
	})
	t.Run("not idle", func(t *testing.T) {
		t.Parallel()
		// Twice the limit in total, but never silent for that long.
		s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.6; done`), IdleTimeout: 3 * time.Second}})
		if got := dial(t, s.ws).ExpectEnd(1000, "exit 0"); len(got) != 10 {
			t.Errorf("got %q", got)
		}
	})
}

func TestOnce(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{`exit 3`: 3, `exit 0`: 0, `kill -TERM $$`: 143} {
		s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(script)}, Once: true, Rules: access.Rules{Origins: nil}})
		refused(t, s.ws, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://evil.example"}}}) // does not count
		_, end := dial(t, s.ws).Rest()
		if end.Code != 1000 {
			t.Errorf("closed with %v", end)
		}
		if status := <-s.status; status != want {
			t.Errorf("%s: status %d, want %d", script, status, want)
		}
	}
}

func TestOnceServesOneClient(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Once: true})
	c := dial(t, s.ws)
	c.Send("x")
	c.Expect("x")
	if conn, _, err := websocket.Dial(c.Ctx, s.ws, nil); err == nil {
		conn.CloseNow()
		t.Error("a second client was let in")
	}
	c.Close(1000, "")
	<-s.status
}

func TestExitWhenIdle(t *testing.T) {
	t.Parallel()
	expectExitWhenIdle(t, server.Config{Endpoint: server.Endpoint{Child: sh(echoing)}})
}

// expectExitWhenIdle connects and disconnects a client. The server must stop after that, and not
// before.
func expectExitWhenIdle(t *testing.T, cfg server.Config) {
	t.Helper()
	cfg.ExitWhenIdle = 3 * time.Second // the client connects earlier
	s := serve(t, cfg)
	c, pid := arrive(t, s.ws)
	select {
	case <-s.status:
		t.Fatal("it stopped with a client connected")
	case <-time.After(2 * cfg.ExitWhenIdle):
	}
	c.Close(1000, "")
	select {
	case status := <-s.status:
		if status != 0 {
			t.Errorf("status %d, want 0", status)
		}
	case <-time.After(wspipetest.Patience):
		t.Fatal("it did not stop")
	}
	if syscall.Kill(-pid, 0) == nil {
		t.Error("the child outlives the server")
	}
}

func TestMaxForks(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]server.Config{"--maxforks": {MaxChildren: 2}, "--max-per-ip": {MaxPerIP: 2}} {
		cfg.Endpoint.Child = sh(`trap '' INT; echo $$; exec cat`)
		s := serve(t, cfg)
		first, second := dial(t, s.ws), dial(t, s.ws)
		pid := atoi(t, first.Next())
		second.Next()
		resp, body := refused(t, s.ws, nil)
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, name) {
			t.Errorf("got %d, Retry-After %q, %q", resp.StatusCode, resp.Header.Get("Retry-After"), body)
		}
		first.Close(1000, "")
		awaitGone(t, pid)
		s.log.Await(t, `"disconnect"`, 1)
		dial(t, s.ws).Next() // the slot was freed
	}
}
