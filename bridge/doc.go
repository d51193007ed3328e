// Package bridge carries messages between a running child and its clients.
//
// A Bridge has one child, and Clients attach to it and detach. What the kinds of
// child do with its messages is a kind: single, broadcast, mux, resumable.
//
// The child's output is read in blocks (outbound), cut into messages by a codec,
// encoded into frames, and put into each client's queue, which writes a block in one
// system call. A client's socket is read by its Conn, the WebSocket library decodes
// the frames, and inbound puts the messages into the child's stdin as soon as the
// socket has nothing more.
package bridge
