package server

import (
	"log/slog"
	"slices"
	"time"

	"wspipe/bridge"
	"wspipe/bridge/framing"
	"wspipe/process"
	"wspipe/server/access"
	"wspipe/server/listen"
)

// Config is what a Server serves, to whom and within which limits.
type Config struct {
	// Sockets says what to listen on.
	listen.Sockets

	// Child is what each connection runs. Its Env is filled in per connection,
	// and its Path if Dir is set. With neither there is no WebSocket.
	Child process.Spec
	// Dir, if set, has an endpoint for each executable file below it.
	Dir string
	// CGIDir, if set, has the programs that answer plain requests (RFC 3875).
	CGIDir string
	// StaticDir, if set, has the files that plain requests get.
	StaticDir string
	// PassEnv names the variables of our own environment that the child gets.
	PassEnv []string
	// SetEnv are NAME=VALUE pairs added last, so that they win.
	SetEnv []string

	// Framing maps the child's bytes to messages, unless a client chooses one of
	// bridge.ChannelProtocols.
	Framing framing.Framing
	// Subprotocols are offered in this order, after bridge.ChannelProtocols. Empty
	// accepts any client without one.
	Subprotocols []string
	// Compress negotiates permessage-deflate (RFC 7692).
	Compress bool
	// MaxMessage is the longest message taken from a client, in bytes. Zero or
	// less means any length.
	MaxMessage int64
	// PingInterval is the time between pings. Zero or less sends none.
	PingInterval time.Duration
	// ExitCloseCode tells a failed child by close code 4000 + status.
	ExitCloseCode bool

	// Share says which clients have a child together. Without it, what else is
	// said of sharing means nothing.
	Share Share
	// Replay is how many of the last messages a newcomer gets first.
	Replay int
	// Linger is how long a shared child stays when its last client has gone.
	// Negative means for ever.
	Linger time.Duration
	// Slow is what becomes of clients that do not keep up.
	Slow bridge.SlowPolicy
	// ReadOnly takes no input from clients.
	ReadOnly bool

	// Resume is how long a client that names its session may take to come back to
	// it. Zero means that there is nothing to come back to.
	Resume time.Duration
	// ResumeBuffer is how much is held for such a client, in bytes, about.
	ResumeBuffer int

	// Console serves the developer console on plain HTTP requests.
	Console bool
	// Headers are added to every answer, HeadersWS to those that open a
	// WebSocket, HeadersHTTP to all others.
	Headers, HeadersWS, HeadersHTTP []Header
	// ReverseLookup sets REMOTE_HOST to the client's name, if it has one.
	ReverseLookup bool

	// Rules says which requests are admitted.
	access.Rules
	// NoAuth lets everybody in the network have a terminal, if Child has one and
	// Auth is zero.
	NoAuth bool

	// MaxChildren bounds the children that run at once, MaxPerIP those of one
	// client address, or its clients if they share a child. Zero or less means no
	// bound.
	MaxChildren, MaxPerIP int
	// Timeouts bound how long a client may make no progress.
	Timeouts Timeouts
	// MaxRuntime and IdleTimeout end a session. Zero means never.
	MaxRuntime, IdleTimeout time.Duration
	// Once serves one connection and ends Serve with its child's status. A shared
	// child does not linger then.
	Once bool
	// ExitWhenIdle ends Serve when no client has been connected for so long.
	// Zero means never.
	ExitWhenIdle time.Duration

	// Reload makes the server, for each value, read certificates and secrets
	// again. Nil never does.
	Reload <-chan struct{}

	// StartHint says what to do about a program that cannot be started, for the log,
	// or "". Its argument is a *process.StartError. Nil says nothing.
	StartHint func(err error) string

	// Software is the SERVER_SOFTWARE of the child's environment.
	Software string
	// Log gets the access log and the children's stderr. Nil discards it.
	Log *slog.Logger
}

// Timeouts are how long a client may make no progress before its connection is
// closed. Zero values mean what stands here.
type Timeouts struct {
	// Unread is how long it may take nothing of what its child has left, or pause,
	// once that has ended: 30 s.
	Unread time.Duration
}

// BasicAuthVariable is the environment variable that may hold Auth.Basic. No
// child ever gets it.
const BasicAuthVariable = "WSPIPE_BASIC_AUTH"

// Header is one header field of an answer.
type Header struct{ Name, Value string }

// hiddenFiles returns the paths of files that no client may see: those with
// secrets, since who may come in may not know how others do, and COMMAND.
func (c *Config) hiddenFiles() []string {
	paths := []string{c.Auth.HtpasswdFile, c.Auth.TokenFile, c.Child.Path}
	if c.TLS != nil {
		paths = append(paths, c.TLS.Key)
	}
	return slices.DeleteFunc(paths, func(path string) bool { return path == "" })
}

// LevelAccess is the log level of one line per request, connect and
// disconnect. It lies below slog.LevelInfo: whoever wants it sees Info too.
const LevelAccess = slog.LevelInfo - 2
