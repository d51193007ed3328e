package cmd

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"wspipe/bridge/channel"
	"wspipe/server"
)

// connectOptions holds the values of the flags of "wspipe connect".
type connectOptions struct {
	// Connection
	subprotocols []string // nil if not given
	headers      []server.Header
	unixSocket   string
	reconnect    bool
	resume       bool
	compress     bool
	// Authentication
	token     string
	basicAuth string
	cert      string
	key       string
	// Server certificate
	ca       string
	insecure bool
	// Messages
	binary     bool
	eofTimeout time.Duration
	pty        *bool // nil if not given

	trace bool

	// errs are the errors of single flags.
	errs []error
}

// addFlags defines the flags that set o, in the order of the help.
func (o *connectOptions) addFlags(to *pflag.FlagSet) {
	to.SortFlags = false
	to.SetInterspersed(false)
	f := &flagSet{to: to, errs: &o.errs}

	f.group = "Connection"
	f.nilValue("subprotocol", "NAME,..", channel.ProtocolWspipe, "subprotocols to offer, repeatable; empty for none", subprotocols(&o.subprotocols))
	f.value("header", "LINE", "", "'Name: value' header for the request, repeatable", each(&o.headers, header))
	f.value("unixsocket", "PATH", "", "connect to this socket file instead of the host in URL", set(&o.unixSocket, nonEmpty))
	f.toggle("reconnect", "false", "reconnect when the connection is lost or the server restarts", set(&o.reconnect, boolean))
	f.toggle("resume", "false", "reconnect to the same session; the server needs wspipe --resume", set(&o.resume, boolean))

	f.toggle("compress", "false", "offer compression (permessage-deflate)", set(&o.compress, boolean))

	f.group = "Authentication"
	f.value("token", "TOKEN", "", "bearer token to send; set "+tokenVariable+" to hide it from ps", set(&o.token, bearerToken))
	f.value("basic-auth", "USER:PASS", "", "password to send, also as ws://USER:PASS@HOST/; or set "+server.BasicAuthVariable, set(&o.basicAuth, credentials))
	f.value("cert", "FILE", "", "PEM file with the client certificate and its chain; requires --key", set(&o.cert, nonEmpty))
	f.value("key", "FILE", "", "PEM file with the private key of --cert", set(&o.key, nonEmpty))

	f.group = "Server certificate"
	f.value("ca", "FILE", "", "trust the CAs in this PEM file instead of the system's", set(&o.ca, nonEmpty))
	f.toggle("insecure", "false", "accept any certificate, which allows others to intercept the connection", set(&o.insecure, boolean))

	f.group = "Messages"
	f.toggle("binary", "false", "send stdin as binary messages, add no newlines (not with v1.wspipe)", set(&o.binary, boolean))
	f.value("eof-timeout", "DUR", "", "after stdin ends, disconnect after this long without a message", set(&o.eofTimeout, duration))
	f.nilToggle("pty", "", "use this terminal for the program; default if both have one; =false never", optional(&o.pty, boolean))

	f.group = "Other"
	f.toggle("trace", "false", "print the opening handshake and every frame to stderr", set(&o.trace, boolean))
	help := f.add("help", "h", "bool", "false", "print this help", func(s string) error { _, err := boolean(s); return err })
	help.NoOptDefVal = "true" // cobra handles it
}

// subprotocols returns the setter of a list of subprotocols. An empty value makes the list empty.
func subprotocols(to *[]string) func(string) error {
	add := list(to, token)
	return func(s string) error {
		if s == "" {
			*to = []string{}
			return nil
		}
		return add(s)
	}
}

// bearerToken parses a token (RFC 6750, section 2.1). Its errors do not contain the token.
func bearerToken(s string) (string, error) {
	switch {
	case s == "":
		return "", errors.New("must not be empty")
	case strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }):
		return "", errors.New("a token consists of letters, digits and punctuation, without spaces")
	}
	return s, nil
}

// target is the destination that a URL names.
type target struct {
	url       *url.URL
	socket    string // of a unix: URL
	basicAuth string // USER:PASS, or empty
}

const urlExample = "wspipe connect ws://127.0.0.1:8080/"

// parseTarget parses the arguments after the flags.
func parseTarget(words []string) (target, error) {
	switch {
	case len(words) == 0:
		return target{}, hint(errors.New("no URL given"), urlExample)
	case len(words) == 1:
		t, err := parseURL(words[0])
		if err != nil {
			shown := words[0]
			if at := strings.LastIndexByte(shown, '@'); at >= 0 && !strings.Contains(shown, "://") {
				shown = redacted + shown[at:]
			}
			err = fmt.Errorf("%s: %w", redactedLine(shown), err)
		}
		return t, err
	}
	err := fmt.Errorf("unexpected argument %s after the URL", redactedLine(words[1:]...))
	if strings.HasPrefix(words[1], "-") {
		return target{}, hint(err, "put flags before the URL: "+redactedLine(slices.Concat([]string{"wspipe", connectName}, words[1:], words[:1])...))
	}
	return target{}, err
}

// parseURL parses a WebSocket URL as browsers or wspipe write it. Its errors do not contain the
// URL.
func parseURL(s string) (target, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" || path == "//" {
			return target{}, errors.New("no path in the URL; want unix:/run/wspipe.sock")
		}
		return target{url: &url.URL{Scheme: "ws", Host: "localhost", Path: "/"}, socket: strings.TrimPrefix(path, "//")}, nil
	}
	scheme, rest, hasScheme := strings.Cut(s, "://")
	if !hasScheme {
		return target{}, hint(errors.New("the URL has no scheme"), "wspipe connect "+redactedLine("ws://"+s))
	}
	if !slices.Contains([]string{"ws", "wss", "http", "https"}, strings.ToLower(scheme)) {
		return target{}, hint(errors.New("the scheme must be ws, wss, http or https"), "wspipe connect "+redactedLine("ws://"+rest))
	}
	u, err := url.Parse(s)
	if failure, ok := errors.AsType[*url.Error](err); ok {
		if strings.Contains(s, "@") {
			return target{}, errors.New("invalid URL; in a password, write %40 for @, %2F for / and %3A for a colon")
		}
		return target{}, fmt.Errorf("invalid URL: %w", failure.Err)
	}
	if u.Hostname() == "" {
		return target{}, errors.New("no host in the URL")
	}
	if err := checkHost(u); err != nil {
		return target{}, err
	}
	t := target{url: u}
	if u.User != nil {
		password, _ := u.User.Password()
		if t.basicAuth, err = credentials(u.User.Username() + ":" + password); err != nil {
			return target{}, err
		}
		u.User = nil
	}
	u.Fragment = "" // RFC 6455 section 3
	return t, nil
}

// checkHost finds errors that url.Parse accepts and that no retry would solve.
func checkHost(u *url.URL) error {
	if !strings.HasPrefix(u.Host, "[") && strings.Count(u.Host, ":") > 1 {
		return errors.New("invalid URL: an IPv6 address must be in brackets, [::1]")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("invalid URL: no such port %s", port)
		}
	}
	return nil
}
