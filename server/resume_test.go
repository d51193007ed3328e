//go:build unix

package server_test

import (
	"encoding/binary"
	"math"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
	"wspipe/server/access"
)

// Section 10 of the contract: sessions that survive, with real children and
// connections that break anywhere.

// resuming returns the Config of a server with --resume whose children run script.
func resuming(script string) server.Config {
	return server.Config{Endpoint: server.Endpoint{Child: sh(script), Resume: time.Hour, ResumeBuffer: 1 << 20, MaxMessage: 1 << 20}}
}

// session returns the URL of the session id for a client that has received after messages, or does not
// say if after is negative.
func (s *testServer) session(id string, after int) string {
	url := s.ws + "?wspipe_session=" + id
	if after >= 0 {
		url += "&wspipe_after=" + strconv.Itoa(after)
	}
	return url
}

// partings are the ways in which a client disconnects, and whether it may attach again.
var partings = map[string]struct {
	part func(c *wspipetest.Raw)
	back bool
}{
	"resets":                {func(c *wspipetest.Raw) { c.Reset() }, true},
	"hangs up":              {func(c *wspipetest.Raw) { c.Close() }, true},
	"hangs up, still reads": {func(c *wspipetest.Raw) { c.TCP().CloseWrite() }, true},
	"in a header":           {func(c *wspipetest.Raw) { c.Write([]byte{fin | opText}); c.TCP().CloseWrite() }, true},
	"in a message":          {func(c *wspipetest.Raw) { c.Frame(opText, []byte("half")); c.TCP().CloseWrite() }, true},
	"in a frame": {func(c *wspipetest.Raw) {
		c.Write([]byte{fin | opText, 0x80 | 5, 0, 0, 0, 0, 'h'})
		c.TCP().CloseWrite()
	}, true},
	"is silent":       {func(c *wspipetest.Raw) {}, true},
	"1001":            {closing(1001), true},
	"1011":            {closing(1011), true},
	"3000":            {closing(3000), true},
	"4321":            {closing(4321), true},
	"not masked 1001": {func(c *wspipetest.Raw) { c.Write(violations["close, not masked"].frame) }, true},
	"not masked 1000": {func(c *wspipetest.Raw) { c.Write([]byte{fin | opClose, 2, 3, 232}) }, true},
	"bad 1000":        {func(c *wspipetest.Raw) { c.Write(violations["close, reason is not UTF-8"].frame) }, true},
	"reserved opcode": {func(c *wspipetest.Raw) { c.Write(violations["reserved opcode"].frame) }, true},
	"1000":            {closing(1000), false},
	"says nothing":    {func(c *wspipetest.Raw) { c.Frame(fin|opClose, nil) }, false},
}

func closing(code uint16) func(c *wspipetest.Raw) {
	return func(c *wspipetest.Raw) { c.Frame(fin|opClose, binary.BigEndian.AppendUint16(nil, code)) }
}

// TestLostClientAttachesAgain: a lost client may attach again to the same child, which has received no half
// message. After a close frame the child is stopped at once.
func TestLostClientAttachesAgain(t *testing.T) {
	for name, test := range partings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := resuming(`echo $$; ` + echoing)
			cfg.Endpoint.PingInterval = time.Hour
			if name == "is silent" {
				cfg.Endpoint.PingInterval = 500 * time.Millisecond
			}
			s := serve(t, cfg)
			id := newID()
			c := wspipetest.DialRaw(t, s.session(id, -1))
			pid := atoi(t, c.Message())
			test.part(c)
			s.log.Await(t, `"disconnect"`, 1)
			if !test.back {
				awaitGone(t, pid)
				s.log.Await(t, `"session ended"`, 1)
				dial(t, s.session(id, 1)).ExpectEnd(4011, "history lost")
				if next := atoi(t, dial(t, s.session(id, -1)).Next()); next == pid {
					t.Error("the child was not stopped")
				}
				return
			}
			again := dial(t, s.session(id, 1))
			again.Send("hello")
			again.Expect(strconv.Itoa(pid) + " hello")
			again.Close(1000, "")
			s.log.Await(t, `"session ended"`, 1)
			awaitGone(t, pid)
		})
	}
}

// TestResumePosition: a client with a number gets exactly the next messages. One without gets the whole
// history, and counts from there.
func TestResumePosition(t *testing.T) {
	t.Parallel()
	s := serve(t, resuming(`seq 9; while read -r l; do echo "$l"; done`))
	id := newID()
	expect := func(after int, messages ...string) {
		t.Helper()
		c := dial(t, s.session(id, after))
		c.Expect(messages...)
		c.Send("next")
		c.Expect("next")
		c.Close(1001, "")
	}
	lost := func(after int) {
		t.Helper()
		if got := dial(t, s.session(id, after)).ExpectEnd(4011, "history lost"); len(got) > 0 {
			t.Errorf("after %d: got %q", after, got)
		}
	}
	expect(0, "1", "2", "3", "4", "5", "6", "7", "8", "9")
	expect(10)
	expect(8, "9", "next", "next")
	lost(13)
	lost(min(1<<52, math.MaxInt))
	expect(0, "1", "2", "3", "4", "5", "6", "7", "8", "9", "next", "next", "next")
	expect(-1, "1", "2", "3", "4", "5", "6", "7", "8", "9", "next", "next", "next", "next")
	expect(14)
	lost(16)
	expect(13, "next", "next")
	if n := len(s.records(t, "connect")); n != 1 {
		t.Errorf("%d children were started", n)
	}
}

// TestCountRestarts: a client without a number counts from its first message, also if older ones
// have been dropped.
func TestCountRestarts(t *testing.T) {
	t.Parallel()
	cfg := resuming(`while read -r n; do seq $n; done`)
	cfg.Endpoint.ResumeBuffer = 64 << 10
	s := serve(t, cfg)
	id := newID()
	c := dial(t, s.session(id, -1))
	c.Send("20000")
	for i := range 20000 {
		c.Expect(strconv.Itoa(i + 1))
	}
	c.Close(1001, "")
	dial(t, s.session(id, 0)).ExpectEnd(4011, "history lost")
	c = dial(t, s.session(id, -1))
	first := atoi(t, c.Next())
	if first < 15000 {
		t.Errorf("message %d is still held", first)
	}
	for i := first + 1; i <= 20000; i++ {
		c.Expect(strconv.Itoa(i))
	}
	c.Close(1001, "")
	c = dial(t, s.session(id, 2))
	c.Expect(strconv.Itoa(first+2), strconv.Itoa(first+3))
	c.Close(1001, "")
	dial(t, s.session(id, 20001-first)).Close(1001, "")
	dial(t, s.session(id, 20002-first)).ExpectEnd(4011, "history lost")
}

// TestTakeover: the session belongs to the client that attached last. Later or incomplete messages of the
// older one do not reach the child.
func TestTakeover(t *testing.T) {
	t.Parallel()
	s := serve(t, resuming(`while read -r l; do echo "$l"; done`))
	id := newID()
	for name, begin := range map[string]func(c *wspipetest.Raw){
		"nothing":         func(c *wspipetest.Raw) {},
		"half a message":  func(c *wspipetest.Raw) { c.Frame(opText, []byte("half")) },
		"half a frame":    func(c *wspipetest.Raw) { c.Write([]byte{fin | opText, 0x80 | 4, 0, 0, 0, 0, 'h', 'a'}) },
		"half of a flood": func(c *wspipetest.Raw) { c.Frame(opText, []byte(strings.Repeat("x", 300_000))) },
	} {
		older := wspipetest.DialRaw(t, s.session(id, -1))
		older.Frame(fin|opText, []byte("older"))
		for older.Message() != "older" {
		}
		begin(older)
		if name != "half a frame" {
			older.Frame(fin|opPing, nil) // so the server has received everything before
			if head, err := older.Skip(); err != nil || head != fin|opPong {
				t.Fatalf("%s: got %x, %v", name, head, err)
			}
		}
		newer := dial(t, s.session(id, 0))
		if code, reason := older.Closed(); code != 4010 || reason != "attached elsewhere" {
			t.Errorf("%s: closed with %d %q", name, code, reason)
		}
		older.Frame(0x80, []byte("late"))
		older.Frame(fin|opText, []byte("late"))
		newer.Send("newer")
		newer.Expect("older", "newer")
		newer.Send("alone")
		newer.Expect("alone")
		newer.Close(1000, "")
		s.log.Await(t, `"session ended"`, len(s.records(t, "connect")))
	}
}

// TestSessionBelongsToUserAndEndpoint: an ID belongs to one user and one endpoint.
func TestSessionBelongsToUserAndEndpoint(t *testing.T) {
	t.Parallel()
	id := newID()
	cfg := resuming("")
	cfg.Dir, cfg.Endpoint.Child = t.TempDir(), process.Spec{}
	for _, name := range []string{"a", "b"} {
		wspipetest.WriteFile(t, filepath.Join(cfg.Dir, name), "#!/bin/sh\necho $$; exec cat\n")
	}
	cfg.Auth = access.Auth{Basic: "ann:secret", TokenFile: wspipetest.SecretFile(t, "tokens", "token-of-bob-0123456789\ntoken-of-eve-0123456789\n")}
	s := serve(t, cfg)
	known := make(map[string]string) // the user of the child with this pid
	come := func(who, path, authorization string, after int) string {
		t.Helper()
		url := strings.Replace(s.session(id, after), "?", path+"?", 1)
		c := wspipetest.Dial(t, url, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {authorization}}})
		if after > 0 {
			c.ExpectEnd(4011, "history lost")
			return ""
		}
		pid := c.Next()
		if other := known[pid]; other != "" && other != who {
			t.Errorf("%s has the session of %s", who, other)
		}
		known[pid] = who
		c.Close(1001, "")
		return pid
	}
	const bob, eve = "Bearer token-of-bob-0123456789", "Bearer token-of-eve-0123456789"
	ann := strings.TrimPrefix(wspipetest.Authorization("ann", "secret"), "Authorization: ")
	for range 2 {
		come("ann at a", "a", ann, 0)
		come("ann at a", "a/rest", ann, -1)
		come("ann at b", "b", ann, -1)
		come("bob at a", "a", bob, 0)
	}
	come("eve at a", "a", eve, 1)
	come("eve at b", "b", eve, 1)
	come("eve at a", "a", eve, 0)
	if len(known) != 4 {
		t.Errorf("%d children: %v", len(known), known)
	}
}
