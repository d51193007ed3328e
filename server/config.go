package server

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"wspipe/bridge"
	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/process"
	"wspipe/server/access"
	"wspipe/server/listen"
)

// Config is what a Server serves, to whom and within which limits.
type Config struct {
	// Sockets says what to listen on.
	listen.Sockets

	// Endpoint is that of COMMAND, or says what those of Dir have in common. Without
	// Dir and without a path for its child there is no WebSocket.
	Endpoint Endpoint
	// Dir, if set, has an endpoint for each executable file below it.
	Dir string
	// Routes are more endpoints, with neither Dir nor a path for the child of Endpoint.
	// ReadRoutes, if not nil, returns them again for each value of Reload. Its error may
	// join several.
	Routes     []Route
	ReadRoutes func() ([]Route, error)
	// RoutesFile, if set, is where they are from. It is not served.
	RoutesFile string
	// CGIDir, if set, has the programs that answer plain requests (RFC 3875).
	CGIDir string
	// StaticDir, if set, has the files that plain requests get.
	StaticDir string
	// Console serves the developer console on plain HTTP requests.
	Console bool
	// Headers are added to every answer, HeadersWS to those that open a
	// WebSocket, HeadersHTTP to all others.
	Headers, HeadersWS, HeadersHTTP []Header

	// Rules says which requests are admitted.
	access.Rules
	// NoAuth lets everybody in the network have a terminal, if an endpoint has one and
	// Auth is zero.
	NoAuth bool

	// MaxChildren bounds the children that run at once, MaxPerIP those of one
	// client address, or its clients if they share a child. Zero or less means no
	// bound.
	MaxChildren, MaxPerIP int
	// Timeouts bound how long a client may make no progress.
	Timeouts Timeouts
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

// Endpoint is what the clients of one WebSocket endpoint get.
type Endpoint struct {
	// Child is what each connection runs. Its Env is filled in per connection,
	// and its Path for the programs of a directory.
	Child process.Spec
	// PassEnv names the variables of our own environment that the child gets.
	PassEnv []string
	// SetEnv are NAME=VALUE pairs added last, so that they win.
	SetEnv []string
	// ReverseLookup sets REMOTE_HOST to the client's name, if it has one.
	ReverseLookup bool

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
	// MaxRuntime and IdleTimeout end a session. Zero means never.
	MaxRuntime, IdleTimeout time.Duration

	// Share says which clients have a child together. Without it, the following fields
	// mean nothing.
	Share Share
	// Replay is how many of the last messages a new client gets first.
	Replay int
	// Linger is how long a shared child runs after its last client has disconnected.
	// Negative means forever.
	Linger time.Duration
	// Slow is what becomes of clients that do not keep up.
	Slow bridge.SlowPolicy
	// ReadOnly takes no input from clients.
	ReadOnly bool

	// Resume is how long a client that names its session may take to come back to
	// it. Zero means that there is nothing to come back to.
	Resume time.Duration
	// ResumeBuffer is about how much is held for such a client, in bytes.
	ResumeBuffer int

	pattern string // Route.Path, or ""
	removed bool   // no new client gets here; guarded by the mutex of children
}

// Route is an endpoint with its path.
type Route struct {
	// Path is the path of a request, unescaped. If it ends in a slash, all paths that
	// begin with it are meant. The longest one that matches counts.
	Path string
	// Source is where the route is defined, for errors.
	Source string
	Endpoint
}

// isShared reports whether a child may have several clients at the same time.
func (e *Endpoint) isShared() bool { return e.Share != ShareNone }

// readOnly reports whether clients share a child that gets nothing from them.
func (e *Endpoint) readOnly() bool { return e.isShared() && e.ReadOnly }

// subprotocols are those that a client may choose, best first.
func (e *Endpoint) subprotocols() []string {
	return slices.Concat(channel.Protocols, e.Subprotocols)
}

// Timeouts are how long a client may make no progress before its connection is
// closed. Zero values mean what stands here.
type Timeouts struct {
	// Body is for the body of a request, while somebody waits for it: 10 s.
	Body time.Duration
	// Unread is how long it may take nothing of a response, or of the output that a
	// child has left when it ended, or pause then: 30 s.
	Unread time.Duration
}

// orDefault returns t with the default values instead of zero.
func (t Timeouts) orDefault() Timeouts {
	return Timeouts{Body: cmp.Or(t.Body, 10*time.Second), Unread: cmp.Or(t.Unread, 30*time.Second)}
}

// BasicAuthVariable is the environment variable that may hold Auth.Basic. No
// child ever gets it.
const BasicAuthVariable = "WSPIPE_BASIC_AUTH"

// Header is one header field of an answer.
type Header struct{ Name, Value string }

// hiddenFiles returns the paths of files that no client may see: those with
// secrets, since who may come in may not know how others do, and each COMMAND.
func (s *Server) hiddenFiles() []string {
	c := &s.cfg
	paths := []string{c.Auth.HtpasswdFile, c.Auth.TokenFile, c.RoutesFile, c.Endpoint.Child.Path}
	if c.TLS != nil {
		paths = append(paths, c.TLS.Key)
	}
	for _, e := range s.routes() {
		paths = append(paths, e.Child.Path)
	}
	slices.Sort(paths)
	return slices.DeleteFunc(slices.Compact(paths), func(path string) bool { return path == "" })
}

// LevelAccess is the log level of one line per request, connect and
// disconnect. It lies below slog.LevelInfo: whoever wants it sees Info too.
const LevelAccess = slog.LevelInfo - 2
