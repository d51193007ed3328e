package bridge

import "wspipe/bridge/wire"

// Transport is how a client is connected to the server, which is what the kinds of
// client differ in. NewWebSocket and NewHTTPRequest make one.
type Transport interface {
	// Refuse ends the connection because no child could be started. It returns when
	// the client has answered, or is not going to.
	Refuse(reason string)
	// RefuseResume ends the connection because of cause, an error of Bridge.Attach, as
	// Refuse does.
	RefuseResume(cause error)

	conn() *wire.Conn
	// encoding returns the form in which the client gets messages.
	encoding() encoding
	// writer returns what encodes messages for this client alone, which has counted after
	// messages already, negative for none.
	writer(after int64) clientWriter
	// bind prepares to receive what c sends. It is called before all that follows.
	bind(c *Client)
	// begin comes before the first message.
	begin()
	// start starts what happens by time alone. stop is called when the connection is
	// closed.
	start() (stop func())
	// receive carries what the client sends until the connection ends or a message
	// breaks the rules, and then finishes the client.
	receive()
	// sendHello, sendExit and sendEnd send what the protocol has besides messages: first,
	// after the child's exit, and before the connection is closed for any reason.
	sendHello()
	sendExit(how exit)
	sendEnd(e End)
	// close tells the client of e and closes the connection. It reports whether the
	// client has acknowledged that.
	close(e End) (answered bool)
}

// clientWriter encodes messages for one client, and queues them.
type clientWriter interface {
	destination
	messageWriter
}
