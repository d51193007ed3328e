package bridge

import "wspipe/bridge/wire"

// Transport is the connection of a client. It is what the kinds of client differ in.
// NewWebSocket and NewHTTPRequest make one.
type Transport interface {
	// Refuse ends the connection because the child could not be started. It returns when
	// the client has replied, or will not.
	Refuse(reason string)
	// RefuseResume ends the connection because of cause, an error of Bridge.Attach. It
	// returns like Refuse.
	RefuseResume(cause error)

	conn() *wire.Conn
	// encoding returns the encoding of messages to the client.
	encoding() encoding
	// writer returns a writer for this client alone. The client has counted after
	// messages; negative means none.
	writer(after int64) clientWriter
	// bind prepares to receive the input of c. It is called before the methods below.
	bind(c *Client)
	// begin is called before the first message.
	begin()
	// start starts the timers of the transport. stop is called when the connection has
	// ended.
	start() (stop func())
	// receive carries the client's input until the connection ends or a message is
	// invalid, and then calls Client.finish.
	receive()
	// sendHello, sendExit and sendEnd send the control messages of the protocol: at the
	// beginning, after the child's exit, and before the connection is closed for any reason.
	sendHello()
	sendExit(how exit)
	sendEnd(e End)
	// acknowledges reports whether the protocol has an acknowledgement of the end.
	acknowledges() bool
	// close sends e to the client and closes the connection. It reports whether the client
	// has acknowledged e.
	close(e End) (answered bool)
}

// clientWriter encodes messages for one client and queues them.
type clientWriter interface {
	destination
	messageWriter
}
