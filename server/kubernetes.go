package server

import (
	"net/url"
	"strings"

	"wspipe/bridge/channel"
)

// lacksStdin reports whether a client of a Kubernetes protocol has no input, as for kubectl
// exec without -i. Its query parameters list the streams; kubectl omits those that are false
// (PodExecOptions).
func lacksStdin(query, protocol string) bool {
	if protocol != channel.ProtocolV5 && protocol != channel.ProtocolV4 {
		return false
	}
	streams, _ := url.ParseQuery(query) // without malformed parameters
	if values := streams["stdin"]; len(values) > 0 {
		return values[0] == "0" || strings.EqualFold(values[0], "false")
	}
	return streams.Has("stdout") || streams.Has("stderr")
}
