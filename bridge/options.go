package bridge

import (
	"log/slog"
	"time"

	"wspipe/bridge/framing"
)

// Kind says which clients a child has, what is kept of its messages, and what ends
// it. The zero value is Single.
type Kind int

const (
	// Single is a child of one client, and ends with its connection.
	Single Kind = iota
	// Broadcast is a child of any number of clients: its messages go to each of
	// them.
	Broadcast
	// Mux is a child of any number of clients that talks to each of them, in lines
	// of JSON.
	Mux
	// Resumable is a child of one client at a time, which may lose its connection
	// and come back.
	Resumable
)

// Options are what flags say of a child and its clients. The zero value bounds
// nothing.
type Options struct {
	Kind Kind
	// Framing maps the child's bytes to messages, unless a client has chosen one of
	// Protocols.
	Framing framing.Framing
	// Terminal says that the child's stdin and stdout are a terminal: closing Stdin
	// hangs that up, and there is no stderr.
	Terminal bool
	// MaxMessage is the longest message taken, in bytes; zero or less: any.
	MaxMessage int64
	// PingInterval is the time between pings; zero or less: none.
	PingInterval time.Duration
	// IdleTimeout ends a connection, MaxRuntime too, or a Resumable child; zero:
	// never.
	MaxRuntime, IdleTimeout time.Duration
	// InputPatience is how long a child may still take what a client sent before it
	// disconnected; negative: as long as it likes.
	InputPatience time.Duration
	// Unread is how long a client may take nothing of what its child has left, or
	// pause, once that has ended. Zero means 30 s.
	Unread time.Duration
	// ExitCloseCode tells a failed child by close code 4000 + status.
	ExitCloseCode bool
	// Log gets the child's stderr. Nil discards it.
	Log *slog.Logger

	// Replay is how many of the last messages a new client of a Broadcast child gets
	// first.
	Replay int
	// ReadOnly drops what clients of a Broadcast child send.
	ReadOnly bool
	// Slow is what becomes of a slow client of a Broadcast or Mux child.
	Slow SlowPolicy

	// Channels says that the streams of a Resumable child go to clients of
	// Protocols, and to no others.
	Channels bool
	// Buffer is how much is held for the client of a Resumable child, in bytes,
	// approximately.
	Buffer int
	// Grace is how long a Resumable child, or what it has left, waits for its client.
	Grace time.Duration
	// Ended, if not nil, is called when nobody can attach to a Resumable child any
	// more. It must not wait.
	Ended func()
}

// ClientOptions are what differs between the clients of a child.
type ClientOptions struct {
	// ID names the session to the client.
	ID string
	// After is how many messages of a Resumable child it has counted already; negative
	// if it does not say. Then it gets all that are held, and counts from there.
	After int64
	// NoStdin says that the client has no input: what it sends nevertheless is
	// dropped, and a child that no other client has reads an empty stdin.
	NoStdin bool
	// Env is what a Mux child is told of the client's request, as NAME=VALUE.
	Env []string
	// Log gets what is wrong with the client. Nil discards it.
	Log *slog.Logger
}
