//go:build unix

package server_test

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// Section 4 of the contract: the life of a child.

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// leave has the ways in which a client disconnects, after the child has sent its pid.
var leave = map[string]func(c *wspipetest.Raw){
	"closes":    func(c *wspipetest.Raw) { c.Frame(fin|opClose, []byte{3, 232}) },
	"hangs up":  func(c *wspipetest.Raw) { c.Close() },
	"resets":    func(c *wspipetest.Raw) { c.TCP().SetLinger(0); c.Close() },
	"is silent": func(c *wspipetest.Raw) {}, // it does not answer pings
}

// goAndExpectGone starts a child that sends its pid, disconnects its client by depart, and checks that
// the process group ends.
func goAndExpectGone(t *testing.T, cfg server.Config, depart func(*wspipetest.Raw)) {
	t.Helper()
	s := serve(t, cfg)
	c := wspipetest.DialRaw(t, s.ws)
	pid := atoi(t, c.Message())
	depart(c)
	s.log.Await(t, `"disconnect"`, 1)
	awaitGone(t, pid)
}

func TestGroupEndsWithClient(t *testing.T) {
	for name, script := range map[string]string{
		"children":           `echo $$; sleep 1000 & sleep 1000 & wait`,
		"detached children":  `echo $$; sleep 1000 >/dev/null 2>&1 </dev/null & wait`,
		"ignores signals":    `trap '' INT TERM HUP; echo $$; while :; do sleep 1000; done`,
		"reads nothing":      `echo $$; exec sleep 1000`,
		"closed its outputs": `echo $$; exec >&- 2>&-; exec sleep 1000`,
	} {
		for how, depart := range leave {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				goAndExpectGone(t, server.Config{Endpoint: server.Endpoint{Child: sh(script), PingInterval: 500 * time.Millisecond}}, depart)
			})
		}
	}
}

func TestDisconnectDuringFlood(t *testing.T) {
	for how, depart := range leave {
		if how == "is silent" {
			continue // a client that does not read is blocked, not disconnected
		}
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			goAndExpectGone(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo $$; exec yes`)}}, depart)
		})
	}
}

func TestNoTailIsLostWhileTheClientSends(t *testing.T) {
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`read l; seq 3000`)}})
	for range 100 {
		c := dial(t, s.ws)
		for i := 1; i <= 3000; i++ {
			if i%10 == 1 { // it continues to send
				c.Write(c.Ctx, websocket.MessageText, []byte("more"))
			}
			c.Expect(strconv.Itoa(i))
		}
		c.ExpectEnd(1000, "exit 0")
	}
}

func TestDescendantHoldsOutput(t *testing.T) {
	for name, script := range map[string]string{
		"silent":  `echo $$; sleep 1000 & exit 4`,
		"talking": `echo $$; (while echo more; do sleep 0.05; done) & exit 4`,
		"deaf":    `echo $$; (trap '' INT TERM; while :; do sleep 1000; done) & exit 4`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(script)}}).ws)
			pid := atoi(t, c.Next())
			c.ExpectEnd(1000, "exit 4")
			awaitGone(t, pid)
		})
	}
}

func TestClosemsWaitsForABatchJob(t *testing.T) {
	t.Parallel()
	child := sh(`trap 'echo signalled >&2' INT TERM; cat >/dev/null; sleep 1; echo finished >&2`)
	child.Grace = process.WaitForever
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: child}})
	c := dial(t, s.ws)
	c.Send("work")
	c.Close(1000, "")
	s.log.Await(t, `"disconnect"`, 1)
	if log := s.log.String(); !strings.Contains(log, `"finished"`) || strings.Contains(log, `"signalled"`) {
		t.Error("the job was not left to finish")
	}
}

func TestMessagesBeforeCloseArrive(t *testing.T) {
	t.Parallel()
	child := sh(`exec wc -c >&2`)
	child.Grace = process.WaitForever
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: child, MaxMessage: 1 << 20}})
	c := dial(t, s.ws)
	for range 30 { // more than is queued for a child
		c.Send(strings.Repeat("x", 99_999))
	}
	c.Close(1000, "")
	s.log.Await(t, `"3000000"`, 1)
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`trap '' INT TERM; echo $$; while :; do sleep 1000; done`)}})
	var clients []*wspipetest.Client
	var pids []int
	for range 10 {
		c := dial(t, s.ws)
		clients, pids = append(clients, c), append(pids, atoi(t, c.Next()))
	}
	stuck := wspipetest.DialRaw(t, s.ws) // never answers the close frame
	pids = append(pids, atoi(t, stuck.Message()))
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
	for _, pid := range pids {
		if syscall.Kill(-pid, 0) == nil {
			t.Errorf("process group %d outlives the server", pid)
		}
	}
}

func TestNoChildNoSession(t *testing.T) {
	t.Parallel()
	for path, reason := range map[string]string{
		"/no/such/file": "cannot start: no such file",
		"/etc/passwd":   "cannot start: not executable",
	} {
		s := serve(t, server.Config{Endpoint: server.Endpoint{Child: process.Spec{Path: path}}, MaxChildren: 1})
		for range 2 { // the slot is freed
			dial(t, s.ws).ExpectEnd(1011, reason)
			awaitFree(t, s)
		}
	}
}

func TestExitIsReported(t *testing.T) {
	for _, test := range []struct {
		script string
		plain  websocket.StatusCode
		code   websocket.StatusCode // with --exit-close-code
		reason string
	}{
		{`exit 0`, 1000, 1000, "exit 0"},
		{`exit 3`, 1000, 4003, "exit 3"},
		{`exit 255`, 1000, 4255, "exit 255"},
		{`kill -TERM $$`, 1000, 4143, "signal TERM"},
		{`kill -KILL $$`, 1000, 4137, "signal KILL"},
	} {
		t.Run(test.script, func(t *testing.T) {
			t.Parallel()
			dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(test.script)}}).ws).ExpectEnd(test.plain, test.reason)
			dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(test.script), ExitCloseCode: true}}).ws).ExpectEnd(test.code, test.reason)
		})
	}
}

func TestChildThatClosesStdin(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec <&-; echo ready; sleep 0.3; seq 3; exit 2`)}}).ws)
	c.Expect("ready")
	ctx, cancel := context.WithCancel(c.Ctx)
	defer cancel()
	go func() {
		for c.Write(ctx, websocket.MessageText, []byte("unread")) == nil {
		}
	}()
	if got := c.ExpectEnd(1000, "exit 2"); len(got) != 3 {
		t.Errorf("got %q, want 1 2 3", got)
	}
}

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
