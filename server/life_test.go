//go:build unix

package server

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
)

// Section 4 of the contract: the life of a child.

// awaitGone waits until no process of the group that pid led is left.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(patience); syscall.Kill(-pid, 0) == nil; {
		if time.Now().After(end) {
			t.Fatalf("process group %d still runs", pid)
		}
		<-time.After(time.Millisecond) // nothing tells the end of a group
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// leave are the ways in which a client goes, after the child has said its pid.
var leave = map[string]func(c *rawClient){
	"closes":    func(c *rawClient) { c.frame(fin|opClose, []byte{3, 232}) },
	"hangs up":  func(c *rawClient) { c.TCPConn.Close() },
	"resets":    func(c *rawClient) { c.SetLinger(0); c.TCPConn.Close() },
	"is silent": func(c *rawClient) {}, // it answers no ping
}

// goAndExpectGone lets a client depart from a child that says its pid first,
// of which nothing must be left then.
func goAndExpectGone(t *testing.T, cfg Config, depart func(*rawClient)) {
	t.Helper()
	s := serve(t, cfg)
	c := dialRaw(t, s.ws)
	pid := atoi(t, c.message())
	depart(c)
	s.log.await(t, `"disconnect"`, 1)
	awaitGone(t, pid)
}

func TestTheGroupGoesWithItsClient(t *testing.T) {
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
				goAndExpectGone(t, Config{Child: sh(script), PingInterval: 50 * time.Millisecond}, depart)
			})
		}
	}
}

func TestAFloodEndsWithItsClient(t *testing.T) {
	for how, depart := range leave {
		if how == "is silent" {
			continue // who does not read is held up, not dropped
		}
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			goAndExpectGone(t, Config{Child: sh(`echo $$; exec yes`)}, depart)
		})
	}
}

// TestAClientThatHasSentTooMuchAndGone: the child reads nothing, so neither
// do we any more, and still the slot must come free.
func TestAClientThatHasSentTooMuchAndGone(t *testing.T) {
	for how, depart := range leave {
		if how == "closes" || how == "is silent" {
			continue // its close frame, or its pong, would lie behind the 5 MB
		}
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := serve(t, Config{Child: sh(`echo $$; exec sleep 1000`), MaxChildren: 1, PingInterval: 100 * time.Millisecond})
			c := dialRaw(t, s.ws)
			pid := atoi(t, c.message())
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range 50 {
					if c.frame(fin|opText, make([]byte, 100_000)) != nil {
						return
					}
				}
			}()
			select { // until we no longer read, or everything is sent
			case <-sent:
			case <-time.After(500 * time.Millisecond):
			}
			depart(c)
			s.log.await(t, `"disconnect"`, 1)
			awaitGone(t, pid)
			atoi(t, dialRaw(t, s.ws).message())
		})
	}
}

func TestNoTailIsLostWhileTheClientSends(t *testing.T) {
	s := serve(t, Config{Child: sh(`read l; seq 3000`)})
	for range 100 {
		c := dial(t, s.ws)
		for i := 1; i <= 3000; i++ {
			if i%10 == 1 { // it goes on sending, whether anybody reads or not
				c.Write(c.Ctx, websocket.MessageText, []byte("more"))
			}
			c.Expect(strconv.Itoa(i))
		}
		c.ExpectEnd(1000, "exit 0")
	}
}

func TestASlowClientGetsEverythingAfterTheExit(t *testing.T) {
	t.Parallel()
	const lines = 20_000 // 20 MB, more than all kernel buffers on the way
	s := serve(t, Config{Child: sh(fmt.Sprintf(`seq -f %%01000.0f %d; exit 5`, lines))})
	c := dial(t, s.ws)
	for i := 1; i <= lines; i++ {
		c.Expect(fmt.Sprintf("%01000d", i))
		if i == lines/2 { // longer than any grace after an exit
			<-time.After(3 * time.Second)
		}
	}
	c.ExpectEnd(1000, "exit 5")
}

func TestADescendantDoesNotHoldTheConnection(t *testing.T) {
	for name, script := range map[string]string{
		"silent":  `echo $$; sleep 1000 & exit 4`,
		"talking": `echo $$; (while echo more; do sleep 0.05; done) & exit 4`,
		"deaf":    `echo $$; (trap '' INT TERM; while :; do sleep 1000; done) & exit 4`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, serve(t, Config{Child: sh(script)}).ws)
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
	s := serve(t, Config{Child: child})
	c := dial(t, s.ws)
	c.Send("work")
	c.Close(1000, "")
	s.log.await(t, `"disconnect"`, 1)
	if log := s.log.String(); !strings.Contains(log, `"finished"`) || strings.Contains(log, `"signalled"`) {
		t.Error("the job was not left to finish")
	}
}

func TestWhatWasSentBeforeTheCloseArrives(t *testing.T) {
	t.Parallel()
	child := sh(`exec wc -c >&2`)
	child.Grace = process.WaitForever
	s := serve(t, Config{Child: child, MaxMessage: 1 << 20})
	c := dial(t, s.ws)
	for range 30 { // more than may wait for a child
		c.Send(strings.Repeat("x", 99_999))
	}
	c.Close(1000, "")
	s.log.await(t, `"3000000"`, 1)
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Child: sh(`trap '' INT TERM; echo $$; while :; do sleep 1000; done`)})
	var clients []*wspipetest.Client
	var pids []int
	for range 10 {
		c := dial(t, s.ws)
		clients, pids = append(clients, c), append(pids, atoi(t, c.Next()))
	}
	stuck := dialRaw(t, s.ws) // never answers the close frame
	pids = append(pids, atoi(t, stuck.message()))
	s.stop()
	for _, c := range clients {
		c.ExpectEnd(1001, "server shutting down")
	}
	select {
	case status := <-s.status:
		if status != 0 {
			t.Errorf("status %d, want 0", status)
		}
	case <-time.After(patience):
		t.Fatal("the server did not stop")
	}
	for _, pid := range pids {
		if syscall.Kill(-pid, 0) == nil {
			t.Errorf("process group %d outlives the server", pid)
		}
	}
}

func TestTimeLimits(t *testing.T) {
	t.Parallel()
	t.Run("max runtime", func(t *testing.T) {
		t.Parallel()
		s := serve(t, Config{Child: sh(`exec yes`), MaxRuntime: 300 * time.Millisecond})
		dial(t, s.ws).ExpectEnd(4001, "max runtime")
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		s := serve(t, Config{Child: sh(`exec cat`), IdleTimeout: 300 * time.Millisecond})
		dial(t, s.ws).ExpectEnd(4002, "idle timeout")
	})
	t.Run("half a line is no message", func(t *testing.T) {
		t.Parallel()
		s := serve(t, Config{Child: sh(`while printf .; do sleep 0.05; done`), IdleTimeout: 300 * time.Millisecond})
		dial(t, s.ws).ExpectEnd(4002, "idle timeout")
	})
	t.Run("not idle", func(t *testing.T) {
		t.Parallel()
		// Twice the limit in all, but never silent for so long.
		s := serve(t, Config{Child: sh(`for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.2; done`), IdleTimeout: time.Second})
		if got := dial(t, s.ws).ExpectEnd(1000, "exit 0"); len(got) != 10 {
			t.Errorf("got %q", got)
		}
	})
}

func TestOnce(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{`exit 3`: 3, `exit 0`: 0, `kill -TERM $$`: 143} {
		s := serve(t, Config{Child: sh(script), Once: true, Origins: nil})
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

func TestOnceServesNobodyElse(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Child: sh(`exec cat`), Once: true})
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
	const idle = 300 * time.Millisecond
	s := serve(t, Config{Child: sh(`exec cat`), ExitWhenIdle: idle})
	c := dial(t, s.ws)
	select {
	case <-s.status:
		t.Fatal("it stopped with a client connected")
	case <-time.After(2 * idle):
	}
	c.Close(1000, "")
	select {
	case status := <-s.status:
		if status != 0 {
			t.Errorf("status %d, want 0", status)
		}
	case <-time.After(patience):
		t.Error("it did not stop")
	}
}

func TestMaxForks(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{"--maxforks": {MaxChildren: 2}, "--max-per-ip": {MaxPerIP: 2}} {
		cfg.Child = sh(`trap '' INT; echo $$; exec cat`)
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
		s.log.await(t, `"disconnect"`, 1)
		dial(t, s.ws).Next() // the slot is free
	}
}

func TestNoChildNoSession(t *testing.T) {
	t.Parallel()
	for path, reason := range map[string]string{
		"/no/such/file": "cannot start: no such file",
		"/etc/passwd":   "cannot start: not executable",
	} {
		s := serve(t, Config{Child: process.Spec{Path: path}, MaxChildren: 1})
		for range 2 { // the slot comes free
			dial(t, s.ws).ExpectEnd(1011, reason)
		}
	}
}

func TestExitIsTold(t *testing.T) {
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
			dial(t, serve(t, Config{Child: sh(test.script)}).ws).ExpectEnd(test.plain, test.reason)
			dial(t, serve(t, Config{Child: sh(test.script), ExitCloseCode: true}).ws).ExpectEnd(test.code, test.reason)
		})
	}
}

func TestChildThatClosesStdin(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t, Config{Child: sh(`exec <&-; echo ready; sleep 0.3; seq 3; exit 2`)}).ws)
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

// TestAFewStuckClientsHurtNobody: those who do not read hold up their own
// child, without a ping ending them, and nobody else.
func TestAFewStuckClientsHurtNobody(t *testing.T) {
	t.Parallel()
	const lines, ping = 20_000, 500 * time.Millisecond // 20 MB, more than all kernel buffers
	s := serve(t, Config{Child: sh(fmt.Sprintf(`exec seq -f %%01000.0f %d`, lines)), PingInterval: ping})
	stuck := make([]*rawClient, 5)
	for i := range stuck {
		stuck[i] = dialRaw(t, s.ws)
	}
	pause := time.After(6 * ping) // a client that answers no ping for three is given up
	for range 3 {
		if got := dial(t, s.ws).ExpectEnd(1000, "exit 0"); len(got) != lines {
			t.Fatalf("got %d messages", len(got))
		}
	}
	<-pause
	for _, c := range stuck {
		if n := c.countMessages(); n != lines {
			t.Errorf("a client that paused got %d messages", n)
		}
	}
}

// TestOneEndlessMessageIsHeldUp: a single message without a bound, and a child
// that does not read, must not fill our memory.
func TestOneEndlessMessageIsHeldUp(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	s := serve(t, Config{Child: sh(`read go <"$FIFO"; head -n 1 | wc -c`), SetEnv: []string{"FIFO=" + fifo(t)}})
	c := dialRaw(t, s.ws)
	sent := make(chan int)
	go func() {
		defer close(sent)
		head := byte(opText)
		for range size / 65536 {
			if c.frame(head, make([]byte, 65536)) != nil {
				return
			}
			head = 0 // continuation
			sent <- 65536
		}
		c.frame(fin, nil)
	}()
	held, timeout := 0, time.After(3*time.Second)
	for stuck := false; !stuck; {
		select {
		case n := <-sent:
			held += n
		case <-timeout: // far longer than sending all of it takes
			stuck = true
		}
	}
	if held == size {
		t.Error("the client could send everything to a child that reads nothing")
	}
	if err := os.WriteFile(strings.TrimPrefix(s.cfg.SetEnv[0], "FIFO="), []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	for range sent {
	}
	if got := c.message(); got != strconv.Itoa(size+1) {
		t.Errorf("the child read %s bytes, want %d", got, size+1)
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
