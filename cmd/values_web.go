package cmd

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"wspipe/server"
	"wspipe/server/access"
)

// The functions in this file parse hosts, origins, proxies and HTTP headers.

// namePattern matches a host in a URL that is not an IPv6 address.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_.])?$`)

// hostName accepts a host name or an IP address, and removes the brackets of an IPv6 address.
func hostName(s string) (name string, ok bool) {
	inner, bracketed := strings.CutPrefix(s, "[")
	if bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return inner, bracketed && err == nil && addr.Is6()
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s, true
	}
	return s, namePattern.MatchString(s)
}

// address parses an address to listen on.
func address(s string) (string, error) {
	name, ok := hostName(s)
	switch {
	case ok:
		return name, nil
	case s == "" || s == "*":
		return "", errors.New("must be an address; for all addresses: --address=0.0.0.0 --address=[::]")
	case hasPort(s):
		return "", errors.New("must not have a port; use --port")
	}
	return "", errors.New("must be a host name or an IP address")
}

// socketPath accepts the path of a unix socket.
func socketPath(s string) (string, error) {
	if strings.HasPrefix(s, "@") {
		return "", errors.New("abstract sockets have no permissions, so every local user could connect; for a file: ./" + s)
	}
	return nonEmpty(s)
}

// healthPath parses a path as it is in the first line of a request.
func healthPath(s string) (string, error) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return "", errors.New("must be a path that begins with /, such as /healthz")
	case strings.ContainsAny(s, "?# ") || hasControl(s) || strings.Contains(s, "\t"):
		return "", errors.New("must be a path without a query, fragment, blank or control character, such as /healthz")
	}
	return s, nil
}

// host parses a host name of this server.
func host(s string) (string, error) {
	name, ok := hostName(s)
	switch {
	case ok:
		return name, nil
	case hasPort(s):
		return "", fmt.Errorf("%q must not have a port; a host name covers every port", s)
	case strings.Contains(s, "://"):
		return "", fmt.Errorf("%q is a URL, not a host name", s)
	}
	return "", fmt.Errorf("%q is not a host name", s)
}

var schemePattern = regexp.MustCompile(`^[A-Za-z][-+.A-Za-z0-9]*$`)

// origin accepts [scheme://]host[:port], "null" and "*".
func origin(s string) (string, error) {
	if s == "*" || s == "null" {
		return s, nil
	}
	scheme, rest, hasScheme := strings.Cut(s, "://")
	if !hasScheme {
		rest = s
	} else if !schemePattern.MatchString(scheme) {
		return "", fmt.Errorf("%q has an invalid scheme", s)
	}
	if at, path, ok := strings.Cut(rest, "/"); ok && at != "" {
		return "", fmt.Errorf("%q must not have a path; remove /%s", s, path)
	}
	name := rest
	if hasPort(rest) {
		name = rest[:strings.LastIndexByte(rest, ':')]
	}
	if _, ok := hostName(name); !ok || strings.Contains(name, ":") && name[0] != '[' {
		return "", fmt.Errorf("%q must be [scheme://]host[:port], null or *", s)
	}
	return s, nil
}

// hasPort reports whether s is a host with a port; an IPv6 host must be in brackets.
func hasPort(s string) bool {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return false
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	_, ok := hostName(s[:i])
	return ok && err == nil && n > 0 && (s[0] == '[' || !strings.Contains(s[:i], ":"))
}

// proxy accepts an address, a network, or "unix" for connections to a unix socket.
func proxy(s string) (string, error) {
	if _, err := parseProxy(s); err != nil && s != unixProxy {
		return "", fmt.Errorf("%q must be an IP address, a network such as 10.0.0.0/8, or %s", s, unixProxy)
	}
	return s, nil
}

const unixProxy = "unix"

func parseProxy(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(s)
	return network.Masked(), err
}

// trustedProxies converts the values of --trusted-proxy.
func trustedProxies(list []string) (t access.TrustedProxies) {
	for _, s := range list {
		if network, err := parseProxy(s); err == nil {
			t.Networks = append(t.Networks, network)
		} else {
			t.Unix = true
		}
	}
	return t
}

// protocolHeaders are set by HTTP or WebSocket itself.
var protocolHeaders = []string{"connection", "content-length", "keep-alive", "sec-websocket-accept", "sec-websocket-extensions",
	"sec-websocket-key", "sec-websocket-protocol", "sec-websocket-version", "te", "trailer", "transfer-encoding", "upgrade"}

// header parses a header field, "Name: value".
func header(s string) (server.Header, error) {
	name, value, ok := strings.Cut(s, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case !ok:
		return server.Header{}, errors.New("must be 'Name: value'")
	case !tokenPattern.MatchString(name):
		return server.Header{}, errors.New("invalid header name; want 'Name: value'")
	case hasControl(value):
		return server.Header{}, errors.New("the value must be one line without control characters")
	case slices.Contains(protocolHeaders, strings.ToLower(name)):
		return server.Header{}, fmt.Errorf("%s is set by the protocol", name)
	}
	return server.Header{Name: name, Value: value}, nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// credentials accepts USER:PASS. Its errors do not contain the value.
func credentials(s string) (string, error) {
	user, password, ok := strings.Cut(s, ":")
	switch {
	case !ok:
		return "", errors.New("must be USER:PASS")
	case user == "" || password == "":
		return "", errors.New("USER and PASS must not be empty")
	case hasControl(s) || strings.Contains(s, "\t"):
		return "", errors.New("must not contain control characters")
	}
	return s, nil
}
