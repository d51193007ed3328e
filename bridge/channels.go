package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/coder/websocket"
)

// maxStreamMessage is the longest message that carries a stream to a client, in
// bytes: its channel, and as much as a pipe holds (pipe(7)).
const maxStreamMessage = lead + 64<<10

// channelProtocol returns which of ChannelProtocols was chosen for ws, or "".
func channelProtocol(ws *websocket.Conn) string {
	for _, name := range ChannelProtocols {
		if name == ws.Subprotocol() {
			return name
		}
	}
	return ""
}

// onChannel returns a message on a channel, whose content is JSON.
func onChannel(channel byte, content any) []byte {
	text, err := json.Marshal(content)
	if err != nil {
		panic(err) // only our own types come here
	}
	return append([]byte{channel}, text...)
}

// greet sends what comes before all output: Kubernetes tells with an empty
// message that the child is there.
func (c *Client) greet() {
	greetings := [][]byte{{ChannelStdout}}
	if c.protocol == ProtocolWspipe {
		hello := Control{Type: ControlHello, Session: c.id, PTY: &c.opt.Terminal, Pid: c.bridge.child.Pid()}
		greetings = slices.Insert(greetings, 0, onChannel(ChannelControl, hello))
	}
	c.outlet.sendBinary(greetings...)
}

// farewell sends how the child ended, in words of the protocol.
func (c *Client) farewell(code int, signal string) {
	status := exitStatus(code, signal)
	if c.protocol != ProtocolWspipe {
		c.outlet.settle(onChannel(ChannelStatus, status))
		return
	}
	exit := Control{Type: ControlExit, Signal: signal}
	if signal == "" {
		exit.Code = &code
	}
	c.outlet.settle(onChannel(ChannelControl, exit), onChannel(ChannelStatus, status))
}

// exitStatus is what Kubernetes tells of a child that has ended.
func exitStatus(code int, signal string) Status {
	if code == 0 && signal == "" {
		return Status{Status: StatusSuccess}
	}
	said := fmt.Sprintf("exit status %d", code)
	if signal != "" {
		said = "signal " + signal
	}
	return Status{
		Status:  StatusFailure,
		Message: "command terminated with non-zero exit code: " + said,
		Reason:  ReasonNonZeroExitCode,
		Details: &StatusDetails{Causes: []StatusCause{{Reason: ReasonExitCode, Message: strconv.Itoa(code)}}},
	}
}

// failure is what Kubernetes tells if a child did not run, or not to its end.
func failure(reason string) Status {
	return Status{Status: StatusFailure, Message: reason, Reason: ReasonInternalError, Code: 500}
}

// Refuse closes ws because no child could be started for it. It returns when
// the peer has answered, or is not going to.
func Refuse(ws *websocket.Conn, reason string) { refuse(ws, endCannotStart(reason)) }

// RefuseResume closes ws because of an error of Attach, as Refuse does.
func RefuseResume(ws *websocket.Conn) { refuse(ws, endNoMore) }

func refuse(ws *websocket.Conn, end End) {
	if channelProtocol(ws) != "" {
		ws.Write(context.Background(), websocket.MessageBinary, onChannel(ChannelStatus, failure(end.Reason)))
	}
	ws.Close(end.Code, end.Reason)
}

// obey does what a client says on another channel than ChannelStdin. What it
// cannot do, or does not understand, it leaves: so do Kubernetes and ssh.
func (c *Client) obey(channel byte, message []byte) {
	var err error
	switch {
	case channel == ChannelStdin:
		err = errors.New("empty message")
	case channel == ChannelResize:
		var size Size
		if json.Unmarshal(message, &size) != nil {
			err = errNotControl
			break
		}
		err = c.resize(WindowSize{Rows: size.Height, Cols: size.Width})
	case channel == ChannelControl && c.protocol == ProtocolWspipe:
		err = c.obeyControl(message)
	case channel == ChannelClose && c.protocol != ProtocolV4 && string(message) == string([]byte{ChannelStdin}):
		err = c.attachment.endInput()
	default:
		err = fmt.Errorf("no message of %s is on channel %d", c.protocol, channel)
	}
	if err != nil {
		c.ignored(err)
	}
}

// errNotControl does not tell what there was instead: payload is never logged.
var errNotControl = errors.New("no control message of a known type")

func (c *Client) obeyControl(message []byte) error {
	switch said := parseControl(message); {
	case c.obeyPause(said):
		return nil
	case said.Type == ControlSignal:
		return c.attachment.signal(said.Signal)
	case said.Type == ControlResize:
		return c.resize(WindowSize{Rows: said.Rows, Cols: said.Cols})
	}
	return errNotControl
}

// parseControl returns what a client says on ChannelControl; if that is no Control,
// one without a Type.
func parseControl(message []byte) (c Control) {
	if json.Unmarshal(message, &c) != nil {
		return Control{}
	}
	return c
}

// obeyPause reports whether c is about a pause.
func (c *Client) obeyPause(said Control) bool {
	switch said.Type {
	case ControlPause:
		c.wire.Out.pause()
	case ControlContinue:
		c.wire.Out.proceed()
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

// ignored logs why a message was, once: a client may send any number of them.
func (c *Client) ignored(err error) {
	c.ignoredOnce.Do(func() {
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
	if !c.in.atLineStart() {
		stdin.Write([]byte(endOfTransmission))
	}
	stdin.Write([]byte(endOfTransmission))
	return nil
}

// errSharedInput says why a client cannot end the input of a shared child.
var errSharedInput = errors.New("stdin is shared with other clients")
