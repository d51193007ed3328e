package bridge

import (
	"log/slog"
	"time"

	"wspipe/bridge/framing"
)

// Kind is which clients a child has, what history is kept, and what ends the child. The zero
// value is Single.
type Kind int

const (
	// Single is a child with one client. It ends with the client's connection.
	Single Kind = iota
	// Broadcast is a child with any number of clients, which all get its messages.
	Broadcast
	// Mux is a child with any number of clients. It reads events and writes messages with
	// their recipients, in lines of JSON.
	Mux
	// Resumable is a child with one client at a time, which may lose its connection and
	// attach again.
	Resumable
)

// Options are the options of a child and its clients. A field that names a kind of child
// applies to that kind only.
type Options struct {
	Kind Kind
	// Framing maps between the child's bytes and messages, unless a client has selected a
	// subprotocol with channels.
	Framing framing.Framing
	// Terminal means that the child's stdin and stdout are a terminal: closing Stdin hangs
	// it up, and there is no stderr.
	Terminal bool
	// MaxMessage is the longest message from a client, in bytes. Zero means unlimited.
	MaxMessage int64
	// PingInterval is the time between pings. Zero means no pings.
	PingInterval time.Duration
	// MaxRuntime limits a connection, or a Resumable child. IdleTimeout limits the time
	// without a message on a connection. Zero means no limit.
	MaxRuntime, IdleTimeout time.Duration
	// InputTimeout is how long a child may still read what a client sent before it
	// disconnected. Zero drops that at once, negative means without limit.
	InputTimeout time.Duration
	// Unread is how long a client may leave the output of an ended child unread, or stay
	// paused. Zero means 30 s.
	Unread time.Duration
	// ExitCloseCode reports a failed child by close code 4000 + status.
	ExitCloseCode bool
	// Log gets the child's stderr. Nil discards it.
	Log *slog.Logger

	// Replay is how many of the last messages a new client of a Broadcast child gets.
	Replay int
	// ReadOnly discards the input of clients of a Broadcast child.
	ReadOnly bool
	// Slow is what happens to a slow client of a Broadcast or Mux child.
	Slow SlowPolicy

	// Channels means that all clients of a Resumable child use subprotocols with channels;
	// otherwise none does.
	Channels bool
	// Buffer is approximately how many bytes the history of a Resumable child may have.
	Buffer int
	// Grace is how long a Resumable child, or its exit, waits for a client.
	Grace time.Duration
	// Ended, if not nil, is called when no client can attach to a Resumable child any
	// more. It must not wait.
	Ended func()
}

// ClientOptions are the options of one client.
type ClientOptions struct {
	// ID is the session ID, which the client gets in the hello message.
	ID string
	// After is how many messages of a Resumable child the client has counted. If it is
	// negative, the client gets all messages that are held, and counts from the first.
	After int64
	// NoStdin means that the client has no input: what it sends is discarded, and the
	// child reads EOF if it has no other client.
	NoStdin bool
	// Env is the description of the client's request in the open event of a Mux child, as
	// NAME=VALUE.
	Env []string
	// Log gets messages about the client. Nil discards them.
	Log *slog.Logger
}
