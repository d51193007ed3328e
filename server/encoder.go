package server

import (
	"bufio"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// encoderBuffer gathers small frames, in bytes.
const encoderBuffer = 4 << 10

// newEncoder returns a WebSocket over conn as if a client had been accepted on
// it, with or without permessage-deflate: what is written to it comes out as
// the frames that such a client understands. flush makes what it keeps of a frame come out, too.
func newEncoder(conn net.Conn, deflate bool) (ws *websocket.Conn, flush func() error) {
	r := &http.Request{Method: http.MethodGet, ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header)}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==") // RFC 6455, section 1.3
	opt := new(websocket.AcceptOptions)
	if deflate {
		r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate")
		opt.CompressionMode = websocket.CompressionNoContextTakeover
	}
	rw := bufio.NewReadWriter(bufio.NewReaderSize(conn, 16), bufio.NewWriterSize(conn, encoderBuffer))
	ws, err := websocket.Accept(unheard{conn, rw, make(http.Header)}, r, opt)
	if err != nil {
		panic(err) // it depends on nothing but this function
	}
	return ws, rw.Flush
}

// unheard is an http.ResponseWriter whose answer nobody gets.
type unheard struct {
	conn   net.Conn
	rw     *bufio.ReadWriter
	header http.Header
}

func (u unheard) Header() http.Header         { return u.header }
func (u unheard) WriteHeader(int)             {}
func (u unheard) Write(p []byte) (int, error) { return len(p), nil }

// Hijack implements http.Hijacker.
func (u unheard) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return u.conn, u.rw, nil
}
