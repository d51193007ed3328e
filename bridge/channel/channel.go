// Package channel defines the subprotocols with channels, v1.wspipe and the remote command
// protocols of Kubernetes: their names and numbers, and the encoding of their messages, for
// servers and clients.
package channel

// The subprotocols with channels. Each stream of a child has a channel. Every message is
// binary, and its first byte is the channel. Streams are raw bytes.
const (
	// ProtocolWspipe is ProtocolV5 with the channel Control.
	ProtocolWspipe = "v1.wspipe"
	// ProtocolV5 and ProtocolV4 are the remote command protocols of Kubernetes
	// (k8s.io/apimachinery/pkg/util/remotecommand). Only ProtocolV5 has Close.
	ProtocolV5 = "v5.channel.k8s.io"
	ProtocolV4 = "v4.channel.k8s.io"
)

// ProtocolPlain is a name that a client may offer before the others. It means plain
// messages. No server implements it: a server that selects it selects the first name of any
// offer without implementing it.
const ProtocolPlain = "plain.wspipe"

// Protocols lists the subprotocols with channels in order of preference.
var Protocols = []string{ProtocolWspipe, ProtocolV5, ProtocolV4}

// The channels.
const (
	// Stdin, Stdout and Stderr carry the streams of the child.
	Stdin  byte = 0
	Stdout byte = 1
	Stderr byte = 2
	// Error carries one Status from the server, when the child has ended or did not start.
	Error byte = 3
	// Resize carries a Size from the client.
	Resize byte = 4
	// Control carries a ControlMessage, both ways.
	Control byte = 5
	// Close carries the number of a channel that the client closes, which must be Stdin.
	Close byte = 255
)

// SizeParameter is the query parameter of the opening handshake with the client's initial
// window size, as COLSxROWS.
const SizeParameter = "wspipe_size"

// TraceParameter is the query parameter of an opening handshake that names a stream of
// traces, or asks for that stream. Its value is secret.
const TraceParameter = "wspipe_trace"

// SessionParameter and AfterParameter are query parameters of the opening handshake: the ID
// of the client's session, and the number of its messages that the client has received.
const (
	SessionParameter = "wspipe_session"
	AfterParameter   = "wspipe_after"
)

// Size is a window size in characters, the message on Resize.
type Size struct {
	Width, Height uint16
}

// ControlMessage is a message on Control. Type determines which other fields are set. The
// recipient ignores a message of unknown Type.
type ControlMessage struct {
	Type string `json:"type"`
	// Session, PTY and Pid belong to the server's TypeHello: the session ID, whether the
	// child has a terminal, and its process ID.
	Session string `json:"session,omitempty"`
	PTY     *bool  `json:"pty,omitempty"`
	Pid     int    `json:"pid,omitempty"`
	// Code or Signal belongs to the server's TypeExit, Signal to the client's TypeSignal:
	// the exit status, or the name of a signal without SIG.
	Code   *int   `json:"code,omitempty"`
	Signal string `json:"signal,omitempty"`
	// Cols and Rows belong to the client's TypeResize, in characters.
	Cols uint16 `json:"cols,omitempty"`
	Rows uint16 `json:"rows,omitempty"`
}

// The types of ControlMessage.
const (
	TypeHello  = "hello"  // from the server: its first message
	TypeExit   = "exit"   // from the server: the child has ended
	TypeSignal = "signal" // from the client: send a signal to the child
	TypeResize = "resize" // from the client: the window size has changed

	TypePause    = "pause"    // from the client: pause the output
	TypeContinue = "continue" // from the client: resume the output
)

// Status is the message on Error. It has those fields of
// k8s.io/apimachinery/pkg/apis/meta/v1.Status that remote commands use.
type Status struct {
	Metadata struct{}       `json:"metadata"`
	Status   string         `json:"status"` // StatusSuccess or StatusFailure
	Message  string         `json:"message,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Details  *StatusDetails `json:"details,omitempty"`
	Code     int            `json:"code,omitempty"`
}

// StatusDetails has the causes of a Status.
type StatusDetails struct {
	Causes []StatusCause `json:"causes,omitempty"`
}

// StatusCause is a cause of a Status. If Reason is ReasonExitCode, Message is the exit
// status.
type StatusCause struct {
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// The values of Status and Reason.
const (
	StatusSuccess         = "Success"
	StatusFailure         = "Failure"
	ReasonNonZeroExitCode = "NonZeroExitCode" // a Status with causes
	ReasonInternalError   = "InternalError"   // the child did not start or was stopped
	ReasonExitCode        = "ExitCode"        // of a StatusCause
)
