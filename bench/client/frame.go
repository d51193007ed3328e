package client

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The opcodes of RFC 6455, section 5.2, and the bits beside them.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10

	fin    = 0x80 // of the first byte: the message ends here
	masked = 0x80 // of the second
)

// maxFront is how much of a message Next shows, in bytes: all of a control frame
// (RFC 6455, section 5.5).
const maxFront = 125

// Closed is the end by a close frame: its code and reason, such as "1000 exit 0",
// or "1005" without a code.
type Closed string

func (c Closed) Error() string { return string(c) }

// Next reads the next message to its end. It returns the message's size in bytes,
// and its front of at most 125 bytes, which is good until the next call. It
// answers pings, and the close frame, after which it returns Closed. One goroutine
// at a time may call it.
func (c *Conn) Next() (front []byte, size int, err error) {
	joined := false // the message is in pieces
	for {
		first, n, err := c.header()
		if err != nil {
			return nil, 0, err
		}
		piece, err := c.in.Peek(min(n, maxFront))
		if err != nil {
			return nil, 0, err
		}
		switch opcode := first &^ fin; opcode {
		case opText, opBinary, opContinuation:
			size += n
			if n <= c.in.Buffered() && first&fin != 0 && !joined { // as nearly all are
				c.skip = n
				return piece, size, nil
			}
			if !joined {
				c.front, joined = c.front[:0], true
			}
			c.front = append(c.front, piece[:min(n, maxFront-len(c.front))]...)
			if _, err := c.in.Discard(n); err != nil || first&fin != 0 {
				return c.front, size, err
			}
		default:
			if err := c.obey(opcode, piece); err != nil {
				return nil, 0, err
			}
			c.skip = n
		}
	}
}

// header takes the next frame's header: its first byte, and the payload's size.
func (c *Conn) header() (first byte, size int, err error) {
	if c.skip > 0 {
		c.in.Discard(c.skip) // which is in the buffer
		c.skip = 0
	}
	head, err := c.in.Peek(2)
	if err != nil {
		return 0, 0, err
	}
	first, size = head[0], int(head[1])
	length := 0
	switch {
	case size >= masked:
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
	return first, size, err
}

// obey does what a control frame asks for. The close frame is an error.
func (c *Conn) obey(opcode byte, payload []byte) error {
	switch opcode {
	case opPong:
		return nil
	case opPing:
		c.control(opPong, payload) // if it fails, so does what follows
		return nil
	case opClose:
		c.control(opClose, payload) // which the server may not wait for
		if len(payload) < 2 {
			return Closed("1005")
		}
		return Closed(fmt.Sprintf("%d %s", binary.BigEndian.Uint16(payload), payload[2:]))
	}
	return fmt.Errorf("opcode %#x", opcode)
}

// control sends a control frame.
func (c *Conn) control(opcode byte, payload []byte) {
	c.Write(append([]byte{fin | opcode, masked | byte(len(payload)), 0, 0, 0, 0}, payload...))
}
