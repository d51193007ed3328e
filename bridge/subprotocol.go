package bridge

// The subprotocols that carry a child's streams apart, each on a channel of its
// own, as raw bytes. The first byte of each message, which is binary, is its
// channel.
const (
	// ProtocolWspipe is ProtocolV5 and ChannelControl.
	ProtocolWspipe = "v1.wspipe"
	// ProtocolV5 and ProtocolV4 are Kubernetes' remote command protocols
	// (k8s.io/apimachinery/pkg/util/remotecommand). With ProtocolV5, ChannelClose
	// can end stdin.
	ProtocolV5 = "v5.channel.k8s.io"
	ProtocolV4 = "v4.channel.k8s.io"
)

// ProtocolPlain is the name that a client may offer before these, for plain
// messages. No server implements it: one that selects it takes the first name of
// any offer, and implements none of these either.
const ProtocolPlain = "plain.wspipe"

// ChannelProtocols lists them, best first.
var ChannelProtocols = []string{ProtocolWspipe, ProtocolV5, ProtocolV4}

// The channels.
const (
	// ChannelStdin has what the child reads, ChannelStdout and ChannelStderr what
	// it writes.
	ChannelStdin  byte = 0
	ChannelStdout byte = 1
	ChannelStderr byte = 2
	// ChannelStatus has one message, a Status, when all is over.
	ChannelStatus byte = 3
	// ChannelResize takes a Size.
	ChannelResize byte = 4
	// ChannelControl has a Control in each message, both ways.
	ChannelControl byte = 5
	// ChannelClose takes the number of a channel that ends; that can be
	// ChannelStdin only.
	ChannelClose byte = 255
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

// Size is the message on ChannelResize, in characters.
type Size struct {
	Width, Height uint16
}

// Control is a message on ChannelControl. Type says which of the fields count.
// Whoever gets a Type that it does not know ignores the message.
type Control struct {
	Type string `json:"type"`
	// Session, PTY and Pid are the server's ControlHello: the session's id, whether
	// the child has a terminal, and its process ID.
	Session string `json:"session,omitempty"`
	PTY     *bool  `json:"pty,omitempty"`
	Pid     int    `json:"pid,omitempty"`
	// Code or Signal is the server's ControlExit, Signal the client's ControlSignal:
	// an exit status, or a signal's name without SIG.
	Code   *int   `json:"code,omitempty"`
	Signal string `json:"signal,omitempty"`
	// Cols and Rows are the client's ControlResize, in characters.
	Cols uint16 `json:"cols,omitempty"`
	Rows uint16 `json:"rows,omitempty"`
}

// The types of Control.
const (
	ControlHello  = "hello"  // the server's first message
	ControlExit   = "exit"   // the server's when the child has ended
	ControlSignal = "signal" // the client wants a signal sent
	ControlResize = "resize" // the client's window has another size

	ControlPause    = "pause"    // the client wants no more output for now
	ControlContinue = "continue" // it does again
)

// Status is the message on ChannelStatus, as much of Kubernetes'
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
