package cmd

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"wspipe/bridge"
	"wspipe/process"
	"wspipe/server"
)

// options is what the flags say.
type options struct {
	// Listening
	port       int
	addresses  []string
	devConsole bool
	// Messages
	framing      *bridge.Framing // nil if not given
	binary       *bool           // nil if not given
	maxFrameSize int64
	subprotocols []string
	compress     bool
	ping         time.Duration
	// Life of a child
	maxForks      int
	maxRuntime    time.Duration
	idleTimeout   time.Duration
	closeGrace    time.Duration
	exitCloseCode bool
	once          bool
	exitWhenIdle  time.Duration
	// Who may come in
	sameOrigin bool
	origins    []string
	hosts      []string
	maxPerIP   int
	// Environment
	passEnv []string // nil if not given
	setEnv  []string
	cwd     string
	user    string
	// Log
	logLevel  slog.Level
	logFormat string
	// Other
	version, license bool

	// refused is what was wrong with single flags.
	refused []error
}

// newOptions returns the options of a command line without flags.
func newOptions() *options {
	return &options{
		port:         8080,
		maxFrameSize: 1 << 20,
		ping:         30 * time.Second,
		maxForks:     1024,
		sameOrigin:   true,
		logLevel:     server.LevelAccess,
		logFormat:    formatText,
	}
}

// config returns what to serve, but for the child and the log, which depend on
// the machine. It depends on the options alone. The error joins everything that
// is wrong with them.
func (o *options) config() (server.Config, error) {
	problems := slices.Clone(o.refused)
	framing, err := o.chosenFraming()
	if err != nil {
		problems = append(problems, err)
	}
	if twice := firstTwice(o.subprotocols); twice != "" {
		problems = append(problems, fmt.Errorf("--subprotocol lists %s twice", twice))
	}
	if err := errors.Join(problems...); err != nil {
		return server.Config{}, err
	}
	cfg := server.Config{
		Addresses:     o.addresses,
		Port:          o.port,
		Child:         process.Spec{Grace: o.closeGrace},
		PassEnv:       defaultPassEnv,
		SetEnv:        o.setEnv,
		Framing:       framing,
		Subprotocols:  o.subprotocols,
		Compress:      o.compress,
		MaxMessage:    o.maxFrameSize,
		PingInterval:  o.ping,
		ExitCloseCode: o.exitCloseCode,
		Console:       o.devConsole,
		Origins:       o.allowedOrigins(),
		Hosts:         o.hosts,
		MaxChildren:   max(0, o.maxForks), // websocketd takes negative numbers for no limit
		MaxPerIP:      o.maxPerIP,
		MaxRuntime:    o.maxRuntime,
		IdleTimeout:   o.idleTimeout,
		Once:          o.once,
		ExitWhenIdle:  o.exitWhenIdle,
		Software:      "wspipe/" + version(),
	}
	if o.passEnv != nil {
		cfg.PassEnv = o.passEnv
	}
	return cfg, nil
}

func (o *options) chosenFraming() (bridge.Framing, error) {
	switch {
	case o.binary == nil && o.framing == nil:
		return bridge.Lines, nil
	case o.binary == nil:
		return *o.framing, nil
	case o.framing == nil && *o.binary:
		return bridge.Bytes, nil
	case o.framing == nil:
		return bridge.Lines, nil
	case *o.binary != (*o.framing == bridge.Bytes):
		return 0, fmt.Errorf("--binary=%t contradicts --framing=%s: --binary is --framing=bytes", *o.binary, *o.framing)
	}
	return *o.framing, nil
}

// allowedOrigins makes --sameorigin=false mean --origin='*', but never widens
// what --origin lists: to websocketd, too, the list is the stricter of the two.
func (o *options) allowedOrigins() []string {
	if !o.sameOrigin && len(o.origins) == 0 {
		return []string{"*"}
	}
	return o.origins
}

// firstTwice returns the first of names that has been there before, or "".
func firstTwice(names []string) string {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return name
		}
	}
	return ""
}
