package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"wspipe/bridge/channel"

	"github.com/coder/websocket"
)

// maxStreamMessage is the longest message that carries a stream to a client, in
// bytes: its channel, and as much as a pipe holds (pipe(7)).
const maxStreamMessage = channelRoom + 64<<10

// channelProtocol returns which of Protocols was chosen for ws, or "".
func channelProtocol(ws *websocket.Conn) string {
	for _, name := range channel.Protocols {
		if name == ws.Subprotocol() {
			return name
		}
	}
	return ""
}

// sendHello implements Transport: Kubernetes tells with an empty message that the
// child is there.
func (w *webSocket) sendHello() {
	if !w.usesChannels() {
		return
	}
	hello := [][]byte{{channel.Stdout}}
	if w.protocol == channel.ProtocolWspipe {
		message := channel.ControlMessage{Type: channel.TypeHello, Session: w.id, PTY: &w.opt.Terminal, Pid: w.bridge.child.Pid()}
		hello = slices.Insert(hello, 0, channel.Encode(channel.Control, message))
	}
	w.sequencer.sendBinary(hello...)
}

// sendExit implements Transport, in words of the protocol.
func (w *webSocket) sendExit(how exit) {
	if !w.usesChannels() || how.broken {
		return
	}
	status := channel.ExitStatus(how.code, how.signal)
	if w.protocol != channel.ProtocolWspipe {
		w.sequencer.sendLast(channel.Encode(channel.Error, status))
		return
	}
	message := channel.ControlMessage{Type: channel.TypeExit, Signal: how.signal}
	if how.signal == "" {
		message.Code = &how.code
	}
	w.sequencer.sendLast(channel.Encode(channel.Control, message), channel.Encode(channel.Error, status))
}

// refuse closes the connection with end before there is a Client.
func (w *webSocket) refuse(end End) {
	if w.protocol != "" {
		w.ws.Write(context.Background(), websocket.MessageBinary, channel.Encode(channel.Error, channel.Failure(end.Reason)))
	}
	w.ws.Close(end.Code, end.Reason)
}

// handle does what a client says on another channel than Stdin. What it
// cannot do, or does not understand, it leaves: so do Kubernetes and ssh.
func (w *webSocket) handle(number byte, message []byte) {
	var err error
	switch {
	case number == channel.Stdin:
		err = errors.New("empty message")
	case number == channel.Resize:
		var size channel.Size
		if json.Unmarshal(message, &size) != nil {
			err = errNotControl
			break
		}
		err = w.resize(WindowSize{Rows: size.Height, Cols: size.Width})
	case number == channel.Control && w.protocol == channel.ProtocolWspipe:
		err = w.handleControl(message)
	case number == channel.Close && w.protocol != channel.ProtocolV4 && string(message) == string([]byte{channel.Stdin}):
		err = w.attachment.endInput()
	default:
		err = fmt.Errorf("protocol %s has no channel %d", w.protocol, number)
	}
	if err != nil {
		w.logIgnored(err)
	}
}

// errNotControl does not tell what there was instead: payload is never logged.
var errNotControl = errors.New("unknown control message")

func (w *webSocket) handleControl(message []byte) error {
	switch said := channel.ParseControl(message); {
	case w.handlePause(said):
		return nil
	case said.Type == channel.TypeSignal:
		return w.attachment.signal(said.Signal)
	case said.Type == channel.TypeResize:
		return w.resize(WindowSize{Rows: said.Rows, Cols: said.Cols})
	}
	return errNotControl
}

// handlePause reports whether c is about a pause.
func (c *Client) handlePause(said channel.ControlMessage) bool {
	switch said.Type {
	case channel.TypePause:
		c.wire.Out.Pause()
	case channel.TypeContinue:
		c.wire.Out.Continue()
	default:
		return false
	}
	return true
}

// resize leaves the window alone if a client does not know its size.
func (c *Client) resize(size WindowSize) error {
	if size.Rows == 0 || size.Cols == 0 {
		return nil
	}
	return c.attachment.resize(size)
}

// logIgnored logs why a message was, once: a client may send any number of them.
func (c *Client) logIgnored(err error) {
	c.logIgnoredOnce.Do(func() {
		c.log.Warn("client's message ignored", "cause", err)
	})
}

// endOfTransmission is the key that ends input from a terminal if it is pressed
// at the beginning of a line, or once more (termios(3), VEOF).
const endOfTransmission = "\x04"

// closeStdin lets the child read to the end of what the client has sent.
func (c *Client) closeStdin() error {
	stdin := c.bridge.stdin
	if !c.opt.Terminal {
		stdin.End()
		return nil
	}
	if !c.input.atLineStart() {
		stdin.Write([]byte(endOfTransmission))
	}
	stdin.Write([]byte(endOfTransmission))
	return nil
}

// errSharedInput says why a client cannot end the input of a shared child.
var errSharedInput = errors.New("stdin is shared with other clients")
