package cmd

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"wspipe/server"
)

// addFlags defines the flags that set o, in the order of the help.
func (o *options) addFlags(to *pflag.FlagSet) {
	to.SetInterspersed(false)
	o.define(&flagSet{to: to, errs: &o.errs})
}

func (o *options) define(f *flagSet) {
	f.to.SortFlags = false
	o.addListening(f)
	o.addServing(f)
	o.addEndpointFlags(f)
	o.addLimits(f)
	o.addAccess(f)
	o.addRest(f)
}

func (o *options) addListening(f *flagSet) {
	f.group = "Listening"
	f.nilValue("port", "N", strconv.Itoa(defaultPort), fmt.Sprintf("TCP port, %d with --ssl; 0 picks a free port and prints it", defaultTLSPort), optional(&o.port, integer(0, 65535)))
	f.value("address", "ADDR", "", "address or host name to listen on, repeatable; loopback only by default", list(&o.addresses, address))
	f.value("unixsocket", "PATH", "", "listen on this socket file, and on TCP only if --address is given", set(&o.unixSocket, socketPath))
	f.nilValue("unixsocket-mode", "MODE", "", "permissions of the socket file, in octal; 0600 by default", optional(&o.socketMode, socketMode))
	f.toggle("ssl", "false", "serve TLS; requires --sslcert and --sslkey", set(&o.ssl, boolean))
	f.value("sslcert", "FILE", "", "PEM file with the certificate and its chain", set(&o.sslCert, nonEmpty))
	f.value("sslkey", "FILE", "", "PEM file with the private key", set(&o.sslKey, nonEmpty))
	f.value("sslca", "FILE", "", "require a client certificate issued by a CA in this PEM file", set(&o.sslCA, nonEmpty))
	f.value("redirport", "N", "", "redirect HTTP requests on this port to --port", set(&o.redirPort, integer(1, 65535)))
}

func (o *options) addServing(f *flagSet) {
	f.group = "Content"
	f.value("dir", "DIR", "", "serve each executable file in DIR as a WebSocket endpoint", set(&o.dir, nonEmpty))
	f.value("routes", "FILE", "", "serve each line of FILE as an endpoint: PATH [FLAGS] -- COMMAND [ARG...]", set(&o.routes, nonEmpty))
	f.value("staticdir", "DIR", "", "serve the files in DIR over HTTP", set(&o.staticDir, nonEmpty))
	f.value("cgidir", "DIR", "", "serve the CGI programs in DIR over HTTP", set(&o.cgiDir, nonEmpty))
	f.toggle("devconsole", "false", "serve a test page that talks to COMMAND from a browser", set(&o.devConsole, boolean))
	f.value("header", "LINE", "", "'Name: value' header for all responses, repeatable", each(&o.headers, header))
	f.value("header-ws", "LINE", "", "'Name: value' header for responses that open a WebSocket, repeatable", each(&o.headersWS, header))
	f.value("header-http", "LINE", "", "'Name: value' header for all other responses, repeatable", each(&o.headersHTTP, header))
}

func (o *options) addLimits(f *flagSet) {
	f.group = "Limits"
	f.value("maxforks", "N", "1024", "maximum number of children; 0 for no limit", set(&o.maxForks, integer(math.MinInt, math.MaxInt)))
	f.value("max-per-ip", "N", "0", "maximum children or sharing clients per address; 0 for no limit", set(&o.maxPerIP, integer(0, math.MaxInt)))
	f.toggle("once", "false", "serve one connection, then exit with the child's exit status", set(&o.once, boolean))
	f.value("exit-when-idle", "DUR", "", "exit after this long without a connected client", set(&o.exitWhenIdle, duration))
}

func (o *options) addAccess(f *flagSet) {
	f.group = "Access"
	f.value("origin", "ORIGIN,..", "", "also allow web pages from [scheme://]host[:port], null or *; repeatable", list(&o.origins, origin))
	f.toggle("sameorigin", "true", "allow every web page, like --origin='*'; no effect with --origin", set(&o.sameOrigin, boolean))
	f.value("host", "NAME,..", "", "host name of this server, besides the machine's own; repeatable", list(&o.hosts, host))
	f.value("basic-auth", "USER:PASS", "", "require this password; set "+server.BasicAuthVariable+" to hide it from ps", set(&o.basicAuth, credentials))
	f.value("htpasswd", "FILE", "", "require a password from this file of bcrypt hashes (htpasswd -B)", set(&o.htpasswd, nonEmpty))
	f.value("token-file", "FILE", "", "require a bearer token from this file, which lists one per line", set(&o.tokenFile, nonEmpty))
	f.value("auth-header", "NAME", "", "accept the user that a trusted proxy names in this request header", set(&o.authHeader, token))
	f.value("trusted-proxy", "CIDR", "", "trust X-Forwarded-For and -Proto from this network, or unix; repeatable", list(&o.proxies, proxy))
	f.toggle("no-auth", "false", "serve a terminal (--pty) without authentication", set(&o.noAuth, boolean))
}

func (o *options) addRest(f *flagSet) {
	f.group = "Administration"
	f.value("admin", "SOCKET", "", "socket file for wspipe ps, wspipe kill and metrics, with mode 0600", set(&o.admin, socketPath))
	f.value("health", "PATH", "", "answer GET PATH with 200 and ok, without credentials; 503 during a shutdown", set(&o.health, healthPath))
	f.value("record", "DIR", "", "record each session in a file in DIR, for wspipe replay and asciinema", set(&o.record, nonEmpty))
	f.toggle("record-input", "false", "also record the input, which may contain passwords", set(&o.recordInput, boolean))

	f.group = "Log"
	f.value("loglevel", "LEVEL", "access", strings.Join(levelNames(), ", "), set(&o.logLevel, parseLevel))
	f.value("log-format", "NAME", "text", "text or json", set(&o.logFormat, oneOf(formatText, formatJSON)))

	f.group = "Other"
	f.toggle("version", "false", "print the version", set(&o.version, boolean))
	f.toggle("license", "false", "print the license, and those of everything compiled in", set(&o.license, boolean))
	help := f.add("help", "h", "bool", "false", "print the help with the common flags", func(s string) error { _, err := boolean(s); return err })
	help.NoOptDefVal = "true" // cobra handles it
	f.toggle("help-all", "false", "print the help with all flags", set(&o.helpAll, boolean))
}
