package cmd

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"wspipe/bridge"
	"wspipe/bridge/framing"
	"wspipe/server"
)

func (o *endpointOptions) addSharing(f *flagSet) {
	f.group = "Sharing"
	f.value("share", "NAME", "", "run one COMMAND for all clients: broadcast, or mux to address each client", set(&o.share, share))
	f.value("share-by", "RULE", "program", "run one COMMAND for each program, path or query:NAME", set(&o.shareBy, shareBy))
	f.value("replay", "N", "0", "number of recent messages that a new client receives first", set(&o.replay, integer(0, math.MaxInt)))
	f.value("linger", "DUR", "0", "how long COMMAND keeps running without clients; -1 for forever", set(&o.linger, linger))
	f.value("slow", "NAME", "disconnect", "if a client is 1 MiB behind: disconnect, drop or block", set(&o.slow, slowPolicy))
	f.toggle("readonly", "false", "discard input from clients", set(&o.readOnly, boolean))
}

// sharingConflicts joins the errors of sharing flags that cannot be combined.
func (o *endpointOptions) sharingConflicts() error {
	shared := o.share != server.ShareNone
	if only := o.sharedOnlyFlag(); !shared && only != "" {
		return hint(fmt.Errorf("%s requires --share", only), "add --share=broadcast")
	}
	if wrong := o.muxConflict(); o.share == server.ShareMux && wrong != "" {
		return hint(fmt.Errorf("--share=mux and %s cannot be combined", wrong), "--share=mux has its own format, lines of JSON that name the recipients",
			"to send the same output to all clients: --share=broadcast")
	}
	if shared && (o.maxFrameSize == 0 || o.maxFrameSize > framing.MaxHeld) {
		return hint(errors.New("--share buffers whole messages, so --maxframesize must be below 4GiB and not 0"),
			"--maxframesize=64MiB")
	}
	return nil
}

// sharedOnlyFlag returns the first flag that requires --share, or "". A flag that is set to its
// default does not count.
func (o *endpointOptions) sharedOnlyFlag() string {
	switch {
	case o.shareBy != (server.ShareBy{}):
		return "--share-by"
	case o.replay != 0:
		return "--replay"
	case o.linger != 0:
		return "--linger"
	case o.slow != bridge.SlowDisconnect:
		return "--slow"
	case o.readOnly:
		return "--readonly"
	}
	return ""
}

// muxConflict returns the first flag that cannot be combined with --share=mux, or "".
func (o *endpointOptions) muxConflict() string {
	isOn := func(flag *bool) bool { return flag != nil && *flag }
	switch {
	case o.pty:
		return "--pty"
	case isOn(o.binary):
		return "--binary"
	case isOn(o.passStderr):
		return "--passstderr"
	case o.framing != nil && *o.framing != framing.Lines:
		return "--framing=" + o.framing.String()
	case o.replay != 0:
		return "--replay"
	case o.readOnly:
		return "--readonly"
	}
	return ""
}

// linger parses a duration, or -1 for forever.
func linger(s string) (time.Duration, error) {
	if s == "-1" {
		return -1, nil
	}
	d, err := duration(s)
	if err != nil {
		return 0, errors.New("must be a duration, such as 30s or 5m, or -1 for forever")
	}
	return d, nil
}

// shareNames and slowNames are the values of --share and --slow.
var (
	shareNames = []string{"broadcast", "mux"}            // in the order of server.Share, after ShareNone
	slowNames  = []string{"disconnect", "drop", "block"} // in the order of bridge.SlowPolicy
)

func share(s string) (server.Share, error) {
	i := slices.Index(shareNames, s)
	if i < 0 {
		return server.ShareNone, notOneOf(shareNames)
	}
	return server.ShareBroadcast + server.Share(i), nil
}

// shareBy parses program, path or query:NAME.
func shareBy(s string) (by server.ShareBy, err error) {
	name, isQuery := strings.CutPrefix(s, "query:")
	switch {
	case s == "program":
	case s == "path":
		by.Path = true
	case isQuery && name != "":
		if name == "access_token" || strings.HasPrefix(name, "wspipe_") {
			return by, fmt.Errorf("the query parameter %s is used by wspipe itself", name)
		}
		by.Query = name
	default:
		return by, errors.New("must be program, path or query:NAME")
	}
	return by, nil
}

func slowPolicy(s string) (bridge.SlowPolicy, error) {
	i := slices.Index(slowNames, s)
	if i < 0 {
		return 0, notOneOf(slowNames)
	}
	return bridge.SlowPolicy(i), nil
}
