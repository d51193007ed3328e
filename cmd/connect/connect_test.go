//go:build unix

package connect

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
)

// The streams of the child, EOF on stdin, and the exit status.
func TestStreams(t *testing.T) {
	s := serve(t, nil, channel.ProtocolWspipe)
	r := start(t, Config{URL: s.url()})
	p := s.peer(t).hello(false)
	r.input("first\n")
	p.expect("\x00first\n")
	p.send(channel.Stdout, "")
	p.send(channel.Stdout, "out\n")
	p.send(channel.Stderr, "err\n")
	p.send(77, "of a later protocol")
	p.send(channel.Control, `{"type":"news"}`)
	p.send(channel.Stdout, "no newline")
	r.stdin.Close()
	p.expect("\xff\x00")
	p.send(channel.Control, `{"type":"exit","code":3}`)
	p.send(channel.Error, `{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}`)
	p.Close(1000, "exit 3")
	r.expect(3, "")
	r.expectOutput("out\nno newline", "err\n")
}

// Megabytes both ways, in messages of any size, unchanged.
func TestBytesArriveUnchanged(t *testing.T) {
	data := make([]byte, 10<<20)
	rand.Read(data)
	s := serve(t, nil, channel.ProtocolWspipe)
	var out bytes.Buffer
	r := start(t, Config{URL: s.url(), Stdout: &out})
	p := s.peer(t).hello(false)
	go func() { // ends when all of data is written or the test has ended
		r.stdin.Write(data)
		r.stdin.Close()
	}()
	var got []byte
	for {
		_, m, err := p.Read(p.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m[0] == channel.Close {
			break
		}
		if len(m) > maxMessage {
			t.Fatalf("a message of %d bytes", len(m))
		}
		got = append(got, m[1:]...)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("what was sent has changed: %d bytes of %d", len(got), len(data))
	}
	for i, n := 0, 1; i < len(data); i, n = i+n, min(n*3, 1<<20) {
		p.send(channel.Stdout, string(data[i:min(i+n, len(data))]))
	}
	p.Close(1000, "exit 0")
	r.expect(0, "")
	if !bytes.Equal(out.Bytes(), data) {
		t.Errorf("what came has changed: %d bytes of %d", out.Len(), len(data))
	}
}

// A line is sent, and written, before the next one arrives.
func TestLoneLineIsSentAtOnce(t *testing.T) {
	s := serve(t, nil)
	stdout, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	defer w.Close()
	r := start(t, Config{URL: s.url(), Stdout: w})
	p := s.peer(t)
	for range 100 {
		r.input("ping\n")
		p.expect("ping")
		p.sendRaw(websocket.MessageText, "pong")
		line := make([]byte, 100)
		if n, err := stdout.Read(line); string(line[:n]) != "pong\n" {
			t.Fatalf("got %q, %v", line[:n], err)
		}
	}
}

// Without channels, each line is a message.
func TestLines(t *testing.T) {
	long := strings.Repeat("0123456789abcdé", 30_000)
	s := serve(t, nil)
	r := start(t, Config{URL: s.url()})
	p := s.peer(t)
	r.input("unix\nwindows\r\n\nin\rside\n")
	p.expect("unix", "windows", "", "in\rside")
	go r.input(long + "\r\nafter\nnot UTF-8: \xff\nlast") // ends when the peer has read it
	p.expect(long, "after")
	typ, got, err := p.Read(p.ctx)
	if typ != websocket.MessageBinary || string(got) != "not UTF-8: \xff" {
		t.Errorf("got %v %q, %v", typ, got, err)
	}
	r.stdin.Close()
	p.expect("last")
	p.sendRaw(websocket.MessageText, "text")
	p.sendRaw(websocket.MessageText, "")
	p.sendRaw(websocket.MessageText, long)
	p.sendRaw(websocket.MessageBinary, "binary")
	p.Close(1000, "bye")
	r.expect(0, "")
	r.expectOutput("text\n\n"+long+"\nbinary", "")
}

func TestBinary(t *testing.T) {
	s := serve(t, nil)
	r := start(t, Config{URL: s.url(), Binary: true})
	p := s.peer(t)
	r.input("a\r\nb")
	typ, got, err := p.Read(p.ctx)
	if typ != websocket.MessageBinary || string(got) != "a\r\nb" {
		t.Errorf("got %v %q, %v", typ, got, err)
	}
	p.sendRaw(websocket.MessageText, "text")
	p.sendRaw(websocket.MessageBinary, "binary")
	p.Close(1000, "")
	r.expect(0, "")
	r.expectOutput("textbinary", "")
}

// The Kubernetes protocols have no control channel. Only v5 can close stdin.
func TestKubernetes(t *testing.T) {
	for _, protocol := range []string{channel.ProtocolV5, channel.ProtocolV4} {
		s := serve(t, nil, protocol)
		r := start(t, Config{URL: s.url(), Subprotocols: []string{"other", protocol}})
		p := s.peer(t)
		p.send(channel.Stdout, "")
		r.input("in")
		p.expect("\x00in")
		r.stdin.Close()
		if protocol == channel.ProtocolV5 {
			p.expect("\xff\x00")
		}
		p.send(channel.Stderr, "err")
		p.send(channel.Error, `{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}`)
		p.Close(1000, "")
		r.expect(7, "")
		r.expectOutput("", "err")
	}
}

// The reader of stdout closes it, as in "| head -n 1".
func TestClosedStdout(t *testing.T) {
	s := serve(t, nil, channel.ProtocolWspipe)
	stdout, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r := start(t, Config{URL: s.url(), Stdout: w, Reconnect: true})
	p := s.peer(t).hello(false)
	stdout.Close()
	p.send(channel.Stdout, "to nobody")
	p.expectClose(1000)
	r.expect(141, "")
}

// A write to stdout fails, as on a full disk.
func TestStdoutFails(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		wspipetest.Lack(t, "no full device: %v", err)
	}
	defer full.Close()
	s := serve(t, nil, channel.ProtocolWspipe)
	r := start(t, Config{URL: s.url(), Stdout: full})
	p := s.peer(t).hello(false)
	p.send(channel.Stdout, "much")
	p.expectClose(1000)
	r.expect(255, "no space left on device")
}

// After stdin has ended, silence ends the connection, but not before.
func TestEOFTimeout(t *testing.T) {
	s := serve(t, nil)
	r := start(t, Config{URL: s.url(), EOFTimeout: time.Second})
	p := s.peer(t)
	for began := time.Now(); time.Since(began) < 2*time.Second; { // twice the timeout
		r.input("question\n")
		p.expect("question")
	}
	p.sendRaw(websocket.MessageText, "answer")
	r.stdin.Close()
	p.expectClose(1000)
	r.expect(0, "")
	r.expectOutput("answer\n", "")
}

func TestUnixSocket(t *testing.T) {
	s := newServer(t, nil, channel.ProtocolWspipe)
	s.Listener.Close()
	path := filepath.Join(t.TempDir(), "s")
	var err error
	if s.Listener, err = net.Listen("unix", path); err != nil {
		t.Fatal(err)
	}
	s.Start()
	u := s.url()
	u.Host, u.Path = "example.com", "/there"
	r := start(t, Config{URL: u, Socket: path, Headers: []HeaderField{{"X-Twice", "1"}, {"X-Twice", "2"}}})
	p := s.peer(t).hello(false)
	if got := p.request; got.Host != "example.com" || got.URL.Path != "/there" || strings.Join(got.Header["X-Twice"], "") != "12" {
		t.Errorf("got %+v", got)
	}
	p.Close(1000, "exit 0")
	r.expect(0, "")
}

// Nothing is read from stdin before there is a connection, because the next command of a script may
// need it.
func TestStdinIsNotReadWithoutConnection(t *testing.T) {
	s := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "wspipe: not you", http.StatusForbidden) })
	})
	stdin, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "for somebody else")
	w.Close()
	r := start(t, Config{URL: s.url(), Stdin: stdin})
	r.expect(255, "the server answered 403 Forbidden: wspipe: not you")
	if rest, err := io.ReadAll(stdin); string(rest) != "for somebody else" {
		t.Errorf("left: %q, %v", rest, err)
	}
	stdin.Close()
}
