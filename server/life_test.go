//go:build unix

package server_test

import (
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

// TestProcessSessionEndsWithClient, whatever the child does, and however the client disconnects.
func TestProcessSessionEndsWithClient(t *testing.T) {
	const stubborn = `trap '' INT TERM HUP; echo $$; exec >&- 2>&-; while :; do sleep 1000; done`
	test := func(name, script string, depart func(*wspipetest.Raw)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			goAndExpectGone(t, server.Config{Endpoint: server.Endpoint{Child: sh(script), PingInterval: 500 * time.Millisecond}}, depart)
		})
	}
	for how, depart := range leave {
		test(how, stubborn, depart)
	}
	test("children", `echo $$; sleep 1000 & sleep 1000 & wait`, leave["hangs up"])
	test("detached children", `echo $$; sleep 1000 >/dev/null 2>&1 </dev/null & wait`, leave["hangs up"])
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
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`read l; seq 300`)}})
	for range 100 {
		c := dial(t, s.ws)
		for i := 1; i <= 300; i++ {
			if i%10 == 1 { // it continues to send
				c.Write(c.Ctx, websocket.MessageText, []byte("more"))
			}
			c.Expect(strconv.Itoa(i))
		}
		c.ExpectEnd(1000, "exit 0")
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

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
