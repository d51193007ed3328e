package cmd

import (
	"strings"

	"wspipe/bridge/framing"
)

// addEndpointFlags defines the flags of one endpoint, in the order of the help.
func (o *endpointOptions) addEndpointFlags(f *flagSet) {
	f.ofEndpoint = true
	o.addParams(f)
	o.addMessages(f)
	o.addTerminals(f)
	o.addSharing(f)
	o.addResume(f)
	o.addLife(f)
	o.addEnvironment(f)
	f.ofEndpoint = false
}

func (o *endpointOptions) addMessages(f *flagSet) {
	f.group = "Messages"
	f.nilValue("framing", "NAME", framing.Lines.String(), "message format: "+strings.Join(framing.Names(), ", "), optional(&o.framing, parseFraming))
	f.nilToggle("binary", "false", "same as --framing=bytes", optional(&o.binary, boolean))
	f.nilToggle("passstderr", "false", "same as --framing=json: also send stderr to the client", optional(&o.passStderr, boolean))
	f.value("maxframesize", "SIZE", "1MiB", "largest message accepted, such as 64KiB; 0 for no limit", set(&o.maxFrameSize, size))
	f.value("subprotocol", "NAME,..", "", "subprotocols to offer, in order of preference, repeatable", list(&o.subprotocols, token))
	f.toggle("compress", "false", "compress messages if the client supports it (costs memory)", set(&o.compress, boolean))
	f.toggle("http", "false", "also serve plain HTTP requests, such as those of curl and EventSource", set(&o.http, boolean))
	f.value("pingms", "MS", "30000", "ping interval, which detects dead clients; 0 for no pings", set(&o.ping, milliseconds))
}

func (o *endpointOptions) addTerminals(f *flagSet) {
	f.group = "Terminals"
	f.toggle("pty", "false", "run COMMAND in a terminal", set(&o.pty, boolean))
	f.toggle("line-buffered", "false", "make COMMAND write each line at once, as it does to a terminal", set(&o.lineBuffered, boolean))
	f.value("size", "COLSxROWS", "", "terminal size unless the client sets it; 80x24 by default with --pty", set(&o.size, windowSize))
}

func (o *endpointOptions) addLife(f *flagSet) {
	f.group = "Lifetime"
	f.value("max-runtime", "DUR", "", "end a session after this long, such as 30s or 5m", set(&o.maxRuntime, duration))
	f.value("idle-timeout", "DUR", "", "end a session after this long without a message in either direction", set(&o.idleTimeout, duration))
	f.value("closems", "MS", "0", "extra wait before each signal to a child; -1 waits forever", set(&o.closeGrace, grace))
	f.toggle("exit-close-code", "false", "close with code 4000 + status instead of 1000 if the child fails", set(&o.exitCloseCode, boolean))
}

func (o *endpointOptions) addEnvironment(f *flagSet) {
	f.group = "Environment"
	f.nilValue("passenv", "NAME,..", strings.Join(defaultPassEnv, ","), "environment variables passed to COMMAND", envNames(&o.passEnv))
	f.value("setenv", "NAME=VALUE", "", "environment variable to set for COMMAND, repeatable", each(&o.setEnv, assignment))
	f.toggle("reverselookup", "false", "look up the client's host name for REMOTE_HOST", set(&o.reverseLookup, boolean))
	f.value("cwd", "DIR", "", "working directory of COMMAND", set(&o.cwd, nonEmpty))
	f.value("user", "NAME[:GROUP]", "", "user to run COMMAND as (requires root)", set(&o.user, nonEmpty))
}
