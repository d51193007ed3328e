package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"wspipe/server"
	"wspipe/server/access"
	"wspipe/server/listen"
)

// options holds the values of the flags.
type options struct {
	endpointOptions
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
	routes      string
	staticDir   string
	cgiDir      string
	devConsole  bool
	headers     []server.Header
	headersWS   []server.Header
	headersHTTP []server.Header
	// Lifetime
	maxForks     int
	once         bool
	exitWhenIdle time.Duration
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
	// Administration
	admin       string
	health      string
	record      string
	recordInput bool
	// Log
	logLevel  slog.Level
	logFormat string
	// Other
	version, license, helpAll bool
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
	return server.Config{
		Sockets:      o.sockets(),
		Endpoint:     o.endpoint(chosen),
		Dir:          o.dir,
		CGIDir:       o.cgiDir,
		StaticDir:    o.staticDir,
		Console:      o.devConsole,
		Headers:      o.headers,
		HeadersWS:    o.headersWS,
		HeadersHTTP:  o.headersHTTP,
		Rules:        o.rules(),
		NoAuth:       o.noAuth,
		MaxChildren:  max(0, o.maxForks), // a negative number means no limit, as in websocketd
		MaxPerIP:     o.maxPerIP,
		Once:         o.once,
		ExitWhenIdle: o.exitWhenIdle,
		AdminSocket:  o.admin,
		HealthPath:   o.health,
		RecordDir:    o.record,
		RecordInput:  o.recordInput,
		Software:     "wspipe/" + version(),
	}, nil
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
	problems := problemList{o.endpointConflicts()}
	check := problems.check
	check(o.dir != "" && o.routes != "", errors.New("--dir and --routes cannot be combined"))
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
	check(o.recordInput && o.record == "", hint(errors.New("--record-input requires --record"), "--record=DIR --record-input"))
	check(o.admin != "" && o.admin == o.unixSocket, errors.New("--admin and --unixsocket must name different files"))
	check(o.redirPort != 0 && o.redirPort == o.chosenPort(), fmt.Errorf("--redirport=%d must differ from --port", o.redirPort))
	check(o.authHeader != "" && len(o.proxies) == 0, hint(errors.New("--auth-header requires --trusted-proxy"),
		"--trusted-proxy=127.0.0.1"))
	return errors.Join(problems...)
}

// endpointConflicts joins the errors of flags that cannot be combined for an endpoint. With
// --routes, they are defaults, which may have no effect.
func (o *options) endpointConflicts() error {
	e := o.endpointOptions
	if o.routes != "" {
		e.combine(func(string) bool { return false })
	}
	var once error
	if e.grace != 0 && o.once {
		once = hint(errors.New("--resume and --once cannot be combined: a resumed session has several connections"), "remove one of them")
	}
	return errors.Join(e.conflicts(), once)
}

// problemList collects errors.
type problemList []error

// check adds problem if something is wrong.
func (p *problemList) check(wrong bool, problem error) {
	if wrong {
		*p = append(*p, problem)
	}
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
