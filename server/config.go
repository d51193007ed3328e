package server

import (
	"log/slog"
	"time"

	"wspipe/bridge"
	"wspipe/process"
)

// Config is what a Server serves, to whom and within which limits.
type Config struct {
	// Addresses are the host names or IP literals to listen on, without a
	// port. Empty means loopback only, 127.0.0.1 and ::1.
	Addresses []string
	// Port is the TCP port on every address. Zero lets the system pick one.
	Port int

	// Child is what each connection runs. Its Env is filled in per connection.
	Child process.Spec
	// PassEnv names the variables of our own environment that the child gets.
	PassEnv []string
	// SetEnv are NAME=VALUE pairs added last, so that they win.
	SetEnv []string

	// Framing maps the child's bytes to messages.
	Framing bridge.Framing
	// Subprotocols are offered in this order. Empty accepts any client without one.
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

	// Console serves the developer console on plain HTTP requests.
	Console bool
	// Origins lists who else may connect from a web page:
	// [scheme://]host[:port], "null" or "*".
	Origins []string
	// Hosts are the names, beside IP literals, loopback names and this
	// machine's own name, under which web pages may reach us.
	Hosts []string

	// MaxChildren bounds the children that run at once, MaxPerIP those of one
	// client address. Zero or less means no bound.
	MaxChildren, MaxPerIP int
	// MaxRuntime and IdleTimeout end a session. Zero means never.
	MaxRuntime, IdleTimeout time.Duration
	// Once serves one connection and ends Serve with its child's status.
	Once bool
	// ExitWhenIdle ends Serve when no client has been connected for so long.
	// Zero means never.
	ExitWhenIdle time.Duration

	// Software is the SERVER_SOFTWARE of the child's environment.
	Software string
	// Log gets the access log and the children's stderr. Nil discards it.
	Log *slog.Logger
}

// LevelAccess is the log level of one line per request, connect and
// disconnect. It lies below slog.LevelInfo: whoever wants it sees Info too.
const LevelAccess = slog.LevelInfo - 2
