//go:build unix

package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// The life of a session that survives, and the limits, with real children.

// holding returns a script that sends its pid, and then runs script when the file GO exists.
func holding(script string) string {
	return `echo $$; while ! [ -e "$GO" ]; do sleep 0.01; done; ` + script
}

// TestExitIsKept: for a client that is disconnected when its child exits, or that disconnects before
// it answers the close frame.
func TestExitIsKept(t *testing.T) {
	for name, test := range map[string]struct {
		script       string
		plain, close websocket.StatusCode
		reason, exit string
	}{
		"success": {`echo last; printf part; exit 0`, 1000, 1000, "exit 0", `{"type":"exit","code":0}`},
		"failure": {`echo last; printf part; exit 3`, 1000, 4003, "exit 3", `{"type":"exit","code":3}`},
		"signal":  {`echo last; printf part; kill -KILL $$`, 1000, 4137, "signal KILL", `{"type":"exit","signal":"KILL"}`},
	} {
		for _, exitCode := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%t", name, exitCode), func(t *testing.T) {
				t.Parallel()
				goFile := filepath.Join(t.TempDir(), "go")
				cfg := resuming(holding(test.script))
				cfg.Endpoint.SetEnv, cfg.Endpoint.ExitCloseCode = []string{"GO=" + goFile}, exitCode
				s := serve(t, cfg)
				plainID, channelID := newID(), newID()
				c, d := dial(t, s.session(plainID, -1)), dialChannels(t, s.session(channelID, -1), channel.ProtocolWspipe)
				pid := atoi(t, c.Next())
				d.Next()
				d.expect(1, "")
				d.Next()
				c.CloseNow()
				d.CloseNow()
				s.log.Await(t, `"disconnect"`, 2)
				wspipetest.WriteFile(t, goFile, "")
				awaitGone(t, pid)
				wspipetest.Eventually(t, "the slots come free", s.noSlots)
				code := test.plain
				if exitCode {
					code = test.close
				}
				unanswering := wspipetest.DialRaw(t, s.session(plainID, 1)) // it disconnects without answering the close frame
				if got, reason := unanswering.Closed(); got != uint16(code) || reason != test.reason {
					t.Errorf("closed with %d %q", got, reason)
				}
				unanswering.Reset()
				s.log.Await(t, `"disconnect"`, 3)
				if got := dial(t, s.session(plainID, 1)).ExpectEnd(code, test.reason); strings.Join(got, "|") != "last|part" {
					t.Errorf("got %q", got)
				}
				said := dialChannels(t, s.session(channelID, -1), channel.ProtocolWspipe).rest()
				if said.on[1] != strconv.Itoa(atoi(t, strings.SplitN(said.on[1], "\n", 2)[0]))+"\nlast\npart" || !strings.HasSuffix(said.on[5], test.exit) || said.end.Code != code {
					t.Errorf("got %+v", said)
				}
				wspipetest.Eventually(t, "what was told is forgotten", s.unused)
				dial(t, s.session(plainID, 1)).ExpectEnd(4011, "history lost")
			})
		}
	}
}

// TestGracePeriodEnds: after the grace period nothing is left of a session, whether its child runs or has
// exited.
func TestGracePeriodEnds(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{"running": `echo $$; exec cat`, "blocked": `echo $$; exec yes`,
		"stubborn": `trap '' INT TERM HUP; echo $$; while :; do sleep 1000; done`, "ended": `echo $$; read -r l; seq 10000`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := resuming(script)
			cfg.Endpoint.Resume = 400 * time.Millisecond
			s := serve(t, cfg)
			id := newID()
			c := dial(t, s.session(id, -1))
			pid := atoi(t, c.Next())
			if name == "ended" {
				c.Send("go")
			}
			gone := time.Now()
			c.Close(1001, "")
			s.log.Await(t, `"disconnect"`, 1)
			s.log.Await(t, `"session expired"`, 1)
			if after := time.Since(gone); after < cfg.Endpoint.Resume {
				t.Errorf("expired after %v", after)
			}
			s.log.Await(t, `"session ended"`, 1)
			awaitGone(t, pid)
			wspipetest.Eventually(t, "nothing is left", s.unused)
			dial(t, s.session(id, 1)).ExpectEnd(4011, "history lost")
		})
	}
}

// TestFullHistoryBlocksChild: a full history blocks the child while no client is attached. It
// continues when the client is back, and nothing is lost.
func TestFullHistoryBlocksChild(t *testing.T) {
	t.Parallel()
	const lines = 6000 // 6.6 MB
	counter := filepath.Join(t.TempDir(), "counter")
	cfg := resuming(fmt.Sprintf(`echo $$; i=0; while [ $i -lt %d ]; do i=$((i+1)); echo "$i %01100d"; echo . >>"$COUNTER"; done`, lines, 0))
	cfg.Endpoint.SetEnv = []string{"COUNTER=" + counter}
	s := serve(t, cfg)
	id := newID()
	c := dial(t, s.session(id, -1))
	c.Next()
	c.CloseNow()
	s.log.Await(t, `"disconnect"`, 1)
	written := func() int64 {
		info, err := os.Stat(counter)
		if err != nil {
			return 0
		}
		return info.Size() / 2
	}
	wspipetest.Eventually(t, "the history is full", func() bool { return written() > 900 })
	for before := int64(0); before != written(); <-time.After(300 * time.Millisecond) {
		before = written()
	}
	if n := written(); n > 2000 {
		t.Errorf("it wrote %d lines of 1.1 KB while nobody was there", n)
	}
	c = dial(t, s.session(id, 1))
	for i := 1; i <= lines; i++ {
		if got, _, _ := strings.Cut(c.Next(), " "); got != strconv.Itoa(i) {
			t.Fatalf("got %s, want %d", got, i)
		}
	}
	c.ExpectEnd(1000, "exit 0")
}

// TestLimitsOfSessions: only running children take slots. At most --maxforks sessions whose child has
// ended are kept, the latest.
func TestLimitsOfSessions(t *testing.T) {
	t.Parallel()
	cfg := resuming(`echo $$; read -r l; echo "$l"; exit 3`)
	cfg.MaxChildren, cfg.MaxPerIP = 2, 2
	s := serve(t, cfg)
	var ids []string
	for i := range 8 {
		id := newID()
		ids = append(ids, id)
		c := dial(t, s.session(id, -1))
		c.Next()
		c.Send(strconv.Itoa(i))
		c.CloseNow()
		s.log.Await(t, `"disconnect"`, i+1)
		wspipetest.Eventually(t, "its slot comes free", s.noSlots)
	}
	if n := s.Usage().Children; n > 4 {
		t.Errorf("%d sessions are kept", n)
	}
	dial(t, s.session(ids[0], 1)).ExpectEnd(4011, "history lost")
	if got := dial(t, s.session(ids[7], 1)).ExpectEnd(1000, "exit 3"); len(got) != 1 || got[0] != "7" {
		t.Errorf("got %q", got)
	}
	a, b := newID(), newID()
	pid := dial(t, s.session(a, -1)).Next()
	dial(t, s.session(b, -1)).Next()
	resp, body := refused(t, s.session(newID(), -1), nil)
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, "--max") {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
	if again := dial(t, s.session(a, 0)).Next(); again != pid { // a known session needs no slot
		t.Errorf("it came back to %s, not %s", again, pid)
	}
}

// TestFailedStartLeavesNoSession: the next attempt works.
func TestFailedStartLeavesNoSession(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "late")
	cfg := resuming("")
	cfg.Endpoint.Child, cfg.MaxChildren = process.Spec{Path: path}, 1
	s := serve(t, cfg)
	id := newID()
	for range 3 {
		dial(t, s.session(id, 0)).ExpectEnd(1011, "cannot start: no such file")
		wspipetest.Eventually(t, "its slot comes free", s.unused)
	}
	wspipetest.WriteFile(t, path, "#!/bin/sh\n"+echoing+"\n")
	arrive(t, s.session(id, -1))
}

// TestViolationEndsSession: a client that breaks a rule cannot attach again, and the child is stopped. So
// it is after --max-runtime, and after --idle-timeout while a client is attached.
func TestViolationEndsSession(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cfg    server.Config
		do     func(c *wspipetest.Raw)
		code   uint16
		reason string
	}{
		"too big":     {server.Config{Endpoint: server.Endpoint{MaxMessage: 1000}}, func(c *wspipetest.Raw) { c.Frame(fin|opText, make([]byte, 1001)) }, 1009, "message over 1000 bytes"},
		"not UTF-8":   {server.Config{}, func(c *wspipetest.Raw) { c.Frame(fin|opText, []byte("\xff")) }, 1007, "text is not UTF-8"},
		"max runtime": {server.Config{Endpoint: server.Endpoint{MaxRuntime: 300 * time.Millisecond}}, func(c *wspipetest.Raw) {}, 4001, "max runtime"},
		"idle":        {server.Config{Endpoint: server.Endpoint{IdleTimeout: 300 * time.Millisecond}}, func(c *wspipetest.Raw) {}, 4002, "idle timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := resuming(`echo $$; exec cat`)
			cfg.Endpoint.MaxRuntime, cfg.Endpoint.IdleTimeout = test.cfg.Endpoint.MaxRuntime, test.cfg.Endpoint.IdleTimeout
			if test.cfg.Endpoint.MaxMessage > 0 {
				cfg.Endpoint.MaxMessage = test.cfg.Endpoint.MaxMessage
			}
			s := serve(t, cfg)
			id := newID()
			c := wspipetest.DialRaw(t, s.session(id, -1))
			pid := atoi(t, c.Message())
			if test.cfg.Endpoint.MaxRuntime+test.cfg.Endpoint.IdleTimeout == 0 { // which do not wait
				c.Reset()
				s.log.Await(t, `"disconnect"`, 1)
				c = wspipetest.DialRaw(t, s.session(id, 0))
			}
			test.do(c)
			if code, reason := c.Closed(); code != test.code || reason != test.reason {
				t.Errorf("closed with %d %q", code, reason)
			}
			awaitGone(t, pid)
			dial(t, s.session(id, 1)).ExpectEnd(4011, "history lost")
			wspipetest.Eventually(t, "nothing is left", s.unused)
		})
	}
}

// TestMemoryOfSessions: a session with a full history takes about the size of its buffer. It is not
// parallel because it measures memory.
func TestMemoryOfSessions(t *testing.T) {
	const sessions, buffer = 24, 256 << 10
	cfg := resuming(`echo ready; exec yes`)
	cfg.Endpoint.ResumeBuffer = buffer
	s := serve(t, cfg)
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range sessions {
		c := dial(t, s.session(newID(), -1))
		c.Expect("ready")
		if i%2 == 0 { // others stay connected and read nothing
			c.CloseNow()
		}
	}
	s.log.Await(t, `"disconnect"`, sessions/2)
	last := int64(0)
	wspipetest.Eventually(t, "all buffers are full", func() bool {
		<-time.After(200 * time.Millisecond)
		now := heap()
		defer func() { last = now }()
		return now-last < 256<<10 && now-last > -256<<10
	})
	each := (heap() - before) / sessions
	t.Logf("%d KiB for each session with a buffer of %d KiB", each>>10, buffer>>10)
	if each > 2*buffer+64<<10 {
		t.Errorf("%d sessions take %d bytes each", sessions, each)
	}
}
