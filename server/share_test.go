//go:build unix

package server_test

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge"
	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// Section 9 of the contract: one child for many clients, with real children.

// shared returns the Config of a server with --share=broadcast whose child runs script.
func shared(script string) server.Config {
	return server.Config{Endpoint: server.Endpoint{Child: sh(script), Share: server.ShareBroadcast, MaxMessage: 1 << 20}}
}

// echoing is a script that echoes each word with its pid.
const echoing = `while read -r l; do echo "$$ $l"; done`

// arrive connects to a child that runs echoing, and returns once the client is attached.
func arrive(t *testing.T, url string) (c *wspipetest.Client, pid int) {
	t.Helper()
	c = dial(t, url)
	word := newID()
	c.Send(word)
	for { // other clients may send meanwhile
		if id, said, _ := strings.Cut(c.Next(), " "); said == word {
			return c, atoi(t, id)
		}
	}
}

// records returns the log records with this message.
func (s *testServer) records(t *testing.T, msg string) (records []map[string]any) {
	t.Helper()
	for line := range strings.Lines(s.log.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if record["msg"] == msg {
			records = append(records, record)
		}
	}
	return records
}

// TestClientsShareAChild: all clients get its messages, it gets those of all, and the log has one child.
func TestClientsShareAChild(t *testing.T) {
	t.Parallel()
	s := serve(t, shared(echoing))
	a, pid := arrive(t, s.ws)
	b, same := arrive(t, s.ws+"another/path?q")
	if pid != same {
		t.Fatalf("two children: %d and %d", pid, same)
	}
	a.Next() // the message of b
	id := strconv.Itoa(pid)
	for range 100 {
		a.Send("from a")
		for _, c := range []*wspipetest.Client{a, b} {
			c.Expect(id + " from a")
		}
		b.Send("from b")
		for _, c := range []*wspipetest.Client{b, a} {
			c.Expect(id + " from b")
		}
	}
	a.Close(1000, "")
	s.log.Await(t, `"disconnect"`, 1)
	b.Send("alone")
	b.Expect(id + " alone")
	b.Close(1000, "")
	s.log.Await(t, `"shared child ended"`, 1)
	s.log.Await(t, `"disconnect"`, 2) // in any order
	awaitGone(t, pid)
	for msg, n := range map[string]int{"shared child started": 1, "connect": 2, "disconnect": 2, "shared child ended": 1} {
		records := s.records(t, msg)
		for _, r := range records {
			if r["pid"] != float64(pid) {
				t.Errorf("%s: pid %v, want %d", msg, r["pid"], pid)
			}
		}
		if len(records) != n {
			t.Errorf("%d times %q, want %d", len(records), msg, n)
		}
	}
	if end := s.records(t, "shared child ended")[0]; end["endpoint"] != "/" || end["clients"] != 2.0 || end["exit"] != 0.0 && end["signal"] != "INT" {
		t.Errorf("the end of the child: %v", end)
	}
	if first := s.records(t, "disconnect")[0]; first["exit"] != nil || first["code"] != 1000.0 {
		t.Errorf("a client that leaves a running child: %v", first)
	}
}

// TestExitIsReportedToAll: all clients get the exit status, and the next client starts another child.
func TestExitIsReportedToAll(t *testing.T) {
	t.Parallel()
	for code, cfg := range map[websocket.StatusCode]server.Config{1000: {}, 4003: {Endpoint: server.Endpoint{ExitCloseCode: true}}} {
		cfg.Endpoint.Child, cfg.Endpoint.Share, cfg.Endpoint.Replay, cfg.Endpoint.Linger = sh(`echo $$; read -r l; echo "$l"; exit 3`), server.ShareBroadcast, 1, -1
		cfg.Endpoint.MaxMessage = 1 << 20
		s := serve(t, cfg)
		pids := map[string]bool{}
		for range 5 {
			a, b := dial(t, s.ws), dial(t, s.ws)
			pid := a.Next()
			b.Expect(pid)
			a.Send("go")
			for _, c := range []*wspipetest.Client{a, b} {
				if got := c.ExpectEnd(code, "exit 3"); !slices.Equal(got, []string{"go"}) {
					t.Errorf("got %q before the end", got)
				}
			}
			pids[pid] = true
		}
		if len(pids) != 5 {
			t.Errorf("%d children, want 5", len(pids))
		}
		s.log.Await(t, `"shared child ended"`, 5)
		for _, end := range s.records(t, "shared child ended") {
			if end["exit"] != 3.0 || end["clients"] != 2.0 {
				t.Errorf("the end of a child: %v", end)
			}
		}
	}
}

// TestReplay: a new client gets the last messages first, and then the next ones.
func TestReplay(t *testing.T) {
	t.Parallel()
	for replay, want := range map[int][]string{0: nil, 3: {"8", "9", "10"}, 100: {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}} {
		cfg := shared(`seq 10; while read -r l; do echo "$l"; done`)
		cfg.Endpoint.Replay = replay
		s := serve(t, cfg)
		a := dial(t, s.ws)
		for i := range 10 {
			a.Expect(strconv.Itoa(i + 1))
		}
		b := dial(t, s.ws)
		b.Expect(want...)
		b.Send("live")
		b.Expect("live")
		a.Expect("live")
	}
}

// TestConnectDuringFlood: a client that connects during a flood gets all messages in order from its
// first one on.
func TestConnectDuringFlood(t *testing.T) {
	t.Parallel()
	const clients, messages = 10, 1000
	for _, replay := range []int{0, 50} {
		cfg := shared(`exec seq 1000000000`)
		cfg.Endpoint.Slow, cfg.Endpoint.Replay = bridge.SlowBlock, replay // or slow clients would be disconnected
		s := serve(t, cfg)
		var all sync.WaitGroup
		first := make([]int, clients)
		for i := range clients {
			c := dial(t, s.ws)
			all.Go(func() { // ends with its messages
				defer c.CloseNow()
				for n := range messages {
					_, p, err := c.Read(c.Ctx)
					got, notNumber := strconv.Atoi(string(p))
					if n == 0 {
						first[i] = got
					}
					if err != nil || notNumber != nil || got != first[i]+n {
						t.Errorf("message %d of client %d is %.50q, %v, after %d", n, i, p, err, first[i]+n-1)
						return
					}
				}
			})
		}
		all.Wait()
		if slices.Min(first) != 1 { // the first to connect need not be the first to attach
			t.Errorf("the clients begin with %d", first)
		}
	}
}

// TestReadOnly: messages of clients do not reach the child.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "timeout")
	cfg := shared(`echo ready; read -r go <"$FIFO"; timeout 0.3 head -n 1; echo done; read -r go <"$FIFO"; exit 6`)
	cfg.Endpoint.ReadOnly, cfg.Endpoint.Replay, cfg.Endpoint.SetEnv = true, 1, []string{"FIFO=" + fifo(t)}
	s := serve(t, cfg)
	a, b := dial(t, s.ws), dial(t, s.ws)
	a.Expect("ready")
	b.Expect("ready")
	control := dialChannels(t, s.ws, channel.ProtocolWspipe)
	control.say(channel.Stdin, "typed\n")
	control.say(channel.Control, `{"type":"signal","signal":"KILL"}`)
	control.say(channel.Close, "\x00")
	control.Close(1000, "")
	b.Send("typed", "more")
	b.Close(1000, "") // answered after all messages before it have been read
	for _, want := range []string{"done", ""} {
		if err := os.WriteFile(strings.TrimPrefix(cfg.Endpoint.SetEnv[0], "FIFO="), []byte("go\n"), 0); err != nil {
			t.Fatal(err)
		}
		if want != "" {
			a.Expect(want)
		}
	}
	a.ExpectEnd(1000, "exit 6")
}

// TestEndpointsOfADirectory: each endpoint has its own child, for any PATH_INFO.
func TestEndpointsOfADirectory(t *testing.T) {
	t.Parallel()
	cfg := server.Config{Dir: t.TempDir(), Endpoint: server.Endpoint{Share: server.ShareBroadcast, MaxMessage: 1 << 20}}
	for _, name := range []string{"a", "b"} {
		wspipetest.WriteFile(t, filepath.Join(cfg.Dir, name), "#!/bin/sh\n"+echoing+"\n")
	}
	s := serve(t, cfg)
	a, pidA := arrive(t, s.ws+"a")
	_, pidB := arrive(t, s.ws+"b")
	_, again := arrive(t, s.ws+"a/rest?x")
	if pidA != again || pidA == pidB {
		t.Errorf("/a has %d, /a/rest %d, /b %d", pidA, again, pidB)
	}
	a.Next() // the message of /a/rest, and nothing from /b
	a.Send("x")
	a.Expect(strconv.Itoa(pidA) + " x")
	var endpoints []string
	for _, r := range s.records(t, "shared child started") {
		endpoints = append(endpoints, r["endpoint"].(string))
	}
	if !slices.Equal(endpoints, []string{"/a", "/b"}) {
		t.Errorf("children were started at %q", endpoints)
	}
}

// TestEnvironmentOfFirstClient: a shared child has the environment of its first client.
func TestEnvironmentOfFirstClient(t *testing.T) {
	t.Parallel()
	cfg := shared(`echo "$QUERY_STRING $PATH_INFO $HTTP_X_ME"; exec cat`)
	cfg.Endpoint.Replay = 1
	s := serve(t, cfg)
	for i, name := range []string{"first", "second"} {
		c := wspipetest.Dial(t, s.ws+"p"+strconv.Itoa(i)+"?"+name, &websocket.DialOptions{HTTPHeader: http.Header{"X-Me": {name}}})
		c.Expect("first /p0 first")
	}
}

// TestBroadcastWithChannels: each client gets the streams by its own subprotocol.
func TestBroadcastWithChannels(t *testing.T) {
	t.Parallel()
	for _, compress := range []bool{false, true} {
		cfg := shared(`while read -r l && [ "$l" != quit ]; do echo "$l"; echo "err $l" >&2; done; exit 3`)
		cfg.Endpoint.Compress = compress
		s := serve(t, cfg)
		long := strings.Repeat("long.", 1000)
		plain := wspipetest.Dial(t, s.ws, &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover})
		plain.Send("hello")
		plain.Expect("hello")
		viewers := make(map[string]channels)
		for _, protocol := range channel.Protocols {
			c := dialChannels(t, s.ws, protocol)
			viewers[protocol] = c
			c.say(channel.Stdin, protocol+"\n")
			plain.Expect(protocol) // so c is attached
		}
		plain.Send(long, "quit")
		if got := plain.ExpectEnd(1000, "exit 3"); !slices.Equal(got, []string{long}) {
			t.Errorf("the plain viewer got %d messages: %.100q", len(got), got)
		}
		for protocol, c := range viewers {
			got := c.rest()
			if !strings.HasSuffix(got.on[1], long+"\n") || !strings.HasSuffix(got.on[2], "err "+long+"\n") {
				t.Errorf("%s: got %.200q and %.200q", protocol, got.on[1], got.on[2])
			}
			if !strings.Contains(got.on[1], protocol+"\n") {
				t.Errorf("%s: its own word has not come back: %.200q", protocol, got.on[1])
			}
			if st := status(t, got.on[3]); st.Reason != "NonZeroExitCode" || got.end != (websocket.CloseError{Code: 1000, Reason: "exit 3"}) {
				t.Errorf("%s: status %s, %v", protocol, got.on[3], got.end)
			}
			if (protocol == channel.ProtocolWspipe) != strings.HasSuffix(got.on[5], `{"type":"exit","code":3}`) {
				t.Errorf("%s: control %s", protocol, got.on[5])
			}
		}
	}
}

// TestSharedTerminal: all clients see what one types.
func TestSharedTerminal(t *testing.T) {
	t.Parallel()
	cfg := shared(`echo ready; read -r l; echo "got $l by $TERM"; exit 2`)
	cfg.Endpoint.Child.Terminal, cfg.Endpoint.Framing, cfg.Endpoint.Replay = process.FullTerminal, framing.Bytes, 10
	s := serve(t, cfg)
	a, b := dial(t, s.ws), dial(t, s.ws)
	for _, c := range []*wspipetest.Client{a, b} {
		for said := ""; !strings.Contains(said, "ready"); said += c.Next() {
		}
	}
	b.Send("typed\n")
	for name, c := range map[string]*wspipetest.Client{"a": a, "b": b} {
		if got := strings.Join(c.ExpectEnd(1000, "exit 2"), ""); !strings.HasSuffix(got, "typed\r\ngot typed by xterm-256color\r\n") {
			t.Errorf("%s got %q", name, got)
		}
	}
}

// TestTooSlow: a client that reads nothing gets 1013, and other clients are not affected.
func TestTooSlow(t *testing.T) {
	t.Parallel()
	const words = 200 // 12 MB, more than all kernel buffers and the backlog limit
	s := serve(t, shared(`exec cat`))
	stuck := wspipetest.DialRaw(t, s.ws)
	stuck.TCP().SetReadBuffer(64 << 10)
	stuck.Frame(fin|opText, []byte("here"))
	if got := stuck.Message(); got != "here" {
		t.Fatalf("got %q", got)
	}
	c := dial(t, s.ws)
	word := strings.Repeat("x", 64<<10)
	for range words {
		c.Send(word)
		c.Expect(word)
	}
	for got := 0; ; got++ {
		head, size, err := stuck.ReadHeader()
		payload := make([]byte, size)
		if err == nil {
			_, err = io.ReadFull(stuck.In, payload)
		}
		if err != nil { // on a slow machine the server may have aborted the connection
			break
		}
		if head != fin|opClose {
			continue
		}
		code, reason := binary.BigEndian.Uint16(payload), payload[2:]
		if got == words || code != 1013 || !regexp.MustCompile(`^too slow: [0-9]+ bytes behind$`).Match(reason) {
			t.Errorf("closed with %d %q after %d messages", code, reason, got)
		}
		break
	}
	stuck.Close()
	c.Send("still here")
	c.Expect("still here")
	s.log.Await(t, `"code":1013,"reason":"too slow: `, 1)
}
