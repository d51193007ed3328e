package bridge

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// The events for a Mux child are one line of JSON each.

func appendEvent(dst []byte, event, client string) []byte {
	return append(append(append(append(append(dst, `{"event":"`...), event...), `","client":"`...), client...), '"')
}

// appendOpen appends the event of a new client. env describes its request as NAME=VALUE.
func appendOpen(dst []byte, client string, env []string) []byte {
	dst = append(appendEvent(dst, "open", client), `,"env":{`...)
	for i, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(framing.AppendJSON(append(dst, '"'), []byte(name)), `":"`...)
		dst = append(framing.AppendJSON(dst, []byte(value)), '"')
	}
	return append(dst, "}}\n"...)
}

// appendMessage appends the event of a message from a client.
func appendMessage(dst []byte, client string, message []byte) []byte {
	dst = appendEvent(dst, "message", client)
	if utf8.Valid(message) {
		dst = framing.AppendJSON(append(dst, `,"data":"`...), message)
	} else {
		dst = base64.StdEncoding.AppendEncode(append(dst, `,"base64":"`...), message)
	}
	return append(dst, "\"}\n"...)
}

// appendClose appends the event of a client's disconnection.
func appendClose(dst []byte, client string, code websocket.StatusCode) []byte {
	dst = append(appendEvent(dst, "close", client), `,"code":`...)
	return append(strconv.AppendInt(dst, int64(code), 10), "}\n"...)
}

// takeMessage adds the event of a plain message.
func (c *muxClient) takeMessage(message []byte) error {
	c.addMessage(message)
	return nil
}

// takeStream adds an event for each line that part completes, from a client whose messages
// are parts of a stream.
func (c *muxClient) takeStream(part []byte) error {
	for whole := true; whole; {
		var line []byte
		line, part, whole = bytes.Cut(part, []byte{'\n'})
		if limit := c.opt.MaxMessage; limit > 0 && int64(len(c.line)+len(line)) > limit {
			return errTooBig
		}
		c.line = append(c.line, line...)
		if whole {
			c.endLine()
		}
	}
	return nil
}

// endLine adds the event of the current line.
func (c *muxClient) endLine() {
	c.addMessage(bytes.TrimSuffix(c.line, []byte{'\r'}))
	if c.line = c.line[:0]; cap(c.line) > wire.SmallBlock {
		c.line = nil
	}
}

// addMessage adds the event of a message. Small events are collected until flush.
func (c *muxClient) addMessage(message []byte) {
	if c.events == nil {
		c.events = wire.GetBlock()[:0]
	}
	c.events = appendMessage(c.events, c.muxID, message)
	if len(c.events) >= framing.MaxWhole {
		c.flush()
		c.waitForChild()
	}
}

// flush writes the collected events to the child.
func (c *muxClient) flush() {
	if c.events != nil {
		c.writeEvents(c.events)
		wire.PutBlock(c.events)
		c.events = nil
		c.input.total.touch()
	}
}

// errOwnChildOnly is why a request that affects a whole child or its terminal is ignored.
var errOwnChildOnly = errors.New("this child (--share=mux) accepts only lines")

// signal implements attachment.
func (c *muxClient) signal(string) error { return errOwnChildOnly }

// resize implements attachment.
func (c *muxClient) resize(WindowSize) error { return errOwnChildOnly }

// endInput implements attachment: it completes an incomplete line.
func (c *muxClient) endInput() error {
	if len(c.line) > 0 {
		c.endLine()
	}
	return nil
}
