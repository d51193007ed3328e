//go:build unix

package bridge

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// The opcodes and the FIN bit of RFC 6455, section 5.2.
const (
	opText   = 1
	opBinary = 2
	opPing   = 9
	opPong   = 10
	fin      = wire.FinBit
)

// client is a WebSocket client that sends exactly the given bytes.
type client struct {
	net.Conn
	t       testing.TB
	br      *bufio.Reader
	answers bool // message and expectClose answer pings
	pings   int  // pings received by message
}

// handshake does an opening handshake over conn with these header lines. It sends early in
// the same write.
func handshake(t testing.TB, conn net.Conn, early []byte, header ...string) *client {
	t.Helper()
	c := &client{Conn: conn, t: t, br: bufio.NewReaderSize(conn, 64<<10)}
	c.SetDeadline(time.Now().Add(wspipetest.Lifetime))
	c.write([]byte("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+strings.Join(header, "")+"\r\n"), early)
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("opening handshake: %s", resp.Status)
	}
	return c
}

// maskedFrame returns a client's frame; first is the opcode with the FIN and RSV bits.
func maskedFrame(first byte, payload []byte) []byte {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	f := append(frameHeader(first, 0x80, len(payload)), key[:]...)
	for i, b := range payload {
		f = append(f, b^key[i%4])
	}
	return f
}

func frameHeader(first, mask byte, size int) []byte {
	switch {
	case size > 65535:
		return binary.BigEndian.AppendUint64([]byte{first, mask | 127}, uint64(size))
	case size > 125:
		return binary.BigEndian.AppendUint16([]byte{first, mask | 126}, uint16(size))
	}
	return []byte{first, mask | byte(size)}
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

// frame is a frame from the server.
type frame struct {
	first   byte // opcode with FIN and RSV bits
	payload []byte
}

// header reads the header of a frame.
func (c *client) header() (first byte, size int, err error) {
	b := make([]byte, 8)
	if _, err := io.ReadFull(c.br, b[:2]); err != nil {
		return 0, 0, err
	}
	first, size = b[0], int(b[1]) // unmasked, or the size makes no sense
	switch size {
	case 126:
		_, err = io.ReadFull(c.br, b[:2])
		size = int(binary.BigEndian.Uint16(b))
	case 127:
		_, err = io.ReadFull(c.br, b)
		size = int(binary.BigEndian.Uint64(b))
	}
	return first, size, err
}

func (c *client) frame() (frame, error) {
	first, size, err := c.header()
	if err != nil {
		return frame{}, err
	}
	payload := make([]byte, size)
	_, err = io.ReadFull(c.br, payload)
	return frame{first, payload}, err
}

// message reads a message and returns its number of frames.
func (c *client) message() (opcode byte, payload string, frames int) {
	c.t.Helper()
	var whole []byte
	for {
		f, err := c.frame()
		switch {
		case err != nil:
			c.t.Fatalf("no whole message: %v", err)
		case f.first == fin|opPing:
			c.pings++
			if c.answers {
				c.write(maskedFrame(fin|opPong, f.payload))
			}
			continue
		case f.first&^fin == wire.OpClose:
			c.t.Fatalf("closed with %q instead of a message", f.payload)
		case frames == 0:
			opcode = f.first &^ fin
		case f.first&^fin != wire.OpContinuation:
			c.t.Fatalf("frame %d of a message starts with %#x", frames, f.first)
		}
		frames++
		whole = append(whole, f.payload...)
		if f.first&fin != 0 {
			return opcode, string(whole), frames
		}
	}
}

// expect reads text messages, which must equal want.
func (c *client) expect(want ...string) {
	c.t.Helper()
	for i, w := range want {
		opcode, got, _ := c.message()
		if opcode != opText || got != w {
			c.t.Fatalf("message %d: opcode %d, %.100q (%d bytes), want %.100q (%d bytes)", i, opcode, got, len(got), w, len(w))
		}
	}
}

// expectClose skips messages, reads a close frame, replies to it and expects the end of the
// connection.
func (c *client) expectClose(code int, reason string) {
	c.t.Helper()
	for {
		f, err := c.frame()
		if err != nil {
			c.t.Fatalf("no close frame: %v", err)
		}
		if c.answers && f.first == fin|opPing {
			c.write(maskedFrame(fin|opPong, f.payload))
		}
		if f.first&^fin != wire.OpClose {
			continue
		}
		if f.first != fin|wire.OpClose || len(f.payload) < 2 {
			c.t.Fatalf("bad close frame: %#x %q", f.first, f.payload)
		}
		if got := int(binary.BigEndian.Uint16(f.payload)); got != code || string(f.payload[2:]) != reason {
			c.t.Errorf("closed with %d %q, want %d %q", got, f.payload[2:], code, reason)
		}
		c.write(maskedFrame(fin|wire.OpClose, f.payload))
		break
	}
	if rest, err := io.ReadAll(c.br); err != nil || len(rest) > 0 {
		c.t.Errorf("after the close frame: %q, %v", rest, err)
	}
	c.Close()
}

// closeFrame returns a client's close frame.
func closeFrame(code uint16, reason string) []byte {
	return maskedFrame(fin|wire.OpClose, append(binary.BigEndian.AppendUint16(nil, code), reason...))
}

// reset makes the client's host reply with RST from now on.
func (c *client) reset() {
	c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
}
