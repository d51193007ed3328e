// Package bridge carries messages between a running child and its clients.
//
// A Bridge has one child. Clients attach to it and detach. The kind of the child (single,
// broadcast, mux or resumable) decides which clients get a message, what history is kept
// and when the child ends. The Transport of a client is a WebSocket or a plain HTTP request.
//
// An output reads the child's output in blocks, and a codec splits them into messages. The
// messages are encoded, as frames or as the body of a response, and written to the queue of
// each client, a batch per system call. In the other direction, a wire.Conn reads the socket,
// the WebSocket library decodes the frames, and an input writes the messages to the child's
// stdin as soon as the socket has no more data.
package bridge
