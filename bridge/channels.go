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

// maxStreamMessage is the longest message of a stream to a client, in bytes: the channel byte
// and the contents of a full pipe (pipe(7)).
const maxStreamMessage = channelRoom + 64<<10

// channelProtocol returns the channel protocol that was selected for ws, or "".
func channelProtocol(ws *websocket.Conn) string {
	for _, name := range channel.Protocols {
		if name == ws.Subprotocol() {
			return name
		}
	}
	return ""
}

// sendHello implements Transport. In the Kubernetes protocols, an empty message means that the
// child runs.
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

// sendExit implements Transport.
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

// refuse closes the connection with end. There is no Client.
func (w *webSocket) refuse(end End) {
	if w.protocol != "" {
		w.ws.Write(context.Background(), websocket.MessageBinary, channel.Encode(channel.Error, channel.Failure(end.Reason)))
	}
	w.ws.Close(end.Code, end.Reason)
}

// handle carries out a message on a channel other than Stdin. It ignores unknown and invalid
// messages, as Kubernetes and ssh do.
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

// errNotControl does not contain the message, because payload is never logged.
var errNotControl = errors.New("unknown control message")

func (w *webSocket) handleControl(message []byte) error {
	switch control := channel.ParseControl(message); {
	case w.handlePause(control):
		return nil
	case control.Type == channel.TypeSignal:
		return w.attachment.signal(control.Signal)
	case control.Type == channel.TypeResize:
		return w.resize(WindowSize{Rows: control.Rows, Cols: control.Cols})
	}
	return errNotControl
}

// errSharedInput is why a client cannot end the input of a shared child.
var errSharedInput = errors.New("stdin is shared with other clients")
