//go:build unix

package server_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// What a client may ask for in section 10 of the contract, and who gets to know it.

// TestWrongParameters: an invalid session ID or number is refused before anything starts, with and
// without --resume.
func TestWrongParameters(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("x", 22)
	cfgs := map[string]server.Config{"resuming": resuming(`cat`), "not resuming": {Endpoint: server.Endpoint{Child: sh(`cat`)}}, "sharing": shared(`cat`)}
	for name, cfg := range cfgs {
		cfg.MaxChildren = 1
		s := serve(t, cfg)
		for query, wrong := range map[string]string{
			"wspipe_session=":                                             "wspipe_session",
			"wspipe_session":                                              "wspipe_session",
			"wspipe_session=" + id[1:]:                                    "wspipe_session",
			"wspipe_session=" + strings.Repeat("x", 129):                  "wspipe_session",
			"wspipe_session=" + id + "%20":                                "wspipe_session",
			"wspipe_session=" + id + "+":                                  "wspipe_session",
			"wspipe_session=" + id + "%0a":                                "wspipe_session",
			"wspipe_session=" + id + "%00":                                "wspipe_session",
			"wspipe_session=" + id + "%":                                  "wspipe_session",
			"wspipe_session=" + id + "%C3%A9":                             "wspipe_session",
			"wspipe_session=" + id + "&wspipe_session=" + id:              "wspipe_session",
			"%77spipe_session=" + id + "&wspipe_session=" + id:            "wspipe_session",
			"wspipe_session=" + id + ";a=b":                               "wspipe_session",
			"a=b;wspipe_session=" + id:                                    "wspipe_session",
			"wspipe_session=" + id + "&wspipe_after=":                     "wspipe_after",
			"wspipe_session=" + id + "&wspipe_after=-1":                   "wspipe_after",
			"wspipe_session=" + id + "&wspipe_after=%2B1":                 "wspipe_after",
			"wspipe_session=" + id + "&wspipe_after=1.5":                  "wspipe_after",
			"wspipe_session=" + id + "&wspipe_after=0x1":                  "wspipe_after",
			"wspipe_session=" + id + "&wspipe_after=1_0":                  "wspipe_after",
			"wspipe_session=" + id + "&wspipe_after=two":                  "wspipe_after",
			"wspipe_session=" + id + "&wspipe_after=1;b=2":                "wspipe_after",
			"wspipe_session=" + id + "&wspipe_after=9007199254740992":     "wspipe_after",
			"wspipe_session=" + id + "&wspipe_after=99999999999999999999": "wspipe_after",
			"wspipe_after=1&wspipe_after=1":                               "wspipe_after",
		} {
			resp := handshake(t, s.ws+"?"+query, nil)
			var body bytes.Buffer
			body.ReadFrom(resp.Body)
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body.String(), "the query parameter "+wrong+" is invalid") {
				t.Errorf("%s: %s: got %d %q", name, query, resp.StatusCode, body.String())
			}
			if strings.Contains(body.String(), id[1:]) {
				t.Errorf("%s: %s: the answer repeats it: %q", name, query, body.String())
			}
		}
		c := dial(t, s.session(id, 0)) // the slot was freed
		c.Send("hello")
		c.Expect("hello")
	}
}

// TestEncodedParameters: a client may percent-encode any character.
func TestEncodedParameters(t *testing.T) {
	t.Parallel()
	s := serve(t, resuming(`echo "$QUERY_STRING $REQUEST_URI"; exec cat`))
	id := strings.Repeat("Z", 128)
	c := dial(t, s.ws+"p?a=%20&wspipe%5Fsession=%5A"+id[1:]+"&b;c&%77spipe_after=%30&&d")
	c.Expect("a=%20&b;c&&d /p?a=%20&b;c&&d")
	c.Close(1001, "")
	c = dial(t, s.session(id, 0))
	c.Expect("a=%20&b;c&&d /p?a=%20&b;c&&d")
}

// proxiedHeader returns headers in which a proxy or a page may repeat a URL, and a secret in it.
func proxiedHeader(uri, secret string) http.Header {
	_, query, _ := strings.Cut(uri, "?")
	return http.Header{
		"Referer":        {"http://us.example" + uri + "#z", "http://us.example" + uri},
		"X-Original-Uri": {uri},
		"X-Original-Url": {"http://us.example" + uri + "&b=2"},
		"X-Args":         {query},
		"X-Request-Line": {"GET " + uri + " HTTP/1.1"},
		"X-Encoded":      {"/login?next=" + url.QueryEscape(uri)},
		"X-Encoded-Args": {url.QueryEscape(query)},
		"X-Twice":        {"/login?c=3&next=" + url.QueryEscape(url.QueryEscape(uri))},
		"X-Alone":        {secret},
		"Cookie":         {"a=1; last=" + uri + "; b=2"},
	}
}

// TestCGISeesNoSession: the URL of a page may have the ID of its session.
func TestCGISeesNoSession(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{}, map[string]string{"run": textHeader + `env`})
	request, _ := http.NewRequest("GET", s.http("run"), nil)
	request.Header = proxiedHeader("/x?a=1&wspipe_session=SECRET&wspipe_after=1", "")
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if env, err := io.ReadAll(resp.Body); err != nil || strings.Contains(string(env), "SECRET") || !strings.Contains(string(env), "HTTP_REFERER=http://us.example/x?a=1") {
		t.Errorf("the program sees %s %v", env, err)
	}
}

// TestParametersStaySecret: neither the ID nor the number appears anywhere, because the ID gives access
// to the session.
func TestParametersStaySecret(t *testing.T) {
	t.Parallel()
	id, after := newID()+"-secret", 1234567890
	secret := regexp.MustCompile(`(?i)` + id + `|` + strconv.Itoa(after) + `|wspipe_(session|after)`)
	const script = `env; cat /proc/$$/cmdline; echo; echo end; read -r l; exit 3`
	cfgs := map[string]server.Config{"resuming": resuming(script), "not resuming": {Endpoint: server.Endpoint{Child: sh(script)}}, "sharing": shared(script), "cannot start": resuming(script)}
	for name, cfg := range cfgs {
		if name == "cannot start" {
			cfg.Endpoint.Child = process.Spec{Path: "/no/such/file"}
		}
		s := serve(t, cfg)
		var told []string
		opt := &websocket.DialOptions{HTTPHeader: proxiedHeader("/x?a=1&wspipe_session="+id+"&wspipe_after="+strconv.Itoa(after), id)}
		come := func(after int) {
			c := wspipetest.Dial(t, s.session(id, after), opt)
			got, _ := c.Rest()
			told = append(told, got...)
		}
		refusal := func(more http.Header, query string) {
			resp := handshake(t, s.ws+query, more)
			var body bytes.Buffer
			resp.Write(&body)
			told = append(told, body.String())
		}
		if name != "cannot start" {
			c := wspipetest.Dial(t, s.session(id, 0), opt)
			for m := ""; m != "end"; {
				m = c.Next()
				told = append(told, m)
			}
			d := dial(t, s.session(id, -1))
			c.CloseNow()
			d.Send("quit")
			got, _ := d.Rest()
			told = append(told, got...)
		}
		come(after)
		refusal(http.Header{"Sec-Websocket-Key": {"short"}}, "?wspipe_session="+id+"&wspipe_after=0")
		refusal(http.Header{"Origin": {"http://evil.example"}}, "?wspipe_session="+id+"&wspipe_after=0")
		refusal(nil, "?wspipe_session="+id+"&wspipe_session="+id)
		refusal(http.Header{"Upgrade": {"h2c"}}, "?wspipe_session="+id)
		s.stop()
		<-s.status
		for where, got := range map[string]string{"the client or the child": strings.Join(told, "\n"), "the log": s.log.String()} {
			got = strings.ReplaceAll(got, "the query parameter wspipe_session is invalid", "")
			if where == "the log" { // may have a number that is out of reach: it is a count
				got = strings.ReplaceAll(got, `"after":`+strconv.Itoa(after), "")
			}
			if secret.MatchString(got) {
				t.Errorf("%s: %s is told %q:\n%s", name, where, secret.FindAllString(got, -1), got)
			}
		}
	}
}

// TestLostSession: a client with messages of a session gets no other session, and nothing is started
// for it, at whatever path.
func TestLostSession(t *testing.T) {
	t.Parallel()
	once := resuming(echoing)
	once.Endpoint.Resume, once.Once = 0, true
	off := resuming(echoing)
	off.Endpoint.Resume = 0
	for name, cfg := range map[string]server.Config{"resuming": resuming(echoing), "not resuming": off, "sharing": shared(echoing), "once": once} {
		cfg.MaxChildren, cfg.MaxPerIP = 1, 1
		s := serve(t, cfg)
		for range 3 {
			dial(t, s.session(newID(), 1)).ExpectEnd(4011, "history lost")
			dial(t, s.ws+"?wspipe_after=5").ExpectEnd(4011, "history lost")
			dialChannels(t, s.session(newID(), 7), channel.ProtocolV4).ExpectEnd(4011, "history lost")
		}
		if strings.Contains(s.log.String(), `"connect"`) || !s.unused() {
			t.Errorf("%s: something was started", name)
		}
		c, _ := arrive(t, s.session(newID(), 0))
		c.Close(1000, "")
	}
}

// TestResumeWithOtherSubprotocol: the history for a plain client cannot be sent to one with channels, and
// conversely. The session continues.
func TestResumeWithOtherSubprotocol(t *testing.T) {
	t.Parallel()
	s := serve(t, resuming(`while read -r l; do echo "$l"; done`))
	id := newID()
	c := dial(t, s.session(id, -1))
	c.Send("plain")
	c.Expect("plain")
	for _, protocol := range channel.Protocols {
		dialChannels(t, s.session(id, 0), protocol).ExpectEnd(4011, "history lost")
	}
	c.Send("still here")
	c.Expect("still here")
	id = newID()
	var hello []string
	for i, protocol := range slices.Concat(channel.Protocols, channel.Protocols) {
		d := dialChannels(t, s.session(id, i), protocol)
		if protocol == channel.ProtocolWspipe {
			hello = append(hello, d.Next())
		}
		d.expect(1, "")
		d.say(channel.Stdin, protocol+"\n")
		d.expect(1, protocol+"\n")
		d.Close(1001, "")
	}
	dial(t, s.session(id, 0)).ExpectEnd(4011, "history lost")
	if len(hello) != 2 || hello[0] != hello[1] || !strings.Contains(hello[0], `"session":"`+s.records(t, "connect")[1]["session"].(string)) {
		t.Errorf("hello: %q", hello)
	}
}

// TestTerminalIsResumed: with its program, in the current size of the window. If the client has no
// number, the program redraws the screen.
func TestTerminalIsResumed(t *testing.T) {
	t.Parallel()
	cfg := resuming(`trap 'echo drawn $(stty size)' WINCH; echo begun $(stty size); while :; do read -r l && echo "[$l $(stty size)]"; done`)
	cfg.Endpoint.Child.Terminal, cfg.Endpoint.Framing = process.FullTerminal, framing.Bytes
	s := serve(t, cfg)
	id := newID()
	had := 0
	come := func(after int, size string) *wspipetest.Client {
		t.Helper()
		return dial(t, s.session(id, after)+"&wspipe_size="+size)
	}
	until := func(c *wspipetest.Client, want string) {
		t.Helper()
		for said := ""; !strings.Contains(said, want); had++ {
			said += c.Next()
		}
	}
	c := come(-1, "100x30")
	until(c, "begun 30 100")
	c.Send("one\n")
	until(c, "[one 30 100]\r\n")
	c.CloseNow()
	c = come(had, "90x20") // the kernel sends SIGWINCH for a new size
	until(c, "drawn 20 90")
	c.CloseNow()
	c = come(had, "90x20") // the same size
	c.Send("two\n")
	until(c, "[two 20 90]\r\n")
	c.CloseNow()
	had = 0
	c = come(-1, "90x20")
	until(c, "[two 20 90]\r\n")
	until(c, "drawn 20 90")
	c.CloseNow()
	c = come(had, "")
	c.Send("three\n")
	until(c, "[three 20 90]\r\n")
}

// TestSessionWithSeveralFirstClients: one child is started. The last client has it, and the others get 4010.
func TestSessionWithSeveralFirstClients(t *testing.T) {
	t.Parallel()
	cfg := resuming(echoing)
	cfg.MaxChildren = 1
	s := serve(t, cfg)
	for range 20 {
		id := newID()
		var came sync.WaitGroup
		clients := make([]*wspipetest.Client, 8)
		for i := range clients {
			came.Go(func() { clients[i] = dial(t, s.session(id, i%2-1)) }) // ends with the handshake
		}
		came.Wait()
		ends := make(chan int, len(clients))
		for i, c := range clients {
			go func() { // ends when the connection is closed
				_, _, err := c.Read(c.Ctx)
				if end, ok := errors.AsType[websocket.CloseError](err); ok && end.Code == 4010 {
					ends <- -1
					return
				}
				ends <- i
			}()
		}
		for range len(clients) - 1 {
			if i := <-ends; i >= 0 {
				t.Fatalf("client %d is not told", i)
			}
		}
		for _, c := range clients {
			c.Write(c.Ctx, websocket.MessageText, []byte("last"))
		}
		last := <-ends
		if last < 0 {
			t.Fatal("nobody has the session")
		}
		clients[last].Close(1000, "")
		wspipetest.Eventually(t, "nothing is left", s.unused)
	}
	if n := len(s.records(t, "connect")); n != 20 {
		t.Errorf("%d children were started", n)
	}
}

// TestLogOfSession: one session ID for the session and all its connections.
func TestLogOfSession(t *testing.T) {
	t.Parallel()
	cfg := resuming(`echo $$; while read -r l; do echo "$l"; done`)
	cfg.Auth.Basic = "ann:secret"
	s := serve(t, cfg)
	id := newID()
	var pid float64
	for i, code := range []websocket.StatusCode{1001, 1000} {
		url := strings.Replace(s.session(id, 2*i), "ws://", "ws://ann:secret@", 1)
		c := dial(t, url)
		if i == 0 {
			pid = float64(atoi(t, c.Next()))
		}
		c.Send("hello")
		c.Expect("hello")
		c.Close(code, "bye")
		s.log.Await(t, `"disconnect"`, i+1)
	}
	s.log.Await(t, `"session ended"`, 1)
	name := s.records(t, "connect")[0]["session"]
	for msg, n := range map[string]int{"connect": 1, "resume": 1, "disconnect": 2, "session ended": 1} {
		records := s.records(t, msg)
		if len(records) != n {
			t.Errorf("%d times %q, want %d", len(records), msg, n)
		}
		for _, r := range records {
			if r["session"] != name || r["pid"] != pid || msg != "session ended" && (r["user"] != "ann" || r["remote"] == nil) {
				t.Errorf("%s: %v", msg, r)
			}
		}
	}
	for i, r := range s.records(t, "disconnect") {
		if r["code"] != float64(1001-i) || r["reason"] != "bye" || r["messages_in"] != 1.0 || r["messages_out"] != float64(2-i) || i == 0 && r["exit"] != nil {
			t.Errorf("%v", r)
		}
	}
}
