package cmd

import (
	"math"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"wspipe/bridge/framing"
	"wspipe/server"
)

// addFlags defines the flags that set o, in the order that help lists them.
func (o *options) addFlags(to *pflag.FlagSet) {
	to.SortFlags = false
	to.SetInterspersed(false)
	f := &flagSet{to: to, errs: &o.errs}
	o.addListening(f)
	o.addServing(f)
	o.addMessages(f)
	o.addTerminals(f)
	o.addSharing(f)
	o.addResume(f)
	o.addLife(f)
	o.addAccess(f)
	o.addEnvironment(f)
	o.addRest(f)
}

func (o *options) addListening(f *flagSet) {
	f.group = "Listening"
	f.nilValue("port", "N", strconv.Itoa(defaultPort), "TCP port, 8443 with --ssl; 0 picks a free one and prints it", optional(&o.port, integer(0, 65535)))
	f.value("address", "ADDR", "", "address or name to listen on, repeatable; loopback only if not given", list(&o.addresses, address))
	f.value("unixsocket", "PATH", "", "listen on a socket file, and on TCP only at each --address", set(&o.unixSocket, socketPath))
	f.nilValue("unixsocket-mode", "MODE", "", "permissions of the socket file in octal; 0600 if not given", optional(&o.socketMode, socketMode))
	f.toggle("ssl", "false", "speak TLS; needs --sslcert and --sslkey", set(&o.ssl, boolean))
	f.value("sslcert", "FILE", "", "certificate, with its chain, in PEM", set(&o.sslCert, nonEmpty))
	f.value("sslkey", "FILE", "", "private key in PEM", set(&o.sslKey, nonEmpty))
	f.value("sslca", "FILE", "", "let in only clients with a certificate from these roots, in PEM", set(&o.sslCA, nonEmpty))
	f.value("redirport", "N", "", "port that redirects to --port, such as 80 to 443", set(&o.redirPort, integer(1, 65535)))
}

func (o *options) addServing(f *flagSet) {
	f.group = "What to serve"
	f.value("dir", "DIR", "", "serve each executable file in DIR as an endpoint, instead of COMMAND", set(&o.dir, nonEmpty))
	f.value("staticdir", "DIR", "", "serve the files in DIR to plain requests", set(&o.staticDir, nonEmpty))
	f.value("cgidir", "DIR", "", "serve the CGI programs in DIR to plain requests", set(&o.cgiDir, nonEmpty))
	f.toggle("devconsole", "false", "serve a page to talk to COMMAND from a browser", set(&o.devConsole, boolean))
	f.value("header", "LINE", "", "'Name: value' as a header of every answer, repeatable", each(&o.headers, header))
	f.value("header-ws", "LINE", "", "'Name: value' as a header of answers that open a WebSocket, repeatable", each(&o.headersWS, header))
	f.value("header-http", "LINE", "", "'Name: value' as a header of all other answers, repeatable", each(&o.headersHTTP, header))
}

func (o *options) addMessages(f *flagSet) {
	f.group = "Messages"
	f.nilValue("framing", "NAME", framing.Lines.String(), "what a message is: "+strings.Join(framing.Names(), ", "), optional(&o.framing, parseFraming))
	f.nilToggle("binary", "false", "the same as --framing=bytes", optional(&o.binary, boolean))
	f.nilToggle("passstderr", "false", "the same as --framing=json: stderr goes to the client, too", optional(&o.passStderr, boolean))
	f.value("maxframesize", "SIZE", "1MiB", "longest message taken, in bytes or KiB, MiB, GiB; 0 for any", set(&o.maxFrameSize, size))
	f.value("subprotocol", "NAME,..", "", "subprotocols to offer, best first, repeatable", list(&o.subprotocols, token))
	f.toggle("compress", "false", "compress messages if the client can (costs memory)", set(&o.compress, boolean))
	f.value("pingms", "MS", "30000", "time between pings, which find dead clients; 0 for no pings", set(&o.ping, milliseconds))
}

func (o *options) addTerminals(f *flagSet) {
	f.group = "Terminals"
	f.toggle("pty", "false", "run COMMAND in a terminal of its own", set(&o.pty, boolean))
	f.toggle("line-buffered", "false", "make COMMAND send each line at once, as it would to a terminal", set(&o.lineBuffered, boolean))
	f.value("size", "COLSxROWS", "", "size of the terminal, 80x24 with --pty if neither this nor the client says", set(&o.size, windowSize))
}

func (o *options) addLife(f *flagSet) {
	f.group = "Life of a child"
	f.value("maxforks", "N", "1024", "most children at once; 0 for any number", set(&o.maxForks, integer(math.MinInt, math.MaxInt)))
	f.value("max-runtime", "DUR", "", "end a session after so long, such as 30s or 5m", set(&o.maxRuntime, duration))
	f.value("idle-timeout", "DUR", "", "end a session after so long without a message either way", set(&o.idleTimeout, duration))
	f.value("closems", "MS", "", "wait so much longer before each signal that stops a child; -1: for ever", set(&o.closeGrace, grace))
	f.toggle("exit-close-code", "false", "close with code 4000 + status, not 1000, if the child failed", set(&o.exitCloseCode, boolean))
	f.toggle("once", "false", "serve one connection, then exit with its child's status", set(&o.once, boolean))
	f.value("exit-when-idle", "DUR", "", "exit when no client has been connected for so long", set(&o.exitWhenIdle, duration))
}

func (o *options) addAccess(f *flagSet) {
	f.group = "Who may come in"
	f.value("origin", "ORIGIN,..", "", "also let in web pages from [scheme://]host[:port], null or *; repeatable", list(&o.origins, origin))
	f.toggle("sameorigin", "true", "let in every web page, as --origin='*'; no effect beside --origin", set(&o.sameOrigin, boolean))
	f.value("host", "NAME,..", "", "names pages may use for this server beside the machine's own, repeatable", list(&o.hosts, host))
	f.value("basic-auth", "USER:PASS", "", "ask for a password; "+server.BasicAuthVariable+" sets it out of sight of ps", set(&o.basicAuth, credentials))
	f.value("htpasswd", "FILE", "", "ask for a password of this file, with bcrypt hashes (htpasswd -B)", set(&o.htpasswd, nonEmpty))
	f.value("token-file", "FILE", "", "ask for a bearer token, one a line in this file", set(&o.tokenFile, nonEmpty))
	f.value("auth-header", "NAME", "", "let in whom a trusted proxy names in this request header", set(&o.authHeader, token))
	f.value("trusted-proxy", "CIDR", "", "proxies whose X-Forwarded-For, -Proto are believed, or unix; repeatable", list(&o.proxies, proxy))
	f.toggle("no-auth", "false", "let everybody who can reach a terminal use it (--pty)", set(&o.noAuth, boolean))
	f.value("max-per-ip", "N", "0", "most children, or clients of a shared one, per address; 0: any", set(&o.maxPerIP, integer(0, math.MaxInt)))
}

func (o *options) addEnvironment(f *flagSet) {
	f.group = "Environment"
	f.nilValue("passenv", "NAME,..", strings.Join(defaultPassEnv, ","), "variables passed on to COMMAND", envNames(&o.passEnv))
	f.value("setenv", "NAME=VALUE", "", "variable to set for COMMAND, repeatable", each(&o.setEnv, assignment))
	f.toggle("reverselookup", "false", "look up the client's name for REMOTE_HOST", set(&o.reverseLookup, boolean))
	f.value("cwd", "DIR", "", "directory to run COMMAND in", set(&o.cwd, nonEmpty))
	f.value("user", "NAME[:GROUP]", "", "user to run COMMAND as (needs root)", set(&o.user, nonEmpty))
}

func (o *options) addRest(f *flagSet) {
	f.group = "Log"
	f.value("loglevel", "LEVEL", "access", strings.Join(levelNames(), ", "), set(&o.logLevel, parseLevel))
	f.value("log-format", "NAME", "text", "text or json", set(&o.logFormat, oneOf(formatText, formatJSON)))

	f.group = "Other"
	f.toggle("version", "false", "print the version", set(&o.version, boolean))
	f.toggle("license", "false", "print the license", set(&o.license, boolean))
	help := f.add("help", "h", "bool", "false", "print this help", func(s string) error { _, err := boolean(s); return err })
	help.NoOptDefVal = "true" // cobra acts on it
}
