// Package channel is the protocols that carry a child's streams apart, v1.wspipe and
// Kubernetes' remote commands: their names and numbers, and how messages are encoded
// and decoded, for a server and for a client.
package channel

// The subprotocols that carry a child's streams apart, each on a channel of its
// own, as raw bytes. The first byte of each message, which is binary, is its
// channel.
const (
	// ProtocolWspipe is ProtocolV5 and Control.
	ProtocolWspipe = "v1.wspipe"
	// ProtocolV5 and ProtocolV4 are Kubernetes' remote command protocols
	// (k8s.io/apimachinery/pkg/util/remotecommand). With ProtocolV5, Close
	// can end stdin.
	ProtocolV5 = "v5.channel.k8s.io"
	ProtocolV4 = "v4.channel.k8s.io"
)

// ProtocolPlain is the name that a client may offer before these, for plain
// messages. No server implements it: one that selects it takes the first name of
// any offer, and implements none of these either.
const ProtocolPlain = "plain.wspipe"

// Protocols lists those with channels, best first.
var Protocols = []string{ProtocolWspipe, ProtocolV5, ProtocolV4}

// The channels.
const (
	// Stdin has what the child reads, Stdout and Stderr what it writes.
	Stdin  byte = 0
	Stdout byte = 1
	Stderr byte = 2
	// Error has one message, a Status, when the child has ended or did not run.
	Error byte = 3
	// Resize takes a Size.
	Resize byte = 4
	// Control has a ControlMessage in each message, both ways.
	Control byte = 5
	// Close takes the number of a channel that ends; that can be
	// Stdin only.
	Close byte = 255
)

// SizeParameter is the query parameter by which a client tells the size of its
// window in the opening handshake, COLSxROWS, so that the child has it from the
// start.
const SizeParameter = "wspipe_size"

// SessionParameter and AfterParameter are the query parameters by which a client
// names its session in the opening handshake, and how many of its messages it has
// counted already.
const (
	SessionParameter = "wspipe_session"
	AfterParameter   = "wspipe_after"
)

// Size is the message on Resize, in characters.
type Size struct {
	Width, Height uint16
}

// ControlMessage is a message on Control. Type says which of the fields count.
// Whoever gets a Type that it does not know ignores the message.
type ControlMessage struct {
	Type string `json:"type"`
	// Session, PTY and Pid are the server's TypeHello: the session's id, whether
	// the child has a terminal, and its process ID.
	Session string `json:"session,omitempty"`
	PTY     *bool  `json:"pty,omitempty"`
	Pid     int    `json:"pid,omitempty"`
	// Code or Signal is the server's TypeExit, Signal the client's TypeSignal:
	// an exit status, or a signal's name without SIG.
	Code   *int   `json:"code,omitempty"`
	Signal string `json:"signal,omitempty"`
	// Cols and Rows are the client's TypeResize, in characters.
	Cols uint16 `json:"cols,omitempty"`
	Rows uint16 `json:"rows,omitempty"`
}

// The types of ControlMessage.
const (
	TypeHello  = "hello"  // the server's first message
	TypeExit   = "exit"   // the server's when the child has ended
	TypeSignal = "signal" // the client wants a signal sent
	TypeResize = "resize" // the client's window has another size

	TypePause    = "pause"    // the client wants no more output for now
	TypeContinue = "continue" // it does again
)

// Status is the message on Error, as much of Kubernetes'
// k8s.io/apimachinery/pkg/apis/meta/v1.Status as remote commands use.
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

// StatusCause with the Reason ReasonExitCode has an exit status as its Message.
type StatusCause struct {
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// The words of a Status.
const (
	StatusSuccess         = "Success"
	StatusFailure         = "Failure"
	ReasonNonZeroExitCode = "NonZeroExitCode" // a Status with causes
	ReasonInternalError   = "InternalError"   // the child did not run, or not to its end
	ReasonExitCode        = "ExitCode"
)
