//go:build unix

package connect

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"wspipe/bridge/channel"

	"github.com/coder/websocket"
)

// peer is the server's end of a connection.
type peer struct {
	*websocket.Conn
	t       testing.TB
	request *http.Request
	ctx     context.Context // limits a failing test
	done    chan struct{}   // closes the network connection, if the test has not
}

// server accepts WebSockets and returns a peer for each.
type server struct {
	*httptest.Server
	peers chan *peer
}

// serve starts a server that supports subprotocols. wrap, if not nil, wraps its handler.
func serve(t testing.TB, wrap func(http.Handler) http.Handler, subprotocols ...string) *server {
	t.Helper()
	s := newServer(t, wrap, subprotocols...)
	s.Start()
	return s
}

// newServer returns a server that has not been started.
func newServer(t testing.TB, wrap func(http.Handler) http.Handler, subprotocols ...string) *server {
	t.Helper()
	s := &server{peers: make(chan *peer, 1)}
	over := make(chan struct{})
	var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: subprotocols})
		if err != nil {
			return // Accept has written a response
		}
		ws.SetReadLimit(-1)
		defer ws.CloseNow()
		p := &peer{Conn: ws, t: t, request: r, done: make(chan struct{})}
		select {
		case s.peers <- p:
		case <-over:
			return
		}
		select {
		case <-p.done:
		case <-over:
		}
	})
	if wrap != nil {
		handler = wrap(handler)
	}
	s.Server = httptest.NewUnstartedServer(handler)
	t.Cleanup(func() {
		close(over)
		s.Close()
	})
	return s
}

// url returns the URL of the server, for Config.
func (s *server) url() *url.URL {
	u, _ := url.Parse("ws" + strings.TrimPrefix(s.URL, "http")) // httptest URLs are valid
	return u
}

// peer returns the next connection.
func (s *server) peer(t testing.TB) *peer {
	t.Helper()
	p := wait(t, "a connection", s.peers)
	var cancel context.CancelFunc
	p.ctx, cancel = context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return p
}

// send sends a message on a channel.
func (p *peer) send(channel byte, text string) {
	p.t.Helper()
	p.sendRaw(websocket.MessageBinary, string(channel)+text)
}

func (p *peer) sendRaw(typ websocket.MessageType, text string) {
	p.t.Helper()
	if err := p.Write(p.ctx, typ, []byte(text)); err != nil {
		p.t.Error(err)
	}
}

// hello sends the first message of v1.wspipe.
func (p *peer) hello(pty bool) *peer {
	p.t.Helper()
	if pty {
		p.send(channel.Control, `{"type":"hello","session":"s","pty":true,"pid":1}`)
	} else {
		p.send(channel.Control, `{"type":"hello","session":"s","pty":false,"pid":1}`)
	}
	return p
}

// expect reads messages from the client and compares them.
func (p *peer) expect(messages ...string) {
	p.t.Helper()
	for _, want := range messages {
		_, got, err := p.Read(p.ctx)
		if err != nil || string(got) != want {
			p.t.Fatalf("got message %.200q, %v, want %.200q", got, err, want)
		}
	}
}

// expectClose reads until the client's close frame, and returns the payload of the messages before.
func (p *peer) expectClose(code websocket.StatusCode) (before string) {
	p.t.Helper()
	for {
		_, got, err := p.Read(p.ctx)
		if err == nil {
			before += string(got)
			continue
		}
		if websocket.CloseStatus(err) != code {
			p.t.Errorf("the client ended with %v, want close code %d", err, code)
		}
		return before
	}
}

// drop ends the connection without a close frame.
func (p *peer) drop() { close(p.done) }

// running is a call of Run in the test.
type running struct {
	t              testing.TB
	stdin          *os.File // the writing end
	stdout, stderr *strings.Builder
	notices        chan string
	result         chan runResult
}

type runResult struct {
	status int
	err    error
}

// start runs cfg with a pipe for stdin, until the test ends.
func start(t testing.TB, cfg Config) *running {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	run := &running{t: t, stdin: w, stdout: new(strings.Builder), stderr: new(strings.Builder), notices: make(chan string, 100), result: make(chan runResult, 1)}
	if cfg.Stdin == nil {
		cfg.Stdin = r
	}
	if cfg.Stdout == nil {
		cfg.Stdout = run.stdout
	}
	cfg.Stderr, cfg.Notice = run.stderr, func(text string) { run.notices <- text }
	if cfg.Subprotocols == nil {
		cfg.Subprotocols = []string{channel.ProtocolWspipe}
	}
	ctx, stop := context.WithCancelCause(context.Background())
	go func() { // ends with Run
		status, err := Run(ctx, cfg)
		run.result <- runResult{status, err}
		close(run.result)
	}()
	t.Cleanup(func() {
		stop(errors.New("the test has ended"))
		w.Close()
		wait(t, "the end of Run", run.result)
		r.Close()
	})
	return run
}

// input writes to stdin.
func (r *running) input(text string) {
	r.t.Helper()
	if _, err := io.WriteString(r.stdin, text); err != nil {
		r.t.Fatal(err)
	}
}

// expect waits for the result and compares it. An empty message means no error.
func (r *running) expect(status int, message string) {
	r.t.Helper()
	got := wait(r.t, "the end of Run", r.result)
	said := ""
	if got.err != nil {
		said = got.err.Error()
	}
	if got.status != status || (message == "") != (said == "") || !strings.Contains(said, message) {
		r.t.Errorf("status %d, %q, want %d, %q", got.status, said, status, message)
	}
}

func (r *running) expectOutput(stdout, stderr string) {
	r.t.Helper()
	if r.stdout.String() != stdout || r.stderr.String() != stderr {
		r.t.Errorf("got stdout %.200q, stderr %.200q, want %.200q, %.200q", r.stdout, r.stderr, stdout, stderr)
	}
}
