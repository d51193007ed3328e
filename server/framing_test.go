//go:build unix

package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge/framing"
	"wspipe/cmd/wspipetest"
	"wspipe/server"
)

// Section 3 of the contract: the framings, with real children.

// python returns a child that runs script, with stdin and stdout as the binary files i and o.
func python(t *testing.T, script string) server.Config {
	t.Helper()
	cfg := server.Config{Endpoint: server.Endpoint{MaxMessage: 8 << 20}}
	cfg.Endpoint.Child.Path = wspipetest.Need(t, "python3")
	cfg.Endpoint.Child.Args = []string{"-c", "import sys, os, time\ni, o, e = sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer\n" + script}
	return cfg
}

// speakers are programs that read and write a framing.
var speakers = map[framing.Framing]string{
	framing.NUL: `
rest = b""
while True:
    p = os.read(0, 65536)
    if not p: break
    *records, rest = (rest + p).split(b"\0")
    for r in records: o.write(r + b"\0")
    o.flush()`,
	framing.Length: `
while True:
    head = i.read(4)
    if not head: break
    n = int.from_bytes(head, "big")
    body = i.read(n)
    assert len(head) == 4 and len(body) == n
    o.write(head + body); o.flush()`,
	framing.LSP: `
while True:
    head = i.readline()
    if not head: break
    assert i.readline() == b"\r\n" and head.endswith(b"\r\n")
    n = int(head.removeprefix(b"Content-Length: "))
    body = i.read(n)
    assert len(body) == n
    o.write(b"Content-Type: text\ncontent-length: %d\n\n" % n + body); o.flush()`,
}

// A program of each framing echoes messages of any length, with newlines, singly and many at once.
func TestRecordsBothWays(t *testing.T) {
	for mode, script := range speakers {
		for _, compress := range []bool{false, true} {
			t.Run(fmt.Sprint(mode, "/", compress), func(t *testing.T) {
				t.Parallel()
				cfg := python(t, script)
				cfg.Endpoint.Framing, cfg.Endpoint.Compress = mode, compress
				c := wspipetest.Dial(t, serve(t, cfg).ws, &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover})
				want := websocket.MessageText
				if mode == framing.Length {
					want = websocket.MessageBinary
				}
				var messages []string
				for _, size := range []int{0, 1, 65535, 65536, 65537, 131072, 2 << 20} {
					messages = append(messages, strings.Repeat("é", size/2)+strings.Repeat("\n", size%2))
				}
				for n := range 300 {
					messages = append(messages, fmt.Sprint(n))
				}
				go func() { // ends when the child has read
					for n, m := range messages {
						typ := websocket.MessageText
						if n%2 == 0 {
							typ = websocket.MessageBinary
						}
						c.Write(c.Ctx, typ, []byte(m))
					}
				}()
				for n, m := range messages {
					typ, got, err := c.Read(c.Ctx)
					if err != nil || typ != want || string(got) != m {
						t.Fatalf("message %d: %v of %d bytes, %v; want %v of %d", n, typ, len(got), err, want, len(m))
					}
				}
			})
		}
	}
}

// A child that breaks its framing.
func TestBrokenFraming(t *testing.T) {
	for name, test := range map[string]struct {
		framing  framing.Framing
		script   string
		messages []string
		reason   string
		position int
	}{
		"a length without data": {framing.Length, `printf '\0\0\0\1a\377\377\377\3770123456789'`, []string{"a"}, "truncated record: 4294967285 bytes missing", 19},
		"half a length":         {framing.Length, `printf '\0\0'`, nil, "truncated length: 2 of 4 bytes", 2},
		"lines instead":         {framing.LSP, `echo hello; exec sleep 1000`, nil, "header line without a colon", 0},
		"no length":             {framing.LSP, `printf 'Content-Length: 1\r\n\r\naX: y\r\n\r\n'; exec sleep 1000`, []string{"a"}, "header without Content-Length", 28},
		"negative":              {framing.LSP, `printf 'Content-Length: -5\r\n\r\n'; exec sleep 1000`, nil, "invalid Content-Length", 0},
		"header without end":    {framing.LSP, `tr '\0' : </dev/zero`, nil, "header over 4096 bytes", 0},
		"an end in the body":    {framing.LSP, `printf 'Content-Length: 5\r\n\r\nabc'`, nil, "truncated record: 2 bytes missing", 24},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(test.script), Framing: test.framing}})
			c := dial(t, s.ws)
			if got := c.ExpectEnd(1011, "bad "+test.framing.String()+" output: "+test.reason); !slices.Equal(got, test.messages) {
				t.Errorf("got %q, want %q", got, test.messages)
			}
			s.log.Await(t, `"disconnect"`, 1)
			want := fmt.Sprintf(`"framing":%q,"cause":%q,"position":%d}`, test.framing, test.reason, test.position)
			if log := s.log.String(); strings.Count(log, `"msg":"child breaks its framing"`) != 1 || !strings.Contains(log, want) {
				t.Errorf("the log lacks %s:\n%s", want, log)
			}
		})
	}
}

// An endless record does not end the session.
func TestEndlessRecord(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`printf '\377\377\377\377'; exec cat /dev/zero`), Framing: framing.Length}})
	c := dial(t, s.ws)
	_, r, err := c.Reader(c.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.CopyN(io.Discard, r, 20_000_000); err != nil {
		t.Errorf("%d bytes came: %v", n, err)
	}
	c.CloseNow()
	s.log.Await(t, `"disconnect"`, 1)
	if strings.Contains(s.log.String(), "breaks its framing") {
		t.Error("the end of the client is taken for the child's fault")
	}
}

// spoken is a JSON message.
type spoken struct {
	Stream, Data string
	More         bool
}

func hear(t *testing.T, messages []string) (stdout, stderr string) {
	t.Helper()
	for _, m := range messages {
		var l spoken
		if err := json.Unmarshal([]byte(m), &l); err != nil {
			t.Fatalf("%.100q: %v", m, err)
		}
		if !l.More {
			l.Data += "\n"
		}
		if l.Stream == "stderr" {
			stderr += l.Data
		} else {
			stdout += l.Data
		}
	}
	return stdout, stderr
}

func TestJSONFraming(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`read -r l; echo "got $l"; read -r l; echo "err $l" >&2; read -r l; printf 'la\377st'; printf 'x\ty' >&2; exit 3`), Framing: framing.JSON}})
	c := dial(t, s.ws)
	c.Send(`"1"`)
	c.Expect(`{"stream":"stdout","data":"got \"1\""}`)
	c.Send("2")
	c.Expect(`{"stream":"stderr","data":"err 2"}`)
	c.Send("3")
	stdout, stderr := hear(t, c.ExpectEnd(1000, "exit 3"))
	if stdout != "la\uFFFDst\n" || stderr != "x\ty\n" {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
	s.log.Await(t, `"disconnect"`, 1)
	for _, want := range []string{`"line":"err 2"`, `"line":"x\ty"`, `"messages_in":3`, `"messages_out":4`} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
}

// A long line that is interrupted by stderr does not block, and nothing is lost.
func TestJSONInterruptedLine(t *testing.T) {
	t.Parallel()
	cfg := python(t, `
os.write(1, b"x" * 100000)
for n in range(5000): os.write(2, b"%d\n" % n)
os.write(1, b"y\nlast")
os.write(2, b"last")`)
	cfg.Endpoint.Framing = framing.JSON
	stdout, stderr := hear(t, dial(t, serve(t, cfg).ws).ExpectEnd(1000, "exit 0"))
	if want := strings.Repeat("x", 100_000) + "y\nlast\n"; stdout != want {
		t.Errorf("stdout has %d bytes, want %d", len(stdout), len(want))
	}
	var want strings.Builder
	for n := range 5000 {
		fmt.Fprintln(&want, n)
	}
	if want.WriteString("last\n"); stderr != want.String() {
		t.Errorf("stderr has %d bytes, want %d", len(stderr), want.Len())
	}
}

func TestJSONLongLineIsOneMessage(t *testing.T) {
	t.Parallel()
	cfg := python(t, `o.write(b"\xc3\xa9" * 500000)`)
	cfg.Endpoint.Framing = framing.JSON
	messages := dial(t, serve(t, cfg).ws).ExpectEnd(1000, "exit 0")
	stdout, _ := hear(t, messages)
	if len(messages) != 1 || stdout != strings.Repeat("é", 500_000)+"\n" {
		t.Errorf("%d bytes in %d messages", len(stdout), len(messages))
	}
}
