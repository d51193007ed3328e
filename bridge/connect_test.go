//go:build unix

package bridge

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"

	"github.com/coder/websocket"
)

// link describes the connection of a client and a Conn. The zero value is TCP.
type link struct {
	network  string                  // tcp or unix
	tls      bool                    // TLS over it
	buffers  int                     // size of both sockets' kernel buffers, in bytes; zero for the default
	compress bool                    // permessage-deflate, if the client offers it
	wrap     func(net.Conn) net.Conn // wraps the connection below the Conn
	early    []byte                  // sent with the opening handshake
	protocol string                  // subprotocol that the client offers
}

// accepted is a WebSocket that the server has accepted.
type accepted struct {
	ws   *websocket.Conn
	wire *wire.Conn
}

// hijacker puts a Conn below the WebSocket, as package server does.
type hijacker struct {
	http.ResponseWriter
	link link
	wire *wire.Conn
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if h.link.wrap != nil {
		conn = h.link.wrap(conn)
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	h.wire = wire.NewConn(conn, slices.Clone(early))
	return h.wire, bufio.NewReadWriter(bufio.NewReaderSize(h.wire, 512), bufio.NewWriterSize(h.wire, 256)), nil
}

// serve listens as described by l. Each opening handshake is sent to conns.
func serve(t testing.TB, l link) (url, addr string, conns <-chan accepted) {
	t.Helper()
	c := make(chan accepted, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := &hijacker{ResponseWriter: w, link: l}
		opt := &websocket.AcceptOptions{Subprotocols: channel.Protocols, OnPingReceived: func(context.Context, []byte) bool { return h.wire.MayAnswer() }}
		if l.compress {
			opt.CompressionMode = websocket.CompressionNoContextTakeover
		}
		ws, err := websocket.Accept(h, r, opt)
		if err != nil {
			t.Error(err)
			return
		}
		c <- accepted{ws, h.wire}
	}))
	if l.network == "unix" {
		srv.Listener.Close()
		var err error
		if srv.Listener, err = net.Listen("unix", filepath.Join(t.TempDir(), "s")); err != nil {
			t.Fatal(err)
		}
	}
	if l.tls {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv.URL, srv.Listener.Addr().String(), c
}

// connect returns the two ends of a new WebSocket.
func connect(t testing.TB, l link) (*client, *websocket.Conn, *wire.Conn) {
	t.Helper()
	if l.network == "" {
		l.network = "tcp"
	}
	_, addr, conns := serve(t, l)
	conn, err := net.Dial(l.network, addr)
	if err != nil {
		t.Fatal(err)
	}
	if l.buffers > 0 {
		conn.(*net.TCPConn).SetReadBuffer(l.buffers)
		conn.(*net.TCPConn).SetWriteBuffer(l.buffers)
	}
	if l.tls {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	t.Cleanup(func() { conn.Close() })
	var header []string
	if l.protocol != "" {
		header = append(header, "Sec-WebSocket-Protocol: "+l.protocol+"\r\n")
	}
	if l.compress {
		header = append(header, "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n")
	}
	c := handshake(t, conn, l.early, header...)
	a := wspipetest.Wait(t, "opening handshake", conns)
	if l.buffers > 0 {
		wspipetest.SetBuffers(a.wire.Conn, l.buffers)
	}
	return c, a.ws, a.wire
}

// response is the response to an opening handshake without a server.
type response struct {
	http.ResponseWriter
	wire *wire.Conn
}

func (r response) Header() http.Header { return http.Header{} }
func (r response) WriteHeader(int)     {}

func (r response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return r.wire, bufio.NewReadWriter(bufio.NewReader(r.wire), bufio.NewWriterSize(r.wire, 256)), nil
}

// acceptOn returns a WebSocket on conn without a handshake.
func acceptOn(t testing.TB, conn *wire.Conn) *websocket.Conn {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
		r.Header.Set(name, value)
	}
	ws, err := websocket.Accept(response{wire: conn}, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// session is a running Single child and its client.
type session struct {
	*client
	*Client
	child Child
	stdin *wire.Queue
	ended chan Summary
}

// newSession attaches a client to child.
func newSession(ws *websocket.Conn, conn *wire.Conn, child Child, opt Options) *session {
	b := New(child, opt)
	c, err := b.Attach(NewWebSocket(ws, conn, false), ClientOptions{Log: opt.Log, ID: testID})
	if err != nil {
		panic(err) // a Single child takes its first client
	}
	return &session{Client: c, child: child, stdin: b.stdin, ended: make(chan Summary, 1)}
}

// with returns opt changed by set.
func with(opt Options, set func(*Options)) Options {
	set(&opt)
	return opt
}

// testID is the ID of each session.
const testID = "the session"

// Run runs the Bridge and the Client, as a server does.
func (s *session) Run() (sum Summary) {
	var running sync.WaitGroup
	var code int
	var signal string
	running.Go(func() { code, signal = s.bridge.Run() })
	sum = s.Client.Run()
	running.Wait()
	sum.ExitCode, sum.Signal = code, signal
	return sum
}

// start runs a session over TCP.
func start(t testing.TB, child Child, opt Options) *session {
	t.Helper()
	return startOver(t, link{}, child, opt)
}

// startOver runs a session. When the test ends, the client disconnects and Run must return.
func startOver(t testing.TB, l link, child Child, opt Options) *session {
	t.Helper()
	c, ws, conn := connect(t, l)
	s := newSession(ws, conn, child, opt)
	s.client = c
	go func() { s.ended <- s.Run() }() // ends when the client disconnects
	t.Cleanup(func() {
		c.Close()
		s.summary()
	})
	return s
}

// summary waits until Run has returned.
func (s *session) summary() Summary {
	s.t.Helper()
	sum := wspipetest.Wait(s.t, "the end of Run", s.ended)
	s.ended <- sum
	return sum
}
