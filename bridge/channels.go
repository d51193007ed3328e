package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/coder/websocket"
)

// maxStreamMessage is the longest message that carries a stream to a client, in
// bytes: as much as Kubernetes sends, and as libraries take by default.
const maxStreamMessage = 32 << 10

// channelProtocol returns which of ChannelProtocols was chosen for ws, or "".
func channelProtocol(ws *websocket.Conn) string {
	for _, name := range ChannelProtocols {
		if strings.EqualFold(name, ws.Subprotocol()) { // as the library chooses
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
func (s *Session) greet() {
	greetings := [][]byte{{ChannelStdout}}
	if s.protocol == ProtocolWspipe {
		hello := Control{Type: ControlHello, Session: s.opt.ID, PTY: &s.opt.Terminal, Pid: s.child.Pid()}
		greetings = slices.Insert(greetings, 0, onChannel(ChannelControl, hello))
	}
	s.outlet.sendBinary(greetings...)
}

// farewell sends how the child ended, in words of the protocol.
func (s *Session) farewell(code int, signal string) {
	status := exitStatus(code, signal)
	if s.protocol != ProtocolWspipe {
		s.outlet.settle(onChannel(ChannelStatus, status))
		return
	}
	exit := Control{Type: ControlExit, Signal: signal}
	if signal == "" {
		exit.Code = &code
	}
	s.outlet.settle(onChannel(ChannelControl, exit), onChannel(ChannelStatus, status))
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
func Refuse(ws *websocket.Conn, reason string) {
	end := endCannotStart(reason)
	if channelProtocol(ws) != "" {
		ws.Write(context.Background(), websocket.MessageBinary, onChannel(ChannelStatus, failure(end.Reason)))
	}
	ws.Close(end.Code, end.Reason)
}

// obey does what a client says on another channel than ChannelStdin. What it
// cannot do, or does not understand, it leaves: so do Kubernetes and ssh.
func (s *Session) obey(channel byte, message []byte) {
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
		err = s.resize(WindowSize{Rows: size.Height, Cols: size.Width})
	case channel == ChannelControl && s.protocol == ProtocolWspipe:
		err = s.obeyControl(message)
	case channel == ChannelClose && s.protocol != ProtocolV4 && string(message) == string([]byte{ChannelStdin}):
		s.endInput()
	default:
		err = fmt.Errorf("no message of %s is on channel %d", s.protocol, channel)
	}
	if err != nil {
		s.ignored(err)
	}
}

// errNotControl does not tell what there was instead: payload is never logged.
var errNotControl = errors.New("no control message of a known type")

func (s *Session) obeyControl(message []byte) error {
	var c Control
	if err := json.Unmarshal(message, &c); err != nil {
		return errNotControl
	}
	switch c.Type {
	case ControlSignal:
		return s.child.Signal(c.Signal)
	case ControlResize:
		return s.resize(WindowSize{Rows: c.Rows, Cols: c.Cols})
	}
	return errNotControl
}

// resize leaves the window alone if a client does not know its size.
func (s *Session) resize(size WindowSize) error {
	if !s.opt.Terminal || size.Rows == 0 || size.Cols == 0 {
		return nil
	}
	return s.child.Resize(size)
}

// ignored logs why a message was, once: a client may send any number of them.
func (s *Session) ignored(err error) {
	s.ignoredOnce.Do(func() {
		s.opt.Log.Warn("client's message ignored", "cause", err)
	})
}

// endOfTransmission is the key that ends input from a terminal if it is pressed
// at the beginning of a line, or once more (termios(3), VEOF).
const endOfTransmission = "\x04"

// endInput lets the child read to the end of what the client has sent.
func (s *Session) endInput() {
	if !s.opt.Terminal {
		s.stdin.End()
		return
	}
	if !s.in.atLineStart() {
		s.stdin.Write([]byte(endOfTransmission))
	}
	s.stdin.Write([]byte(endOfTransmission))
}
