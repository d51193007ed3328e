package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	// bufferSize is the room for one read, in bytes.
	bufferSize = 32 << 10
	// maxFront is how much of a line is looked at, in bytes: number and time are in it.
	maxFront = 48
)

// The opcodes of RFC 6455, section 5.2, and the bit of a message's last frame.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
	fin            = 0x80
)

// client is one WebSocket. It takes frames apart where they were read to.
type client struct {
	net.Conn
	in     *bufio.Reader // of client itself
	readAt time.Time     // when the last bytes came
}

// Read reads from the connection, and notes when.
func (c *client) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.readAt = time.Now()
	return n, err
}

// open makes a WebSocket to address. receive is the size of its receive buffer,
// in bytes; 0 is the kernel's choice. Everything on it fails after deadline.
func open(address *url.URL, receive int, deadline time.Time) (*client, error) {
	conn, err := net.Dial("tcp", address.Host)
	if err != nil {
		return nil, err
	}
	if receive > 0 {
		conn.(*net.TCPConn).SetReadBuffer(receive)
	}
	conn.SetDeadline(deadline)
	c := &client{Conn: conn}
	c.in = bufio.NewReaderSize(c, bufferSize)
	if err := c.handshake(address); err != nil {
		conn.Close()
		return nil, fmt.Errorf("opening handshake: %w", err)
	}
	return c, nil
}

func (c *client) handshake(address *url.URL) error {
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", address.RequestURI(), address.Host)
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

// header takes the next frame's header.
func (c *client) header() (opcode byte, size int, err error) {
	head, err := c.in.Peek(2)
	if err != nil {
		return 0, 0, err
	}
	opcode, size = head[0]&^fin, int(head[1])
	length := 0
	switch {
	case size > 127:
		return 0, 0, errors.New("a frame from the server is masked")
	case size == 126:
		length = 2
	case size == 127:
		length = 8
	}
	if length > 0 {
		if head, err = c.in.Peek(2 + length); err != nil {
			return 0, 0, err
		}
		var b [8]byte
		copy(b[8-length:], head[2:])
		size = int(binary.BigEndian.Uint64(b[:]))
	}
	_, err = c.in.Discard(2 + length)
	return opcode, size, err
}

// follow gives the front of each message to line, and returns how the connection
// ended: code and reason of the close frame, or what else it was.
func (c *client) follow(line func(front []byte)) (end string) {
	defer c.Close()
	for {
		opcode, size, err := c.header()
		if err != nil {
			return endOf(err)
		}
		front, err := c.in.Peek(min(size, maxFront))
		if opcode >= opClose && err == nil { // which has at most 125 bytes
			front, err = c.in.Peek(size)
		}
		if err != nil {
			return endOf(err)
		}
		switch opcode {
		case opText, opBinary:
			line(front)
		case opContinuation, opPong:
		case opPing:
			c.control(opPong, front) // if it fails, so does what follows
		case opClose:
			c.control(opClose, front)
			if len(front) < 2 {
				return "1005"
			}
			return fmt.Sprintf("%d %s", binary.BigEndian.Uint16(front), front[2:])
		default:
			return fmt.Sprintf("opcode %#x", opcode)
		}
		if _, err := c.in.Discard(size); err != nil {
			return endOf(err)
		}
	}
}

// control sends a control frame, whose mask changes nothing.
func (c *client) control(opcode byte, payload []byte) {
	c.Write(append([]byte{fin | opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...))
}

func endOf(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "time is up"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // without the ports, so that equal ends are equal
	}
	return err.Error()
}
