//go:build unix

package connect

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"wspipe/bridge/channel"

	"github.com/coder/websocket"
)

// asks returns the resume parameters of the client.
func (p *peer) asks() (id, after string) {
	p.t.Helper()
	query := p.request.URL.Query()
	id = query.Get(channel.SessionParameter)
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(id) {
		p.t.Errorf("the session's ID is %q", id)
	}
	if query.Has(channel.AfterParameter) {
		return id, query.Get(channel.AfterParameter)
	}
	return id, "none"
}

// expectAgain checks the resume parameters of a later connection.
func (p *peer) expectAgain(id, after string) *peer {
	p.t.Helper()
	if gotID, gotAfter := p.asks(); gotID != id || gotAfter != after {
		p.t.Errorf("came back to %q after %s, want %q after %s", gotID, gotAfter, id, after)
	}
	return p
}

// again waits for the notice that begins with why.
func (r *running) again(why string) {
	r.t.Helper()
	if got := wait(r.t, "a notice", r.notices); !strings.HasPrefix(got, why) || !strings.Contains(got, "; reconnecting in ") {
		r.t.Errorf("got notice %q, want %q", got, why)
	}
}

// Messages of the child's streams that are not empty count. The others are requested again, with the
// same subprotocol.
func TestResume(t *testing.T) {
	s := serve(t, nil, channel.ProtocolV5, channel.ProtocolV4)
	r := start(t, Config{URL: s.url(), Resume: true, Subprotocols: []string{channel.ProtocolV4, channel.ProtocolV5}})
	p := s.peer(t)
	id, after := p.asks()
	if after != "none" || len(p.request.Header.Values("Sec-WebSocket-Protocol")) != 1 {
		t.Errorf("the first connection asks for what is after %s, offers %q", after, p.request.Header["Sec-Websocket-Protocol"])
	}
	p.send(channel.Stdout, "")
	p.send(channel.Stdout, "one,")
	p.send(channel.Stderr, "two")
	p.send(7, "what is this?")
	r.input("in")
	p.expect("\x00in")
	p.drop()
	r.again("connection lost")
	p = s.peer(t).expectAgain(id, "2")
	if got := p.request.Header.Get("Sec-WebSocket-Protocol"); got != channel.ProtocolV5 {
		t.Errorf("the second connection offers %q", got)
	}
	p.drop()
	r.again("connection lost")
	p = s.peer(t).expectAgain(id, "2")
	p.send(channel.Stdout, "three")
	r.stdin.Close()
	p.expect("\xff\x00")
	p.Close(1008, "no answer to pings")
	r.again("connection closed by the server: code 1008 (policy violation): no answer to pings")
	p = s.peer(t).expectAgain(id, "3")
	p.expect("\xff\x00")
	p.Close(1002, "protocol error")
	r.again("connection closed by the server: code 1002 (protocol error)")
	p = s.peer(t).expectAgain(id, "3")
	p.expect("\xff\x00")
	p.Close(1000, "exit 0\xff")
	r.again("connection lost: close reason is not UTF-8")
	p = s.peer(t).expectAgain(id, "3")
	p.expect("\xff\x00")
	p.Close(1001, "server shutting down")
	r.again("connection closed by the server: code 1001 (going away): server shutting down")
	s.peer(t).expectAgain(id, "3").Close(1000, "exit 3")
	r.expect(3, "")
	r.expectOutput("one,three", "two")
}

// All plain messages count, also empty ones.
func TestResumePlainMessages(t *testing.T) {
	s := serve(t, nil)
	u := s.url()
	u.RawQuery = "a=b"
	r := start(t, Config{URL: u, Resume: true, Subprotocols: []string{}})
	p := s.peer(t)
	id, _ := p.asks()
	p.sendRaw(websocket.MessageText, "one")
	p.sendRaw(websocket.MessageText, "")
	p.sendRaw(websocket.MessageBinary, "two")
	p.drop()
	p = s.peer(t).expectAgain(id, "3")
	if p.request.URL.Query().Get("a") != "b" {
		t.Errorf("the query became %q", p.request.URL.RawQuery)
	}
	p.Close(1000, "exit 0")
	r.expect(0, "")
	r.expectOutput("one\n\ntwo", "")
}

// If a message is cut off, even more than once, the part that was received is skipped when it is
// repeated.
func TestResumeWithinAMessage(t *testing.T) {
	for _, protocol := range []string{"", channel.ProtocolV5} {
		t.Run(protocol, func(t *testing.T) {
			s := serve(t, nil, channel.ProtocolV5)
			r := start(t, Config{URL: s.url(), Resume: true, Subprotocols: strings.Fields(protocol)})
			before, typ, end := "", websocket.MessageText, "\n"
			if protocol != "" {
				before, typ, end = "\x01", websocket.MessageBinary, ""
			}
			long := numbers(300_000)
			p := s.peer(t)
			p.sendRaw(typ, before+"first")
			had := 0
			for _, cut := range []int{100_000, 50_000, 200_000} {
				w, err := p.Writer(p.ctx, typ)
				if err != nil {
					t.Fatal(err)
				}
				for _, piece := range []string{before + long[:10], long[10:20_000], long[20_000:cut]} {
					if _, err := io.WriteString(w, piece); err != nil {
						t.Fatal(err)
					}
				}
				p.drop()
				r.again("connection lost")
				want := "first" + end + long
				if n := r.stdout.Len(); r.stdout.String() != want[:n] || n < had || n < cut-5000 { // the library may buffer this much
					t.Errorf("after the cut at %d there are %d bytes of output", cut, n)
				}
				had = r.stdout.Len()
				p = s.peer(t)
				if _, after := p.asks(); after != "1" {
					t.Errorf("came back after %s", after)
				}
			}
			p.sendRaw(typ, before+long)
			p.sendRaw(typ, before+"last")
			p.Close(1000, "exit 0")
			r.expect(0, "")
			r.expectOutput("first"+end+long+end+"last"+end, "")
		})
	}
}

// numbers returns n bytes without repetitions.
func numbers(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:n]
}

// TLS reports the end of the connection as io.EOF. Before the first byte of a message's payload,
// that is not the end of the message.
func TestResumeAfterTLSEOF(t *testing.T) {
	var cut atomic.Bool
	s := newServer(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if cut.Swap(true) {
				next.ServeHTTP(w, r)
				return
			}
			accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"+
				"\x81\x01a\x81\x05", base64.StdEncoding.EncodeToString(accept[:]))
			conn.Close() // a regular end for TLS
		})
	})
	s.StartTLS()
	r := start(t, Config{URL: s.url(), Insecure: true, Resume: true, Subprotocols: []string{}})
	r.again("connection lost")
	p := s.peer(t)
	if _, after := p.asks(); after != "1" {
		t.Errorf("came back after %s", after)
	}
	p.sendRaw(websocket.MessageText, "hello")
	p.Close(1000, "exit 0")
	r.expect(0, "")
	r.expectOutput("a\nhello\n", "")
}

// A lost session, or one taken over, ends the client. With --reconnect a new session follows a lost
// one.
func TestResumeEnds(t *testing.T) {
	for _, test := range []struct {
		close   websocket.CloseError
		message string
		lost    bool
	}{
		{websocket.CloseError{Code: 4011, Reason: "history lost"}, "session lost: the server has ended it, or has dropped part of its output", true},
		{websocket.CloseError{Code: 4010, Reason: "attached elsewhere"}, "session taken over by another client", false},
		{websocket.CloseError{Code: 1008, Reason: "no"}, "connection closed by the server: code 1008 (policy violation): no", false},
	} {
		s := serve(t, nil)
		for _, again := range []bool{false, true} {
			r := start(t, Config{URL: s.url(), Resume: true, Reconnect: again, Subprotocols: []string{}})
			p := s.peer(t)
			id, _ := p.asks()
			p.sendRaw(websocket.MessageText, "one")
			p.Close(test.close.Code, test.close.Reason)
			if !again || !test.lost {
				r.expect(StatusFailed, test.message)
				continue
			}
			r.again(test.message)
			p = s.peer(t)
			if other, after := p.asks(); other == id || after != "none" {
				t.Errorf("after a lost session it asks for the same after %s", after)
			}
			p.sendRaw(websocket.MessageText, "two")
			p.Close(4010, "exit 10") // --exit-close-code
			r.expect(10, "")
			r.expectOutput("one\ntwo\n", "")
		}
	}
}

// A server that does not know the session starts another program. Its hello message reveals that.
func TestResumeWithAnotherProgram(t *testing.T) {
	s := serve(t, nil, channel.ProtocolWspipe)
	for _, again := range []bool{false, true} {
		r := start(t, Config{URL: s.url(), Resume: true, Reconnect: again})
		p := s.peer(t).hello(false)
		w, err := p.Writer(p.ctx, websocket.MessageBinary)
		if err != nil {
			t.Fatal(err)
		}
		old := numbers(20_000)
		io.WriteString(w, "\x01"+old)
		p.drop()
		r.again("connection lost")
		old = r.stdout.String()
		p = s.peer(t)
		p.send(channel.Control, `{"type":"hello","session":"another","pty":false,"pid":2}`)
		p.send(channel.Stdout, "new")
		if again {
			p.Close(1000, "exit 0")
			r.expect(0, "")
			r.expectOutput(old+"new", "")
			continue
		}
		p.expectClose(1000)
		r.expect(StatusFailed, "session lost: the server has started another program")
		r.expectOutput(old, "")
	}
}

// The session ID gives access to the session.
func TestSessionIDIsSecret(t *testing.T) {
	var asked atomic.Pointer[url.URL]
	for _, answer := range []func(http.ResponseWriter, *http.Request){
		func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://example.com/?"+r.URL.RawQuery, http.StatusFound)
		},
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) },
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) },
	} {
		s := serve(t, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Store(r.URL)
				answer(w, r)
			})
		})
		r := start(t, Config{URL: s.url(), Resume: true})
		got := ""
		select {
		case end := <-r.result:
			got = end.err.Error()
		case got = <-r.notices:
		}
		id := asked.Load().Query().Get(channel.SessionParameter)
		if id == "" || strings.Contains(got, id) {
			t.Errorf("the session is %q, and it says %q", id, got)
		}
	}
}
