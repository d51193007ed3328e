package wspipetest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// The first byte of a frame (RFC 6455, section 5.2).
const (
	Fin = 0x80

	OpText   = 1
	OpBinary = 2
	OpClose  = 8
	OpPing   = 9
	OpPong   = 10
)

// OpeningFields are the header fields of an opening handshake.
const OpeningFields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// Raw is a connection for requests and frames that no library sends. Its methods fail the test.
type Raw struct {
	net.Conn
	// In reads what the server sends.
	In *bufio.Reader

	t testing.TB
}

// Connect connects to addr until the end of the test.
func Connect(t testing.TB, addr net.Addr) *Raw {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return NewRaw(t, conn)
}

// NewRaw returns a Raw of conn, which bounds a broken test.
func NewRaw(t testing.TB, conn net.Conn) *Raw {
	conn.SetDeadline(time.Now().Add(Lifetime))
	return &Raw{Conn: conn, In: bufio.NewReaderSize(conn, 1<<16), t: t}
}

// OpenRaw does an opening handshake at a ws:// URL with additional header fields.
func OpenRaw(t testing.TB, ws string, more http.Header) (*Raw, *http.Response) {
	t.Helper()
	u, err := url.Parse(ws)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := net.ResolveTCPAddr("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	c := Connect(t, addr)
	u.Scheme = "http"
	req := &http.Request{Method: "GET", URL: u, Host: u.Host, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}}
	for name, values := range more {
		req.Header[name] = values
	}
	if err := req.Write(c); err != nil {
		t.Fatal(err)
	}
	return c, c.Response("GET")
}

// DialRaw opens a WebSocket at a ws:// URL.
func DialRaw(t testing.TB, ws string) *Raw {
	t.Helper()
	c, resp := OpenRaw(t, ws, nil)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake was answered with %s", resp.Status)
	}
	return c
}

// TCP returns the connection, which must be of TCP.
func (c *Raw) TCP() *net.TCPConn { return c.Conn.(*net.TCPConn) }

// Reset breaks the connection with a RST, if it is of TCP.
func (c *Raw) Reset() { Reset(c.Conn) }

// Reset breaks conn without a close frame, with a RST if it is of TCP.
func Reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// Send writes text unchanged.
func (c *Raw) Send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// Response reads the header of the response to a request with this method.
func (c *Raw) Response(method string) *http.Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.In, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	return resp
}

// Whole reads a response with its body, or with the first message of a WebSocket.
func (c *Raw) Whole(method string) (resp *http.Response, body string) {
	c.t.Helper()
	resp = c.Response(method)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, c.Message()
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("after %d bytes of body: %v", len(text), err)
	}
	return resp, string(text)
}

// Frame sends one masked frame. It may fail.
func (c *Raw) Frame(first byte, payload []byte) error {
	_, err := c.Write(MaskedFrame(first, payload))
	return err
}

// MaskedFrame returns a frame with a masking key that changes nothing.
func MaskedFrame(first byte, payload []byte) []byte {
	return append(append(frameHeader(first, len(payload)), 0, 0, 0, 0), payload...)
}

func frameHeader(first byte, n int) []byte {
	switch {
	case n < 126:
		return []byte{first, 0x80 | byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(n))
	}
	return binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, uint64(n))
}

// SendClose sends a close frame.
func (c *Raw) SendClose(code uint16) { c.Frame(Fin|OpClose, binary.BigEndian.AppendUint16(nil, code)) }

// ReadHeader reads the header of a frame.
func (c *Raw) ReadHeader() (first byte, size int64, err error) {
	var h [2]byte
	if _, err = io.ReadFull(c.In, h[:]); err != nil {
		return 0, 0, err
	}
	switch size = int64(h[1]); size {
	case 126:
		var l [2]byte
		_, err = io.ReadFull(c.In, l[:])
		size = int64(binary.BigEndian.Uint16(l[:]))
	case 127:
		var l [8]byte
		_, err = io.ReadFull(c.In, l[:])
		size = int64(binary.BigEndian.Uint64(l[:]))
	}
	return h[0], size, err
}

// Skip reads a frame without its payload.
func (c *Raw) Skip() (first byte, err error) {
	first, size, err := c.ReadHeader()
	if err == nil {
		_, err = io.CopyN(io.Discard, c.In, size)
	}
	return first, err
}

// ReadFrame reads a frame.
func (c *Raw) ReadFrame() (first byte, payload []byte) {
	c.t.Helper()
	first, size, err := c.ReadHeader()
	payload = make([]byte, size)
	if err == nil {
		_, err = io.ReadFull(c.In, payload)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return first, payload
}

// Message reads a frame and returns its payload. It answers pings that precede it.
func (c *Raw) Message() string {
	c.t.Helper()
	for {
		first, payload := c.ReadFrame()
		if first != Fin|OpPing {
			return string(payload)
		}
		c.Frame(Fin|OpPong, payload)
	}
}

// Closed reads until the close frame.
func (c *Raw) Closed() (code uint16, reason string) {
	c.t.Helper()
	for {
		if first, payload := c.ReadFrame(); first == Fin|OpClose {
			return binary.BigEndian.Uint16(payload), string(payload[2:])
		}
	}
}

// IsTimeout reports whether err is that of a deadline.
func IsTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}
