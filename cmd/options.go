package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"wspipe/bridge"
	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/process"
	"wspipe/server"
	"wspipe/server/access"
	"wspipe/server/listen"
)

// options holds the values of the flags.
type options struct {
	// Listening
	port       *int // nil if not given
	addresses  []string
	unixSocket string
	socketMode *fs.FileMode // nil if not given
	ssl        bool
	sslCert    string
	sslKey     string
	sslCA      string
	redirPort  int
	// Content
	dir         string
	staticDir   string
	cgiDir      string
	devConsole  bool
	headers     []server.Header
	headersWS   []server.Header
	headersHTTP []server.Header
	// Messages
	framing      *framing.Framing // nil if not given
	binary       *bool            // nil if not given
	passStderr   *bool            // nil if not given
	maxFrameSize int64
	subprotocols []string
	compress     bool
	ping         time.Duration
	// Terminals
	pty          bool
	lineBuffered bool
	size         process.WindowSize // zero if not given
	// Sharing
	share    server.Share
	replay   int
	linger   time.Duration // negative: forever
	slow     bridge.SlowPolicy
	readOnly bool
	resumeOptions
	// Lifetime
	maxForks      int
	maxRuntime    time.Duration
	idleTimeout   time.Duration
	closeGrace    time.Duration
	exitCloseCode bool
	once          bool
	exitWhenIdle  time.Duration
	// Access
	sameOrigin bool
	origins    []string
	hosts      []string
	basicAuth  string
	htpasswd   string
	tokenFile  string
	authHeader string
	proxies    []string
	noAuth     bool
	maxPerIP   int
	// Environment
	passEnv       []string // nil if not given
	setEnv        []string
	reverseLookup bool
	cwd           string
	user          string
	// Log
	logLevel  slog.Level
	logFormat string
	// Other
	version, license bool

	// errs are the errors of single flags.
	errs []error
}

// The default ports, which do not require root.
const (
	defaultPort    = 8080
	defaultTLSPort = 8443
)

// config returns the server's configuration without the child and the log, which depend on the
// machine. The error joins all problems of the flags.
func (o *options) config() (server.Config, error) {
	chosen, err := o.chosenFraming()
	if err := errors.Join(append(slices.Clone(o.errs), err, o.conflicts())...); err != nil {
		return server.Config{}, err
	}
	cfg := server.Config{
		Sockets:       o.sockets(),
		Child:         process.Spec{Terminal: o.terminal(), Size: o.size, Grace: o.closeGrace},
		Dir:           o.dir,
		CGIDir:        o.cgiDir,
		StaticDir:     o.staticDir,
		PassEnv:       defaultPassEnv,
		SetEnv:        o.setEnv,
		Framing:       chosen,
		Subprotocols:  o.subprotocols,
		Compress:      o.compress,
		MaxMessage:    o.maxFrameSize,
		PingInterval:  o.ping,
		ExitCloseCode: o.exitCloseCode,
		Console:       o.devConsole,
		Headers:       o.headers,
		HeadersWS:     o.headersWS,
		HeadersHTTP:   o.headersHTTP,
		ReverseLookup: o.reverseLookup,
		Rules:         o.rules(),
		NoAuth:        o.noAuth,
		MaxChildren:   max(0, o.maxForks), // a negative number means no limit, as in websocketd
		MaxPerIP:      o.maxPerIP,
		MaxRuntime:    o.maxRuntime,
		IdleTimeout:   o.idleTimeout,
		Once:          o.once,
		ExitWhenIdle:  o.exitWhenIdle,
		Software:      "wspipe/" + version(),
	}
	o.fillSharing(&cfg)
	o.fillResume(&cfg)
	if o.passEnv != nil {
		cfg.PassEnv = o.passEnv
	}
	return cfg, nil
}

// sockets returns the sockets to listen on.
func (o *options) sockets() listen.Sockets {
	s := listen.Sockets{
		Addresses:    o.addresses,
		Port:         o.chosenPort(),
		RedirectPort: o.redirPort,
		UnixSocket:   o.unixSocket,
	}
	if o.socketMode != nil {
		s.UnixSocketMode = *o.socketMode
	}
	if o.ssl {
		s.TLS = &listen.TLS{Cert: o.sslCert, Key: o.sslKey, ClientCA: o.sslCA}
	}
	return s
}

// rules returns which requests are admitted.
func (o *options) rules() access.Rules {
	return access.Rules{
		Auth:           access.Auth{Basic: o.basicAuth, HtpasswdFile: o.htpasswd, TokenFile: o.tokenFile, ProxyHeader: o.authHeader},
		TrustedProxies: trustedProxies(o.proxies),
		Origins:        o.allowedOrigins(),
		Hosts:          o.hosts,
	}
}

func (o *options) chosenPort() int {
	switch {
	case o.port != nil:
		return *o.port
	case o.ssl:
		return defaultTLSPort
	}
	return defaultPort
}

// terminal returns which of the child's files are a terminal.
func (o *options) terminal() process.Terminal {
	switch {
	case o.pty:
		return process.FullTerminal
	case o.lineBuffered:
		return process.StdoutTerminal
	}
	return process.NoTerminal
}

// chosenFraming returns the framing that the flags select, or an error if they differ.
func (o *options) chosenFraming() (chosen framing.Framing, err error) {
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

// allowedOrigins makes --sameorigin=false mean --origin='*' unless --origin is given: in
// websocketd, too, the list is the stricter of the two.
func (o *options) allowedOrigins() []string {
	if !o.sameOrigin && len(o.origins) == 0 {
		return []string{"*"}
	}
	return o.origins
}

// conflicts joins the errors of flags that cannot be combined.
func (o *options) conflicts() error {
	var problems []error
	check := func(wrong bool, problem error) {
		if wrong {
			problems = append(problems, problem)
		}
	}
	twice := firstDuplicate(o.subprotocols)
	check(twice != "", fmt.Errorf("--subprotocol lists %s twice", twice))
	for _, name := range o.subprotocols {
		check(slices.Contains(channel.Protocols, name), fmt.Errorf("--subprotocol lists %s, which every client can select anyway", name))
	}
	check(o.framing != nil && o.framing.HoldsWhole() && (o.maxFrameSize == 0 || o.maxFrameSize > framing.MaxHeld), hint(
		errors.New("--framing=length and --framing=lsp buffer whole messages, so --maxframesize must be below 4GiB and not 0"), "--maxframesize=64MiB"))
	check(o.pty && o.lineBuffered, hint(errors.New("--pty and --line-buffered cannot be combined"), "--pty alone also sends each line at once"))
	check(o.size != (process.WindowSize{}) && !o.pty && !o.lineBuffered, hint(errors.New("--size requires a terminal"), "add --pty"))
	check(o.noAuth && o.basicAuth+o.htpasswd+o.tokenFile+o.authHeader+o.sslCA != "", errors.New("--no-auth conflicts with the flags that require authentication"))
	check(o.ssl && (o.sslCert == "" || o.sslKey == ""), hint(errors.New("--ssl requires --sslcert and --sslkey"),
		"--ssl --sslcert=cert.pem --sslkey=key.pem"))
	check(!o.ssl && o.sslCert+o.sslKey+o.sslCA != "", hint(errors.New("--sslcert, --sslkey and --sslca require --ssl"), "add --ssl"))
	noTCP := o.unixSocket != "" && len(o.addresses) == 0
	check(noTCP && o.port != nil, hint(errors.New("--port conflicts with --unixsocket, which does not listen on TCP"),
		"to listen on TCP as well: --address=127.0.0.1"))
	check(noTCP && o.redirPort != 0, hint(errors.New("--redirport conflicts with --unixsocket, which does not listen on TCP"),
		"to listen on TCP as well: --address=127.0.0.1"))
	check(o.socketMode != nil && o.unixSocket == "", errors.New("--unixsocket-mode requires --unixsocket"))
	check(o.redirPort != 0 && o.redirPort == o.chosenPort(), fmt.Errorf("--redirport=%d must differ from --port", o.redirPort))
	check(o.authHeader != "" && len(o.proxies) == 0, hint(errors.New("--auth-header requires --trusted-proxy"),
		"--trusted-proxy=127.0.0.1"))
	return errors.Join(append(problems, o.sharingConflicts(), o.resumeConflicts())...)
}

// firstDuplicate returns the first name that occurs twice, or "".
func firstDuplicate(names []string) string {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return name
		}
	}
	return ""
}
