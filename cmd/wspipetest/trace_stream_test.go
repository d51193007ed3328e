//go:build unix

package wspipetest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

const traceID = "wspipe_trace=0123456789abcdefghijkl"

// untilClosed reads a stream of traces until the connection number conn has ended. It returns its
// lines, and that of each other connection, as they are printed.
func untilClosed(t *testing.T, stream *wspipetest.Client, conn int) (lines string, lost int) {
	t.Helper()
	for {
		var line struct {
			Conn, Lost      int
			Dir, Text, Line string
		}
		text := stream.Next()
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		lines += line.Line + "\n"
		lost += line.Lost
		if line.Conn == conn && line.Text == "the connection has ended" || line.Lost > 0 {
			return lines, lost
		}
	}
}

// TestTraceStream traces a connection of each kind of child.
func TestTraceStream(t *testing.T) {
	t.Parallel()
	const reply = `echo "$QUERY_STRING."; read a; printf "%05000d\n" 0 | tr 0 x; echo "got $a"; exit 3`
	for name, test := range map[string]struct {
		flags []string
		query string
	}{
		"plain":     {nil, ""},
		"broadcast": {[]string{"--share=broadcast"}, ""},
		"resume":    {[]string{"--resume=1m"}, "&wspipe_session=SECRET0123456789abcdef&wspipe_after=0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := wspipetest.Start(t, append(append([]string{"--devconsole", "--compress"}, test.flags...), "/bin/sh", "-c", reply)...)
			stream := wspipetest.Dial(t, s.WS+"app/.wspipe/trace?"+traceID, nil)
			other := wspipetest.Dial(t, s.WS+"other?a=b", nil) // is not traced
			other.Next()
			if name == "broadcast" {
				other.CloseNow()
				s.AwaitStderr("shared child ended") // another starts for the next client
			}
			opt := &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {"a=SECRET"}}, CompressionMode: websocket.CompressionNoContextTakeover}
			c := wspipetest.Dial(t, s.WS+"chat?a=b&"+traceID+test.query, opt)
			if query := c.Next(); name != "broadcast" && query != "a=b." {
				t.Errorf("the child has the query %q", query)
			}
			c.Send("hi")
			if got := c.ExpectEnd(1000, "exit 3"); len(got) != 2 || got[1] != "got hi" {
				t.Errorf("got %.100q", got)
			}
			lines, _ := untilClosed(t, stream, 1)
			expectTrace(t, lines, `> GET /chat\?a=b&wspipe_trace=\*\*\*.* HTTP/1.1`, `> Cookie: \*\*\*`, `< HTTP/1.1 101 Switching Protocols`, `= .* SHA-1 \w{40}, .*`,
				`> text fin=1 rsv=000 mask=\w{8} len=2 header=8182\w{8} payload="hi"`,
				`< text fin=1 rsv=100 mask=- len=\d+ plain=5000 header=c1\w\w payload="x{200}"\.\.\.`, `< text fin=1 .* payload="got hi"`,
				`< close fin=1 rsv=000 mask=- len=8 header=8808 payload=03e8657869742033 code=1000 reason="exit 3" begun=server`, `> close .* begun=server`, `= the connection has ended`)
			if log := s.Stderr(); strings.Contains(log, "0123456789abcdefghijkl") || strings.Contains(log, "SECRET") {
				t.Errorf("the log has secrets:\n%s", log)
			}
			if strings.Contains(lines, "/other") {
				t.Errorf("another connection is traced:\n%s", lines)
			}
			s.Signal(syscall.SIGTERM)
			stream.ExpectEnd(1001, "server shutting down")
			if status := s.Wait(); status != 0 || strings.Contains(s.Stderr(), ".wspipe/trace") {
				t.Errorf("status %d, and the log has\n%s", status, s.Stderr())
			}
		})
	}
}

// TestTraceStreamOfMux traces a client of a child that sees all of them.
func TestTraceStreamOfMux(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--devconsole", "--share=mux", "/bin/sh", "-c", `
		read open; id=${open#*'"client":"'}; id=${id%%'"'*}
		echo '{"to":"*","data":"hello"}'; read text; echo "{\"close\":\"$id\",\"code\":4000}"; read closed`)
	stream := wspipetest.Dial(t, s.WS+".wspipe/trace?"+traceID, nil)
	c := wspipetest.Dial(t, s.WS+"?"+traceID, nil)
	c.Expect("hello")
	c.Send("hi")
	c.ExpectEnd(4000, "")
	lines, _ := untilClosed(t, stream, 1)
	expectTrace(t, lines, `< text .* payload="hello"`, `> text .* payload="hi"`, `< close .* code=4000 reason="" begun=server`)
}

// TestTraceStreamOfOthers: a user gets no trace of another user's connection, even with its ID.
func TestTraceStreamOfOthers(t *testing.T) {
	t.Parallel()
	tokens := wspipetest.SecretFile(t, "tokens", "SECRET-alice\nSECRET-bob\n")
	s := wspipetest.Start(t, "--devconsole", "--token-file="+tokens, "/bin/echo", "hi")
	dial := func(path, user string) *wspipetest.Client {
		return wspipetest.Dial(t, s.WS+wspipetest.WithToken(path, "SECRET-"+user)+"&"+traceID, nil)
	}
	alice, bob := dial(".wspipe/trace", "alice"), dial(".wspipe/trace", "bob")
	dial("of-alice", "alice").ExpectEnd(1000, "exit 0")
	dial("of-bob", "bob").ExpectEnd(1000, "exit 0")
	ofAlice, _ := untilClosed(t, alice, 1)
	ofBob, _ := untilClosed(t, bob, 1)
	expectTrace(t, ofAlice, `> GET /of-alice\?.*`, `< text .* payload="hi"`)
	expectTrace(t, ofBob, `> GET /of-bob\?.*`, `< text .* payload="hi"`)
	if strings.Contains(ofAlice, "bob") || strings.Contains(ofBob, "alice") {
		t.Errorf("alice gets\n%s\nbob gets\n%s", ofAlice, ofBob)
	}
}

// TestTraceStreamIsRefused: the stream passes the same gate as a connection, and exists only with
// --devconsole.
func TestTraceStreamIsRefused(t *testing.T) {
	t.Parallel()
	open := wspipetest.Start(t, "--devconsole", "/bin/echo", "hi")
	secret := wspipetest.Start(t, "--devconsole", "--basic-auth=me:sesame", "/bin/echo", "hi")
	dir := t.TempDir()
	off := wspipetest.Start(t, "--dir="+dir)
	for name, test := range map[string]struct {
		url    string
		origin string
		status int
	}{
		"no ID":      {open.WS + ".wspipe/trace", "", 400},
		"short ID":   {open.WS + ".wspipe/trace?wspipe_trace=1", "", 400},
		"two IDs":    {open.WS + ".wspipe/trace?" + traceID + "&" + traceID, "", 400},
		"origin":     {open.WS + ".wspipe/trace?" + traceID, "http://elsewhere.example", 403},
		"password":   {secret.WS + ".wspipe/trace?" + traceID, "", 401},
		"no console": {off.WS + ".wspipe/trace?" + traceID, "", 404},
	} {
		opt := &websocket.DialOptions{}
		if test.origin != "" {
			opt.HTTPHeader = http.Header{"Origin": {test.origin}}
		}
		_, response, err := websocket.Dial(t.Context(), test.url, opt)
		if err == nil || response == nil || response.StatusCode != test.status {
			t.Errorf("%s: got %v, %v, want status %d", name, response, err, test.status)
		}
	}
	response, err := http.Get("http" + strings.TrimPrefix(open.WS, "ws") + ".wspipe/handshake?path=/.wspipe/trace%3F" + traceID)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(body), `"status":400`) {
		t.Errorf("the handshake check says %q, %v", body, err)
	}
	// Without --devconsole a program has all paths, and its own parameter.
	alone := wspipetest.Start(t, "/bin/echo", "hi")
	wspipetest.Dial(t, alone.WS+".wspipe/trace?"+traceID, nil).Expect("hi")
	alone.AwaitStderr("level=access msg=request method=GET path=/.wspipe/trace status=101")
}

// TestTraceStreamIsSlow: a page that does not read the stream loses lines, with their number, and
// does not slow its connection. The last line is not lost. A second stream with the same ID replaces the first.
func TestTraceStreamIsSlow(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--devconsole", "/bin/sh", "-c", "seq 40000")
	replaced := wspipetest.Dial(t, s.WS+".wspipe/trace?"+traceID, nil)
	stream := wspipetest.Dial(t, s.WS+".wspipe/trace?"+traceID, nil)
	replaced.ExpectEnd(1000, "")
	if got := wspipetest.Dial(t, s.WS+"?"+traceID, nil).ExpectEnd(1000, "exit 0"); len(got) != 40000 || got[39999] != "40000" {
		t.Errorf("got %d messages", len(got))
	}
	if lines, lost := untilClosed(t, stream, 1); lost == 0 || !strings.Contains(lines, `payload="1"`) {
		t.Errorf("got %d lines, %d are lost", strings.Count(lines, "\n"), lost)
	}
	for lost := 1; lost > 0; { // until the last line
		_, lost = untilClosed(t, stream, 1)
	}
}
