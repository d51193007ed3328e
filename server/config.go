package server

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"wspipe/bridge"
	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/process"
	"wspipe/server/access"
	"wspipe/server/listen"
	"wspipe/server/param"
)

// Config configures a Server.
type Config struct {
	// Sockets specifies the addresses to listen on.
	listen.Sockets

	// Endpoint is the endpoint of COMMAND, or the settings of all endpoints of Dir. If both
	// its Child.Path and Dir are empty, there is no WebSocket endpoint.
	Endpoint Endpoint
	// Dir is a directory with an endpoint for each executable file. Empty means none.
	Dir string
	// Routes are endpoints with paths. Then Dir and the Child.Path of Endpoint are empty.
	// ReadRoutes, if not nil, returns the new routes for each value of Reload. Its error
	// may join several.
	Routes     []Route
	ReadRoutes func() ([]Route, error)
	// RoutesFile is the file that defines Routes, which is not served. Empty means none.
	RoutesFile string
	// CGIDir is a directory with CGI programs for plain requests (RFC 3875). Empty means
	// none.
	CGIDir string
	// StaticDir is a directory with files for plain requests. Empty means none.
	StaticDir string
	// Console serves the developer console on plain requests.
	Console bool
	// Headers are added to every response, HeadersWS to those that open a WebSocket,
	// HeadersHTTP to all others.
	Headers, HeadersWS, HeadersHTTP []Header

	// Rules specifies which requests are admitted.
	access.Rules
	// NoAuth allows an endpoint with a terminal on an address that other machines can
	// reach without authentication.
	NoAuth bool

	// MaxChildren limits the children that run at once. MaxPerIP limits those of one client
	// address, and the clients of one address that share children. Zero or less means no
	// limit.
	MaxChildren, MaxPerIP int
	// Timeouts bound how long clients may make no progress, and waits of the server.
	Timeouts Timeouts
	// Once ends Serve after one connection, with the exit status of its child. A shared
	// child does not linger then.
	Once bool
	// ExitWhenIdle ends Serve when no client has been connected for this long. Zero means
	// never.
	ExitWhenIdle time.Duration

	// AdminSocket is the path of the unix socket of package admin. Empty means none.
	AdminSocket string

	// RecordDir, if set, is a directory where each session is recorded, without its input
	// unless RecordInput is set.
	RecordDir   string
	RecordInput bool
	// HealthPath, if set, is a path where GET and HEAD are answered with 200 and "ok", or with
	// 503 while the server stops, without credentials.
	HealthPath string

	// Reload reloads certificates, secrets and routes for each value received. It may be
	// nil.
	Reload <-chan struct{}

	// StartHint returns what the operator can do about a program that cannot start, for
	// the log, or "". err is a *process.StartError. StartHint may be nil.
	StartHint func(err error) string

	// Software is SERVER_SOFTWARE in the environment of children.
	Software string
	// Log receives the access log and the stderr of children. Nil discards it.
	Log *slog.Logger
}

// Endpoint configures one WebSocket endpoint, or all endpoints of a directory.
type Endpoint struct {
	// Child specifies the child. The server sets Env for each connection, and Path for the
	// programs of a directory.
	Child process.Spec
	// PassEnv names the variables of our own environment that the child gets.
	PassEnv []string
	// SetEnv are NAME=VALUE pairs that are added last and replace others.
	SetEnv []string
	// ReverseLookup sets REMOTE_HOST to the host name of the client, if it has one.
	ReverseLookup bool

	// Params are the query parameters for the child. Their values replace {NAME} in its
	// Args, and are PARAM_NAME in its Env.
	Params param.List

	// Framing maps between the child's bytes and messages, unless the client selects one of
	// channel.Protocols.
	Framing framing.Framing
	// Subprotocols are the supported subprotocols in order of preference, after
	// channel.Protocols. If it is empty, clients may offer any.
	Subprotocols []string
	// HTTP makes plain requests clients of the child.
	HTTP bool
	// Compress negotiates permessage-deflate (RFC 7692).
	Compress bool
	// MaxMessage is the longest message accepted from a client, in bytes. Zero or less
	// means no limit.
	MaxMessage int64
	// PingInterval is the time between pings. Zero or less means no pings.
	PingInterval time.Duration
	// ExitCloseCode reports a failed child by the close code 4000 + status.
	ExitCloseCode bool
	// MaxRuntime and IdleTimeout end a session. Zero means no limit.
	MaxRuntime, IdleTimeout time.Duration

	// Share specifies which clients share a child. The next five fields have no effect with
	// ShareNone.
	Share Share
	// ShareBy specifies the rooms of a shared child.
	ShareBy ShareBy
	// Replay is how many of the last messages a new client receives first.
	Replay int
	// Linger is how long a shared child runs after its last client has disconnected.
	// Negative means forever.
	Linger time.Duration
	// Slow is the policy for slow clients.
	Slow bridge.SlowPolicy
	// ReadOnly discards input from clients.
	ReadOnly bool

	// Resume is the grace period in which a client can attach to its session again. Zero
	// means that there are no sessions.
	Resume time.Duration
	// ResumeBuffer is the approximate size of a session's history, in bytes.
	ResumeBuffer int

	pattern string // Route.Path, or ""
	removed bool   // gets no new clients; guarded by the mutex of children
}

// Route is an endpoint with its path.
type Route struct {
	// Path is an unescaped URL path. If it ends in a slash, the route matches all paths
	// with this prefix. The longest match has priority.
	Path string
	// Source is the place of the definition, for errors.
	Source string
	Endpoint
}

// isShared reports whether a child may have several clients at the same time.
func (e *Endpoint) isShared() bool { return e.Share != ShareNone }

// readOnly reports whether the child gets no input from clients.
func (e *Endpoint) readOnly() bool { return e.isShared() && e.ReadOnly }

// subprotocols returns the supported subprotocols in order of preference.
func (e *Endpoint) subprotocols() []string {
	return slices.Concat(channel.Protocols, e.Subprotocols)
}

// Timeouts bound how long a client may make no progress before its connection is closed, and
// how long the server waits. Zero means the default of the field.
type Timeouts struct {
	// Header bounds the time for reading a request header, and for a TLS handshake. The default
	// is 10 s.
	Header time.Duration
	// Body bounds the wait for data of a request body. The default is 10 s.
	Body time.Duration
	// Unread bounds how long a client may read nothing of a response, or of the remaining
	// output after the child has exited, also in a pause. The default is wire.UnreadTimeout.
	Unread time.Duration
	// Shutdown is how long clients may take to close when the server stops. The default is 5 s.
	Shutdown time.Duration
	// Lookup bounds how long ReverseLookup may delay a connection. The default is 1 s.
	Lookup time.Duration
}

// orDefault returns t with the default values instead of zero.
func (t Timeouts) orDefault() Timeouts {
	return Timeouts{
		Header: cmp.Or(t.Header, 10*time.Second), Body: cmp.Or(t.Body, 10*time.Second),
		Unread: cmp.Or(t.Unread, wire.UnreadTimeout), Shutdown: cmp.Or(t.Shutdown, 5*time.Second),
		Lookup: cmp.Or(t.Lookup, time.Second),
	}
}

// BasicAuthVariable is the environment variable that may contain Auth.Basic. No child gets it.
const BasicAuthVariable = "WSPIPE_BASIC_AUTH"

// Header is a header field of a response.
type Header struct{ Name, Value string }

// hiddenFiles returns the paths of files that are never served: those with secrets, because a
// client must not learn the credentials of others, and each COMMAND.
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

// LevelAccess is the log level of requests, connects and disconnects. It is below
// slog.LevelInfo.
const LevelAccess = slog.LevelInfo - 2
