// Package client is a WebSocket client for measuring: it costs so little that what
// is measured is the server. It takes frames apart where they were read to,
// masks with a key of zeros, which changes nothing, and checks no more than a
// measurement needs.
package client

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Options say how to connect; the zero value will do.
type Options struct {
	// Deadline is when everything on the connection fails; zero: never.
	Deadline time.Time
	// Buffer is the room for one read, in bytes; 0: 64 KiB.
	Buffer int
	// Receive is the size of the socket's receive buffer (SO_RCVBUF of socket(7)),
	// in bytes; 0: the kernel's choice.
	Receive int
	// Header is more lines for the opening handshake, each with its CRLF.
	Header string
}

// smallestBuffer holds any control frame (RFC 6455, section 5.5).
const smallestBuffer = 256

// Conn is one WebSocket. One goroutine may read from it while another writes
// to it. Who opened it closes it.
type Conn struct {
	net.Conn
	// ReadAt is when the last bytes came.
	ReadAt time.Time

	in    *bufio.Reader // of Conn itself
	front []byte        // of a message in many pieces
	skip  int           // what is left of the last frame, in bytes
}

// Read reads from the connection, and notes when.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.ReadAt = time.Now()
	return n, err
}

// Open makes a WebSocket to address, which is ws://host:port/path?query.
func Open(address string, opt Options) (*Conn, error) {
	to, err := url.Parse(address)
	if err != nil || to.Scheme != "ws" {
		return nil, fmt.Errorf("not a ws:// URL: %q", address)
	}
	conn, err := (&net.Dialer{Deadline: opt.Deadline}).Dial("tcp", to.Host)
	if err != nil {
		return nil, err
	}
	if opt.Receive > 0 {
		conn.(*net.TCPConn).SetReadBuffer(opt.Receive)
	}
	conn.SetDeadline(opt.Deadline)
	if opt.Buffer == 0 {
		opt.Buffer = 64 << 10
	}
	c := &Conn{Conn: conn}
	c.in = bufio.NewReaderSize(c, max(opt.Buffer, smallestBuffer))
	if err := c.handshake(to, opt.Header); err != nil {
		conn.Close()
		return nil, fmt.Errorf("opening handshake: %w", err)
	}
	return c, nil
}

func (c *Conn) handshake(to *url.URL, header string) error {
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", to.RequestURI(), to.Host, header)
	if err != nil {
		return err
	}
	status, err := c.in.ReadString('\n')
	if err == nil && !strings.HasPrefix(status, "HTTP/1.1 101 ") {
		return errors.New(strings.TrimSpace(status))
	}
	for line := status; err == nil && line != "\r\n"; {
		line, err = c.in.ReadString('\n')
	}
	return err
}

// AppendMessage appends a message of one frame to b. Its mask is zero, so its
// payload stands in it as it is.
func AppendMessage(b []byte, isBinary bool, payload []byte) []byte {
	first := byte(fin | opText)
	if isBinary {
		first = fin | opBinary
	}
	switch n := len(payload); {
	case n > 65535:
		b = binary.BigEndian.AppendUint64(append(b, first, masked|127), uint64(n))
	case n > 125:
		b = binary.BigEndian.AppendUint16(append(b, first, masked|126), uint16(n))
	default:
		b = append(b, first, masked|byte(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}
