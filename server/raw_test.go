//go:build unix

package server

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// rawClient implements RFC 6455 itself: it sees frames, and can do what no library does.
type rawClient struct {
	*net.TCPConn
	r *bufio.Reader
	t *testing.T
}

// handshake sends an opening handshake with additional headers and returns the response.
func handshake(t *testing.T, ws string, more http.Header) *http.Response {
	t.Helper()
	_, resp := openRaw(t, ws, more)
	return resp
}

func dialRaw(t *testing.T, ws string) *rawClient {
	t.Helper()
	c, resp := openRaw(t, ws, nil)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake was answered with %s", resp.Status)
	}
	return c
}

func openRaw(t *testing.T, ws string, more http.Header) (*rawClient, *http.Response) {
	t.Helper()
	u, err := url.Parse(ws)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * patience))
	c := &rawClient{TCPConn: conn.(*net.TCPConn), r: bufio.NewReaderSize(conn, 1<<16), t: t}
	u.Scheme = "http"
	req := &http.Request{Method: "GET", URL: u, Host: u.Host, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}}
	for name, values := range more {
		req.Header[name] = values
	}
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.r, req)
	if err != nil {
		t.Fatal(err)
	}
	return c, resp
}

const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
	fin     = 0x80
)

// frame sends one masked frame. head is its first byte.
func (c *rawClient) frame(head byte, payload []byte) error {
	p := append([]byte{head}, frameLength(len(payload))...)
	p = append(p, 0, 0, 0, 0) // a masking key that changes nothing
	_, err := c.Write(append(p, payload...))
	return err
}

func frameLength(n int) []byte {
	switch {
	case n < 126:
		return []byte{0x80 | byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{0x80 | 126}, uint16(n))
	}
	return binary.BigEndian.AppendUint64([]byte{0x80 | 127}, uint64(n))
}

// message reads a frame and returns its payload. It answers pings that precede it.
func (c *rawClient) message() string {
	c.t.Helper()
	for {
		head, payload := c.whole()
		if head != fin|opPing {
			return string(payload)
		}
		c.frame(fin|opPong, payload)
	}
}

// whole reads a complete frame.
func (c *rawClient) whole() (head byte, payload []byte) {
	c.t.Helper()
	head, size, err := c.header()
	payload = make([]byte, size)
	if err == nil {
		_, err = io.ReadFull(c.r, payload)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return head, payload
}

// countMessages reads until the close frame and counts the messages before it. It answers pings with
// unsolicited pongs, which also show that the client is alive.
func (c *rawClient) countMessages() (n int) {
	c.t.Helper()
	for {
		head, _, err := c.next()
		switch {
		case err != nil:
			c.t.Fatalf("after %d messages: %v", n, err)
		case head == fin|opClose:
			return n
		case head == fin|opPing:
			c.frame(fin|opPong, nil)
		case head == fin|opText:
			n++
		}
	}
}

// next reads the header of a frame and skips its payload.
func (c *rawClient) next() (head byte, size int64, err error) {
	head, size, err = c.header()
	if err == nil {
		_, err = io.CopyN(io.Discard, c.r, size)
	}
	return head, size, err
}

func (c *rawClient) header() (head byte, size int64, err error) {
	var h [2]byte
	if _, err = io.ReadFull(c.r, h[:]); err != nil {
		return 0, 0, err
	}
	switch size = int64(h[1]); size {
	case 126:
		var l [2]byte
		_, err = io.ReadFull(c.r, l[:])
		size = int64(binary.BigEndian.Uint16(l[:]))
	case 127:
		var l [8]byte
		_, err = io.ReadFull(c.r, l[:])
		size = int64(binary.BigEndian.Uint64(l[:]))
	}
	return h[0], size, err
}
