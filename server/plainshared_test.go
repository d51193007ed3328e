//go:build unix

package server_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/framing"
	"wspipe/server"
)

// lines reads n lines of a body that is still being sent.
func lines(t *testing.T, body *bufio.Reader, n int) (got string) {
	t.Helper()
	for range n {
		line, err := body.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got += line
	}
	return got
}

// follow sends a GET request and returns its body.
func (s *testServer) follow(t *testing.T, target string, header ...string) (*http.Response, *bufio.Reader) {
	t.Helper()
	resp := s.begin(t, "GET", target, nil, header...)
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	return resp, bufio.NewReader(resp.Body)
}

// TestHTTPBroadcast: GET requests and WebSockets get the same messages, the last ones
// first, and a POST is one message to the child.
func TestHTTPBroadcast(t *testing.T) {
	t.Parallel()
	cfg := withHTTP(shared(`echo start; while IFS= read -r l; do echo "<$l>"; done`))
	cfg.Endpoint.Replay = 2
	s := serve(t, cfg)
	resp, first := s.follow(t, "")
	if got := lines(t, first, 1); got != "start\n" {
		t.Fatal(got)
	}
	c := dial(t, s.ws)
	c.Expect("start")
	for _, test := range []struct{ method, body, want string }{
		{"POST", "a", "<a>\n"},
		{"PUT", "b\n", "<b>\n"},
		{"POST", "c\n\n", "<c>\n<>\n"},
		{"POST", "", "<>\n"},
		{"POST", "d\ne\r\n", "<d>\n<e\r>\n"},
	} {
		if r := s.request(t, test.method, "", test.body); r.StatusCode != 202 || r.body != "" {
			t.Errorf("%q: %d %q", test.body, r.StatusCode, r.body)
		}
		if got := lines(t, first, strings.Count(test.want, "\n")); got != test.want {
			t.Errorf("%q: %q, want %q", test.body, got, test.want)
		}
	}
	_, late := s.follow(t, "", events)
	if got, want := lines(t, late, 6), "id: 7\ndata: <d>\n\nid: 8\ndata: <e\ndata: >\n"; got != want {
		t.Errorf("events of the replay: %q, want %q", got, want)
	}
	if r := s.request(t, "POST", "", strings.Repeat("x", 1<<20+1)); r.StatusCode != 413 {
		t.Error(r.Status)
	}
	resp.Body.Close()
	c.CloseNow()
}

// TestHTTPBroadcastFramings: what new clients of a shared child get in the body of each
// framing is whole records, although the child is within one.
func TestHTTPBroadcastFramings(t *testing.T) {
	for name, test := range map[string]struct {
		framing           framing.Framing
		record, rest, end string
	}{
		"length": {framing.Length, `\0\0\0\2ab\0\0\0\3c`, `de`, "\x00\x00\x00\x03cde"},
		"lsp":    {framing.LSP, `Content-Length: 2\r\n\r\n{}Content-`, `Length: 2\r\n\r\n[]`, "{}Content-Length: 2\r\n\r\n[]"},
		"bytes":  {framing.Bytes, `ab`, `c`, "abc"},
		"json":   {framing.JSON, `a\nb`, `c\n`, "bc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := withHTTP(shared(`printf '` + test.record + `'; echo ready >&2; cat >&2; printf '` + test.rest + `'; exit 3`))
			cfg.Endpoint.Framing, cfg.Endpoint.Replay = test.framing, 10
			cfg.Endpoint.Child.Args[1] = strings.Replace(cfg.Endpoint.Child.Args[1], "cat >&2", "read -r x", 1)
			s := serve(t, cfg)
			first := s.begin(t, "GET", "", nil)
			s.log.Await(t, `"line":"ready"`, 1)
			late := s.begin(t, "GET", "", nil)
			s.log.Await(t, `"msg":"connect"`, 2)
			if r := s.request(t, "POST", "", "\n"); r.StatusCode != 202 {
				t.Error(r.Status)
			}
			one, two := readReply(t, first), readReply(t, late)
			if one.body != two.body || one.exit() != "exit 3" || two.exit() != "exit 3" || !strings.HasSuffix(strings.TrimRight(one.body, "\n}\""), test.end) {
				t.Errorf("%q %q\n%q %q", one.body, one.exit(), two.body, two.exit())
			}
		})
	}
}

// TestHTTPReadOnly: a child that takes no input is started by GET only.
func TestHTTPReadOnly(t *testing.T) {
	t.Parallel()
	cfg := withHTTP(shared(`echo a`))
	cfg.Endpoint.ReadOnly = true
	s := serve(t, cfg)
	if r := s.request(t, "POST", "", "x"); r.StatusCode != 403 || !strings.Contains(r.body, "--readonly") || len(s.records(t, "shared child started")) > 0 {
		t.Errorf("%d %q", r.StatusCode, r.body)
	}
	if r := s.request(t, "GET", "", ""); r.body != "a\n" || r.exit() != "exit 0" {
		t.Errorf("%q", r.body)
	}
}

// TestHTTPPostStarts: a POST starts a shared child, which lingers, or says that it cannot
// start.
func TestHTTPPostStarts(t *testing.T) {
	t.Parallel()
	cfg := withHTTP(shared(`while read -r l; do echo "$l"; done`))
	cfg.Endpoint.Linger, cfg.Endpoint.Replay = -1, 1
	s := serve(t, cfg)
	if r := s.request(t, "POST", "", "x"); r.StatusCode != 202 {
		t.Fatal(r.Status)
	}
	if _, body := s.follow(t, ""); lines(t, body, 1) != "x\n" {
		t.Error("the message is lost")
	}
	cfg.Endpoint.Child.Path = "/no/such"
	if r := serve(t, cfg).request(t, "POST", "", "x"); r.StatusCode != 500 || r.body != "wspipe: cannot start: no such file\n" {
		t.Errorf("%d %q", r.StatusCode, r.body)
	}
}

// TestHTTPMux: a request is a client, its body one message, and its response all that is
// sent to it until it is closed.
func TestHTTPMux(t *testing.T) {
	const program = `while IFS= read -r e; do
	id=${e#*'"client":"'}; id=${id%%\"*}
	case $e in
	*'"event":"message"'*)
		data=${e##*'"data":"'}; data=${data%'"}'}
		case $data in
		close) printf '{"close":"%s","code":4500,"reason":"bye\\n"}\n' $id;;
		exit) exit 3;;
		*) printf '{"to":"%s","data":"<%s>"}\n{"to":"%s","base64":"AGI="}\n{"close":"%s"}\n' $id "$data" $id $id;;
		esac;;
	*'"event":"open"'*'"REQUEST_METHOD":"GET"'*) printf '{"to":"%s","data":"hello"}\n{"close":"%s","code":4500,"reason":"bye"}\n' $id $id;;
	esac
done`
	for name, test := range map[string]struct {
		method, body, header string
		status               int
		want, closed         string
	}{
		"a message":     {"POST", "one\\n", "", 200, "<one\\\\n>\n\x00b", ""},
		"no message":    {"GET", "", "", 200, "hello\n", "4500 bye"},
		"empty message": {"POST", "", "", 200, "<>\n\x00b", ""},
		"no output":     {"POST", "close", "", 200, "", "4500 bye"},
		"events":        {"POST", "x", events, 200, "id: 1\ndata: <x>\n\nid: 2\nevent: binary\ndata: AGI=\n\nevent: close\ndata: {\"code\":1000,\"reason\":\"\"}\n\n", ""},
		"exits":         {"POST", "exit", "", 500, "exit 3", ""},
		"too long":      {"POST", strings.Repeat("x", 1<<20+1), "", 413, "wspipe: message over 1048576 bytes; to allow it, start wspipe with a larger --maxframesize\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, withHTTP(mux(program)))
			keeper := dial(t, s.ws) // so that ids are not 1
			s.log.Await(t, `"msg":"connect"`, 1)
			r := s.request(t, test.method, "", test.body, test.header)
			want := strings.ReplaceAll(test.want, `\\`, `\`)
			if got := r.Trailer.Get("Wspipe-Close") + r.Header.Get("Wspipe-Close"); r.StatusCode != test.status || r.body != want || got != test.closed || r.cut {
				t.Errorf("%d %q %q (cut: %t)", r.StatusCode, r.body, got, r.cut)
			}
			keeper.CloseNow()
		})
	}
}

// TestHTTPMuxEventNumbers: each event stream of a shared child has its own numbers.
func TestHTTPMuxEventNumbers(t *testing.T) {
	t.Parallel()
	s := serve(t, withHTTP(mux(reflector)))
	_, one := s.follow(t, "", events)
	lines(t, one, 3) // its own open event
	_, two := s.follow(t, "", events)
	if a, b := lines(t, one, 3), lines(t, two, 3); !strings.HasPrefix(a, "id: 2\n") || !strings.HasPrefix(b, "id: 1\n") {
		t.Errorf("%q %q", a, b)
	}
}

// TestHTTPResume: an event stream is the session that it names, and has each message
// once, whenever the connection is lost. Its end is told until the client has all.
func TestHTTPResume(t *testing.T) {
	t.Parallel()
	s := serve(t, withHTTP(resuming(`n=0; while read -r l; do n=$((n+1)); echo "$n $l"; [ "$l" = end ] && exit 3; done`)))
	target := "?wspipe_session=" + testSession
	resp, body := s.follow(t, target, events)
	for _, word := range []string{"a", "b"} {
		if r := s.request(t, "POST", target, word); r.StatusCode != 202 {
			t.Fatal(r.Status)
		}
	}
	if got := lines(t, body, 6); got != "id: 1\ndata: 1 a\n\nid: 2\ndata: 2 b\n\n" {
		t.Fatal(got)
	}
	resp.Body.Close()
	s.request(t, "POST", target, "end\n")
	last := "id: 3\ndata: 3 end\n\n" + closeEvent("exit 3")
	for _, test := range []struct {
		target, id string
		status     int
		want       string
	}{
		{target, "1", 200, "id: 2\ndata: 2 b\n\n" + last},
		{target, "2", 200, last}, // the client has lost what it was sent before
		{target, "3", 204, ""},
		{target, "3", 204, ""},
		{target + "&wspipe_after=2", "", 200, last}, // a page that was loaded again
		{target, "99", 200, "event: close\ndata: {\"code\":4011,\"reason\":\"history lost\"}\n\n"},
		{target, "99", 204, ""},
		{target, "x", 400, "wspipe: the Last-Event-ID header is not the number of a message\n"},
		{"", "3", 204, ""},
		{"?wspipe_session=" + strings.Repeat("y", 22), "0", 200, "event: close\ndata: {\"code\":4011,\"reason\":\"history lost\"}\n\n"},
		{"?wspipe_session=" + strings.Repeat("x", 22), "3", 200, "event: close\ndata: {\"code\":4011,\"reason\":\"history lost\"}\n\n"},
		{"?wspipe_session=" + strings.Repeat("x", 22), "3", 204, ""},
	} {
		header := ""
		if test.id != "" {
			header = "Last-Event-ID: " + test.id
		}
		if r := s.request(t, "GET", test.target, "", events, header); r.StatusCode != test.status || r.body != test.want || r.cut {
			t.Errorf("%+v: %d %q", test, r.StatusCode, r.body)
		}
	}
	for _, test := range []struct {
		method, target string
		status         int
	}{{"GET", target, 400}, {"POST", "?wspipe_session=" + strings.Repeat("x", 22), 404}, {"POST", target, 503}} {
		if r := s.request(t, test.method, test.target, ""); r.StatusCode != test.status {
			t.Errorf("%+v: %s %q", test, r.Status, r.body)
		}
	}
}

// TestHTTPTakeover: a session has one client, whatever it is.
func TestHTTPTakeover(t *testing.T) {
	t.Parallel()
	s := serve(t, withHTTP(resuming("echo a; cat")))
	_, body := s.follow(t, "?wspipe_session="+testSession, events)
	lines(t, body, 3)
	c := dial(t, s.session(testSession, 1))
	if got := lines(t, body, 3); got != "event: close\ndata: {\"code\":4010,\"reason\":\"attached elsewhere\"}\n\n" {
		t.Error(got)
	}
	c.Send("b")
	c.Expect("b")
	_, body = s.follow(t, "?wspipe_session="+testSession, events, "Last-Event-ID: 1")
	if got := lines(t, body, 2); got != "id: 2\ndata: b\n" {
		t.Error(got)
	}
	if _, end := c.Rest(); end.Code != 4010 {
		t.Error(end)
	}
}

// TestHTTPKeepAlive: a silent event stream has comments.
func TestHTTPKeepAlive(t *testing.T) {
	for name, cfg := range map[string]server.Config{"own": own("cat"), "broadcast": withHTTP(shared("cat")), "mux": withHTTP(mux("cat >&2")), "resume": withHTTP(resuming("cat"))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.Endpoint.PingInterval = 20 * time.Millisecond
			s := serve(t, cfg)
			target := "?wspipe_session=" + testSession
			if name == "own" {
				target = ""
				cfg.Endpoint.Child = sh("sleep 1000")
				s = serve(t, cfg)
			}
			_, body := s.follow(t, target, events)
			if got := lines(t, body, 2); got != ": keep-alive\n\n" {
				t.Errorf("%q", got)
			}
		})
	}
}

const testSession = "0123456789abcdefghijkl"

// TestHTTPCommentsBetweenEvents: a comment is never within an event, which may arrive in
// parts.
func TestHTTPCommentsBetweenEvents(t *testing.T) {
	const script = `for i in 1 2 3; do head -c 100000 /dev/zero | tr '\0' x; sleep 0.05; echo y; sleep 0.05; done`
	for name, cfg := range map[string]server.Config{"own": own(script), "broadcast": withHTTP(shared(script)), "resume": withHTTP(resuming(script))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.Endpoint.PingInterval = time.Millisecond
			r := serve(t, cfg).request(t, "GET", "?wspipe_session="+testSession, "", events)
			want := ""
			for i := range 3 {
				want += fmt.Sprintf("id: %d\ndata: %sy\n\n", i+1, strings.Repeat("x", 100000))
			}
			var got string
			for block := range strings.SplitAfterSeq(r.body, "\n\n") {
				if block != ": keep-alive\n\n" {
					got += block
				}
			}
			if got != want+closeEvent("exit 0") || got == r.body {
				t.Errorf("%d bytes of %d, want %d: %.100q", len(got), len(r.body), len(want), got)
			}
		})
	}
}
