package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// The opcodes of RFC 6455, section 5.2, and the bits beside them.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10

	fin    = 0x80 // of the first byte: the message ends with this frame
	masked = 0x80 // of the second byte
)

const (
	// maxFront is how much of a message next returns, in bytes. It is the largest payload
	// of a control frame and of a frame with a short header.
	maxFront = 125
	// smallBuffer is enough for short messages, where there are many clients.
	smallBuffer = 512
	// timeout ends every connection: a run that takes longer hangs.
	timeout = 10 * time.Minute
)

// client is a WebSocket client that takes so little time that what is measured is the
// server. It checks no more than a measurement needs. One goroutine may read from it
// while another one writes.
type client struct {
	net.Conn           // Write sends bytes as they are
	buf         []byte // for reading
	start, end  int    // buf[start:end] has been read and not been used
	frontBuffer [maxFront]byte
}

// closed is the end of a connection by a close frame: its code and reason, such as
// "1000 exit 0".
type closed string

func (c closed) Error() string { return string(c) }

// dial opens a WebSocket to address, with a buffer of so many bytes for reading.
func dial(address string, buffer int) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(timeout))
	c := &client{Conn: conn, buf: make([]byte, max(buffer, smallBuffer))}
	if err := c.handshake(address); err != nil {
		conn.Close()
		return nil, fmt.Errorf("opening handshake: %w", err)
	}
	return c, nil
}

func (c *client) handshake(host string) error {
	_, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", host)
	if err != nil {
		return err
	}
	for {
		if err := c.need(c.end - c.start + 1); err != nil {
			return err
		}
		if head, _, found := bytes.Cut(c.buf[:c.end], []byte("\r\n\r\n")); found {
			c.start = len(head) + 4
			if status, _, _ := strings.Cut(string(head), "\r\n"); !strings.HasPrefix(status, "HTTP/1.1 101 ") {
				return errors.New(status)
			}
			return nil
		}
	}
}

// next reads the next message. It returns its first bytes, at most maxFront, which are
// valid until the next call, and its size. Of pings and the close frame, it answers the first and
// the second, and then returns closed. Without a close frame, the error at the end is io.EOF.
func (c *client) next() (front []byte, size int, err error) {
	// Nearly every message is one short frame, which is in the buffer.
	if b := c.buf[c.start:c.end]; len(b) >= 2 && (b[0] == fin|opText || b[0] == fin|opBinary) && int(b[1]) <= min(maxFront, len(b)-2) {
		n := int(b[1])
		c.start += 2 + n
		return b[2 : 2+n], n, nil
	}
	return c.nextOfAnyKind()
}

// nextOfAnyKind is next for a message of any size, in any number of frames, after control
// frames.
func (c *client) nextOfAnyKind() (front []byte, size int, err error) {
	front = c.frontBuffer[:0]
	for inMessage := false; ; {
		first, n, err := c.header()
		if err == nil {
			err = c.need(min(n, maxFront))
		}
		if err == io.EOF && (inMessage || c.start < c.end) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, 0, err
		}
		piece := c.buf[c.start : c.start+min(n, maxFront)]
		if opcode := first &^ fin; opcode > opBinary {
			err = c.answer(opcode, piece)
			c.start += n
			if err != nil {
				return nil, 0, err
			}
			continue
		}
		inMessage = true
		size += n
		front = append(front, piece[:min(n, maxFront-len(front))]...)
		if err := c.discard(n); err != nil || first&fin != 0 {
			return front, size, err
		}
	}
}

// header reads a frame's header: its first byte, and the payload's size.
func (c *client) header() (first byte, size int, err error) {
	if err := c.need(2); err != nil {
		return 0, 0, err
	}
	length := 0 // of the extended length, in bytes
	switch size := c.buf[c.start+1]; {
	case size >= masked:
		return 0, 0, errors.New("a frame from the server is masked")
	case size == 126:
		length = 2
	case size == 127:
		length = 8
	}
	if err := c.need(2 + length); err != nil {
		return 0, 0, err
	}
	head := c.buf[c.start : c.start+2+length]
	c.start += len(head)
	switch length {
	case 2:
		return head[0], int(binary.BigEndian.Uint16(head[2:])), nil
	case 8:
		return head[0], int(binary.BigEndian.Uint64(head[2:])), nil
	}
	return head[0], int(head[1]), nil
}

// need reads until n bytes are in the buffer, which must be large enough.
func (c *client) need(n int) error {
	for c.end-c.start < n {
		if c.start > 0 {
			c.end = copy(c.buf, c.buf[c.start:c.end])
			c.start = 0
		}
		got, err := c.Read(c.buf[c.end:])
		if c.end += got; err != nil && c.end < n {
			return err
		}
	}
	return nil
}

// discard drops the next n bytes.
func (c *client) discard(n int) error {
	for n > c.end-c.start {
		n -= c.end - c.start
		c.start, c.end = 0, 0
		got, err := c.Read(c.buf)
		if c.end = got; err == io.EOF {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
	}
	c.start += n
	return nil
}

// answer handles a control frame. After a close frame it returns closed.
func (c *client) answer(opcode byte, payload []byte) error {
	switch opcode {
	case opPing:
		_, err := c.Write(appendFrame(nil, opPong, payload))
		return err
	case opPong:
		return nil
	case opClose:
		c.Write(appendFrame(nil, opClose, payload)) // fails if the server does not wait for it
		if len(payload) < 2 {
			return closed("1005")
		}
		return closed(fmt.Sprintf("%d %s", binary.BigEndian.Uint16(payload), payload[2:]))
	}
	return fmt.Errorf("opcode %#x", opcode)
}

// drain reads all messages to the end of the connection, and returns how many there were,
// their size, and the first bytes of the last one. wspipe ends with a close frame,
// websocketd without one.
func (c *client) drain() (messages, size int, last string, err error) {
	var front []byte
	var kept [maxFront]byte
	n := 0
	for {
		var of int
		front, of, err = c.next()
		if end, ok := errors.AsType[closed](err); err == io.EOF || ok && end == "1000 exit 0" {
			return messages, size, string(kept[:n]), nil
		}
		if err != nil {
			return messages, size, "", err
		}
		messages++
		size += of
		n = copy(kept[:], front)
	}
}

// maskingKey masks all frames that we send.
var maskingKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// appendFrame appends a frame to b that is a whole message, or a control frame.
func appendFrame(b []byte, opcode byte, payload []byte) []byte {
	switch n := len(payload); {
	case n > 65535:
		b = binary.BigEndian.AppendUint64(append(b, fin|opcode, masked|127), uint64(n))
	case n > 125:
		b = binary.BigEndian.AppendUint16(append(b, fin|opcode, masked|126), uint16(n))
	default:
		b = append(b, fin|opcode, masked|byte(n))
	}
	b = append(b, maskingKey[:]...)
	for i, p := range payload {
		b = append(b, p^maskingKey[i%4])
	}
	return b
}
