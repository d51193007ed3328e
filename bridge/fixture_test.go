//go:build unix

package bridge

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"

	"github.com/coder/websocket"
)

const (
	opText   = wspipetest.OpText
	opBinary = wspipetest.OpBinary
	opPing   = wspipetest.OpPing
	opPong   = wspipetest.OpPong
	fin      = wspipetest.Fin
)

var maskedFrame = wspipetest.MaskedFrame

// client is a WebSocket client that sends exactly the given bytes.
type client struct {
	*wspipetest.Raw
	t     testing.TB
	pongs bool // message and expectClose reply to pings
}

// write sends raw bytes.
func (c *client) write(parts ...[]byte) {
	c.t.Helper()
	if _, err := c.Write(bytes.Join(parts, nil)); err != nil {
		c.t.Fatal(err)
	}
}

// send sends a message in one frame.
func (c *client) send(payload string) {
	c.t.Helper()
	c.write(maskedFrame(fin|opText, []byte(payload)))
}

// say sends a binary message on a channel.
func (c *client) say(number byte, payload string) {
	c.t.Helper()
	c.write(maskedFrame(fin|opBinary, append([]byte{number}, payload...)))
}

// frame is a frame from the server.
type frame struct {
	first   byte // opcode with FIN and RSV bits
	payload []byte
}

func (c *client) frame() (frame, error) {
	first, size, err := c.ReadHeader()
	payload := make([]byte, size)
	if err == nil {
		_, err = io.ReadFull(c.In, payload)
	}
	return frame{first, payload}, err
}

// message reads a message, or a close frame.
func (c *client) message() (opcode byte, payload string) {
	c.t.Helper()
	var whole []byte
	for begun := false; ; {
		f, err := c.frame()
		switch {
		case err != nil:
			c.t.Fatalf("no message: %v", err)
		case f.first == fin|opPing && c.pongs:
			c.write(maskedFrame(fin|opPong, f.payload))
			continue
		case !begun:
			opcode = f.first &^ fin
		case f.first&^fin != wire.OpContinuation:
			c.t.Fatalf("frame %#x %.100q within a message", f.first, f.payload)
		}
		begun = true
		if whole = append(whole, f.payload...); f.first&fin != 0 {
			return opcode, string(whole)
		}
	}
}

// expect reads text messages, which must equal want.
func (c *client) expect(want ...string) {
	c.t.Helper()
	for i, w := range want {
		if opcode, got := c.message(); opcode != opText || got != w {
			c.t.Fatalf("message %d: opcode %d, %.100q (%d bytes), want %.100q (%d bytes)", i, opcode, got, len(got), w, len(w))
		}
	}
}

// expectOn reads messages on a channel, which must equal want.
func (c *client) expectOn(number byte, want ...string) {
	c.t.Helper()
	for _, w := range want {
		if opcode, got := c.message(); opcode != opBinary || got != string(number)+w {
			c.t.Fatalf("opcode %d, %.200q, want %.200q on channel %d", opcode, got, w, number)
		}
	}
}

// greeted reads the first messages of a client with channels.
func (c *client) greeted() {
	c.t.Helper()
	for number := channel.Control; number != channel.Stdout; {
		_, m := c.message()
		number = m[0]
	}
}

// stream reads n bytes of a channel, and skips other channels.
func (c *client) stream(number byte, n int) string {
	c.t.Helper()
	var got []byte
	for len(got) < n {
		if opcode, m := c.message(); opcode != opBinary {
			c.t.Fatalf("opcode %d, %q after %d of %d bytes", opcode, m, len(got), n)
		} else if m[0] == number {
			got = append(got, m[1:]...)
		}
	}
	return string(got)
}

// expectClose skips messages, reads a close frame, replies to it and expects the end of the connection.
func (c *client) expectClose(code int, reason string) {
	c.t.Helper()
	opcode, payload := c.message()
	for opcode != wire.OpClose {
		opcode, payload = c.message()
	}
	if want := string([]byte{byte(code >> 8), byte(code)}) + reason; payload != want {
		c.t.Errorf("closed with %q, want %q", payload, want)
	}
	c.write(maskedFrame(fin|wire.OpClose, []byte(payload)))
	if rest, err := io.ReadAll(c.In); err != nil || len(rest) > 0 {
		c.t.Errorf("after the close frame: %q, %v", rest, err)
	}
	c.Close()
}

// closeFrame returns a client's close frame.
func closeFrame(code uint16, reason string) []byte {
	return maskedFrame(fin|wire.OpClose, append(binary.BigEndian.AppendUint16(nil, code), reason...))
}

// link describes the connection of a client. The zero value is TCP.
type link struct {
	network  string // tcp or unix
	buffers  int    // size of both sockets' kernel buffers, in bytes; zero for the default
	compress bool   // permessage-deflate
	protocol string // subprotocol
}

// accepted is the response to an opening handshake, of which only Hijack has an effect.
type accepted struct {
	http.ResponseWriter
	wire   *wire.Conn
	header http.Header
}

func (a accepted) Header() http.Header { return a.header }
func (accepted) WriteHeader(int)       {}

func (a accepted) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return a.wire, bufio.NewReadWriter(bufio.NewReader(a.wire), bufio.NewWriterSize(a.wire, 256)), nil
}

// accept returns a WebSocket on conn without a handshake.
func accept(t testing.TB, conn *wire.Conn, l link) *websocket.Conn {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": l.protocol,
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Extensions": "permessage-deflate; client_no_context_takeover"} {
		r.Header.Set(name, value)
	}
	opt := &websocket.AcceptOptions{Subprotocols: channel.Protocols, OnPingReceived: func(context.Context, []byte) bool { return conn.MayAnswer() }}
	if l.compress {
		opt.CompressionMode = websocket.CompressionNoContextTakeover
	}
	ws, err := websocket.Accept(accepted{wire: conn, header: http.Header{}}, r, opt)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// connect returns the two ends of a new WebSocket.
func connect(t testing.TB, l link) (*client, Transport) {
	t.Helper()
	near, far := wspipetest.ConnPair(t, cmp.Or(l.network, "tcp"))
	if l.buffers > 0 {
		wspipetest.SetBuffers(near, l.buffers)
		wspipetest.SetBuffers(far, l.buffers)
	}
	conn := wire.NewConn(near, nil)
	return &client{Raw: wspipetest.NewRaw(t, far), t: t}, NewWebSocket(accept(t, conn, l), conn, l.compress)
}

// attached is a client that is attached to a child.
type attachedClient struct {
	*client
	*Client
	ended chan Summary
	child *sync.WaitGroup // the run of a Single child, or nil
}

// attach attaches a client to b. When the test ends, it disconnects and its Run must return.
func attach(t testing.TB, b *Bridge, l link, of ClientOptions) *attachedClient {
	t.Helper()
	c, to := connect(t, l)
	of.Log, of.ID = b.opt.Log, testID
	on, err := b.Attach(to, of)
	if err != nil {
		t.Fatal(err)
	}
	a := &attachedClient{client: c, Client: on, ended: make(chan Summary, 1)}
	go func() { a.ended <- on.Run() }() // ends when the client disconnects
	t.Cleanup(func() {
		c.Close()
		a.summary()
	})
	return a
}

// summary waits until Run has returned, and a Single child has ended.
func (a *attachedClient) summary() Summary {
	a.t.Helper()
	if a.child != nil {
		a.child.Wait()
	}
	sum := wspipetest.Wait(a.t, "the end of Run", a.ended)
	a.ended <- sum
	return sum
}

// lose disconnects without a close frame and waits until Run has returned.
func (a *attachedClient) lose() Summary {
	a.t.Helper()
	a.client.Close()
	return a.summary()
}

// testID is the ID of each session.
const testID = "the session"

// run runs b, whose child is stopped when the test ends.
func run(t testing.TB, b *Bridge) (ended chan bool) {
	ended = make(chan bool)
	go func() { // ends with the child
		b.Run()
		close(ended)
	}()
	t.Cleanup(func() {
		b.Shutdown()
		release(t, b.child)
		wspipetest.Wait(t, "the end of the child", ended)
	})
	return ended
}

// release ends the child of a failed test, which may not reach that.
func release(t testing.TB, child Child) {
	if p, ok := child.(*puppet); ok && t.Failed() {
		p.exit(0, "")
	}
}

// start runs a Single child and its client.
func start(t testing.TB, l link, child Child, opt Options) *attachedClient {
	t.Helper()
	b := New(child, opt)
	a := attach(t, b, l, ClientOptions{})
	a.child = new(sync.WaitGroup)
	t.Cleanup(func() { release(t, child) })
	a.child.Go(func() { b.Run() }) // ends with the child
	return a
}
