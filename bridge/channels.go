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

// sendHello sends what comes before all output: Kubernetes tells with an empty
// message that the child is there.
func (c *Client) sendHello() {
	greetings := [][]byte{{channel.Stdout}}
	if c.protocol == channel.ProtocolWspipe {
		hello := channel.ControlMessage{Type: channel.TypeHello, Session: c.id, PTY: &c.opt.Terminal, Pid: c.bridge.child.Pid()}
		greetings = slices.Insert(greetings, 0, channel.Encode(channel.Control, hello))
	}
	c.sequencer.sendBinary(greetings...)
}

// sendExit sends how the child ended, in words of the protocol.
func (c *Client) sendExit(code int, signal string) {
	status := channel.ExitStatus(code, signal)
	if c.protocol != channel.ProtocolWspipe {
		c.sequencer.sendLast(channel.Encode(channel.Error, status))
		return
	}
	exit := channel.ControlMessage{Type: channel.TypeExit, Signal: signal}
	if signal == "" {
		exit.Code = &code
	}
	c.sequencer.sendLast(channel.Encode(channel.Control, exit), channel.Encode(channel.Error, status))
}

// Refuse closes ws because no child could be started for it. It returns when
// the peer has answered, or is not going to.
func Refuse(ws *websocket.Conn, reason string) { refuse(ws, endCannotStart(reason)) }

// RefuseResume closes ws because of an error of Attach, as Refuse does.
func RefuseResume(ws *websocket.Conn) { refuse(ws, endHistoryLost) }

func refuse(ws *websocket.Conn, end End) {
	if channelProtocol(ws) != "" {
		ws.Write(context.Background(), websocket.MessageBinary, channel.Encode(channel.Error, channel.Failure(end.Reason)))
	}
	ws.Close(end.Code, end.Reason)
}

// handle does what a client says on another channel than Stdin. What it
// cannot do, or does not understand, it leaves: so do Kubernetes and ssh.
func (c *Client) handle(number byte, message []byte) {
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
		err = c.resize(WindowSize{Rows: size.Height, Cols: size.Width})
	case number == channel.Control && c.protocol == channel.ProtocolWspipe:
		err = c.handleControl(message)
	case number == channel.Close && c.protocol != channel.ProtocolV4 && string(message) == string([]byte{channel.Stdin}):
		err = c.attachment.endInput()
	default:
		err = fmt.Errorf("protocol %s has no channel %d", c.protocol, number)
	}
	if err != nil {
		c.logIgnored(err)
	}
}

// errNotControl does not tell what there was instead: payload is never logged.
var errNotControl = errors.New("unknown control message")

func (c *Client) handleControl(message []byte) error {
	switch said := channel.ParseControl(message); {
	case c.handlePause(said):
		return nil
	case said.Type == channel.TypeSignal:
		return c.attachment.signal(said.Signal)
	case said.Type == channel.TypeResize:
		return c.resize(WindowSize{Rows: said.Rows, Cols: said.Cols})
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
