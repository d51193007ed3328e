package cmd

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"wspipe/bridge"
	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/process"
	"wspipe/server"
	"wspipe/server/param"
)

// endpointOptions holds the values of the flags of one endpoint.
type endpointOptions struct {
	// Parameters
	params   param.List
	declared []string // names of params, without those that a route has inherited
	// Messages
	framing      *framing.Framing // nil if not given
	binary       *bool            // nil if not given
	passStderr   *bool            // nil if not given
	maxFrameSize int64
	subprotocols []string
	compress     bool
	http         bool
	ping         time.Duration
	// Terminals
	pty          bool
	lineBuffered bool
	size         process.WindowSize // zero if not given
	// Sharing
	share    server.Share
	shareBy  server.ShareBy
	replay   int
	linger   time.Duration // negative: forever
	slow     bridge.SlowPolicy
	readOnly bool
	resumeOptions
	// Lifetime
	maxRuntime    time.Duration
	idleTimeout   time.Duration
	closeGrace    time.Duration
	exitCloseCode bool
	// Environment
	passEnv       []string // nil if not given
	setEnv        []string
	reverseLookup bool
	cwd           string
	user          string

	// errs are the errors of single flags.
	errs []error
}

// endpoint returns the endpoint with the given framing, without what depends on the machine.
func (o *endpointOptions) endpoint(chosen framing.Framing) server.Endpoint {
	e := server.Endpoint{
		Child:         process.Spec{Terminal: o.terminal(), Size: o.size, Grace: o.closeGrace},
		PassEnv:       defaultPassEnv,
		SetEnv:        o.setEnv,
		ReverseLookup: o.reverseLookup,
		Params:        o.params,
		Framing:       chosen,
		Subprotocols:  o.subprotocols,
		Compress:      o.compress,
		HTTP:          o.http,
		MaxMessage:    o.maxFrameSize,
		PingInterval:  o.ping,
		ExitCloseCode: o.exitCloseCode,
		MaxRuntime:    o.maxRuntime,
		IdleTimeout:   o.idleTimeout,
		Share:         o.share,
		ShareBy:       o.shareBy,
		Replay:        o.replay,
		Linger:        o.linger,
		Slow:          o.slow,
		ReadOnly:      o.readOnly,
		Resume:        o.resumeOptions.grace,
		ResumeBuffer:  int(o.resumeOptions.buffer),
	}
	if o.passEnv != nil {
		e.PassEnv = o.passEnv
	}
	return e
}

// terminal returns which of the child's files are a terminal.
func (o *endpointOptions) terminal() process.Terminal {
	switch {
	case o.pty:
		return process.FullTerminal
	case o.lineBuffered:
		return process.StdoutTerminal
	}
	return process.NoTerminal
}

// chosenFraming returns the framing that the flags select, or an error if they differ.
func (o *endpointOptions) chosenFraming() (chosen framing.Framing, err error) {
	chosenBy := ""
	choose := func(f framing.Framing, by string) {
		if chosenBy != "" && f != chosen {
			err = errors.Join(err, fmt.Errorf("%s conflicts with %s", chosenBy, by))
		}
		chosen, chosenBy = f, by
	}
	if o.framing != nil {
		choose(*o.framing, "--framing="+o.framing.String())
	}
	for _, short := range []struct {
		flag    string
		given   *bool
		framing framing.Framing
	}{{"--binary", o.binary, framing.Bytes}, {"--passstderr", o.passStderr, framing.JSON}, {"--pty", &o.pty, framing.Bytes}} {
		means := fmt.Sprintf("%s (--framing=%s)", short.flag, short.framing)
		switch {
		case short.given == nil:
		case *short.given:
			choose(short.framing, means)
		case o.framing != nil && *o.framing == short.framing && short.given != &o.pty:
			err = errors.Join(err, fmt.Errorf("--framing=%s conflicts with %s=false", short.framing, short.flag))
		}
	}
	return chosen, err
}

// conflicts joins the errors of flags that cannot be combined.
func (o *endpointOptions) conflicts() error {
	var problems problemList
	check := problems.check
	twice := firstDuplicate(o.subprotocols)
	check(twice != "", fmt.Errorf("--subprotocol lists %s twice", twice))
	for _, name := range o.subprotocols {
		check(slices.Contains(channel.Protocols, name), fmt.Errorf("--subprotocol lists %s, which every client can select anyway", name))
	}
	check(o.framing != nil && o.framing.HoldsWhole() && (o.maxFrameSize == 0 || o.maxFrameSize > framing.MaxHeld), hint(
		errors.New("--framing=length and --framing=lsp buffer whole messages, so --maxframesize must be below 4GiB and not 0"), "--maxframesize=64MiB"))
	check(o.pty && o.lineBuffered, hint(errors.New("--pty and --line-buffered cannot be combined"), "--pty alone also sends each line at once"))
	check(o.size != (process.WindowSize{}) && !o.pty && !o.lineBuffered, hint(errors.New("--size requires a terminal"), "add --pty"))
	return errors.Join(append(problems, o.paramConflicts(), o.sharingConflicts(), o.resumeConflicts())...)
}
