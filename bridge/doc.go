// Package bridge carries messages between a WebSocket connection and a child.
//
// A byte on its way to the client: the child's output is read in blocks
// (Session.send), cut into messages by a cutter, framed by the WebSocket
// library into a Wire, which puts what a block gave into the socket in one
// write. A byte on its way to the child: the Wire reads the socket, the library
// takes the frames apart, inbound gathers messages and hands them to an
// Outflow, which puts them into the child's stdin as soon as the socket has
// nothing more. Nothing is copied to another goroutine in between, and nothing
// waits but for a full kernel buffer on the other side.
package bridge
