package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
)

// originRule decides which web pages may open a WebSocket. Without it any page
// in the user's browser could run the child.
type originRule struct {
	allowed []origin // of --origin
	any     bool     // --origin='*'
	null    bool     // --origin=null
	trusted []string // host names under which pages may reach us
}

// origin is [scheme://]host[:port]; an empty part matches any.
type origin struct{ scheme, host, port string }

// newOriginRule fails if an entry of origins is malformed.
func newOriginRule(origins, hosts []string) (*originRule, error) {
	r := &originRule{}
	for _, s := range origins {
		switch s {
		case "*":
			r.any = true
		case "null":
			r.null = true
		default:
			o, err := parseOrigin(s)
			if err != nil {
				return nil, err
			}
			r.allowed = append(r.allowed, o)
		}
	}
	for _, h := range hosts {
		r.trusted = append(r.trusted, normalHost(h))
	}
	if name, err := os.Hostname(); err == nil {
		short, _, _ := strings.Cut(name, ".")
		r.trusted = append(r.trusted, normalHost(name), normalHost(short), normalHost(short+".local"))
	}
	return r, nil
}

// parseOrigin parses [scheme://]host[:port].
func parseOrigin(s string) (origin, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	}
	u, err := url.Parse("//" + rest)
	if err != nil || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "" || ok && scheme == "" {
		return origin{}, fmt.Errorf("origin %q: want [scheme://]host[:port], null or *", s)
	}
	return origin{scheme: strings.ToLower(scheme), host: normalHost(u.Hostname()), port: u.Port()}, nil
}

// normalHost makes host names comparable.
func normalHost(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// refuse returns why r may not connect, and the flag that would allow it; both
// are empty if it may. A request without Origin comes from no browser.
func (rule *originRule) refuse(r *http.Request) (why, flag string) {
	values := r.Header.Values("Origin")
	switch {
	case rule.any || len(values) == 0:
		return "", ""
	case len(values) > 1:
		return "the request has several Origin headers", "--origin='*'"
	case values[0] == "null":
		if rule.null {
			return "", ""
		}
		return "the page has no origin (a file, or a sandboxed frame)", "--origin=null"
	}
	from, err := parseOrigin(values[0])
	if err != nil || from.scheme == "" {
		return fmt.Sprintf("the Origin %q is malformed", values[0]), "--origin='*'"
	}
	return rule.refuseOrigin(from, hostOf(r), values[0])
}

func (rule *originRule) refuseOrigin(from, to origin, header string) (why, flag string) {
	if from.port == "" {
		from.port = defaultPort(from.scheme)
	}
	if slices.ContainsFunc(rule.allowed, from.matches) || isLoopback(from.host) && isLoopback(to.host) {
		return "", ""
	}
	if from.host != to.host || from.port != to.port {
		return fmt.Sprintf("the page's origin %q is another host or port than %q", header, to.host+":"+to.port), "--origin=" + header
	}
	if !rule.trusts(to.host) {
		return fmt.Sprintf("the host name %q is not known to be ours", to.host), "--host=" + to.host
	}
	return "", ""
}

// matches reports whether o, a page's origin, is what --origin lists.
func (o origin) matches(listed origin) bool {
	return (listed.scheme == "" || listed.scheme == o.scheme) && listed.host == o.host &&
		(listed.port == "" || listed.port == o.port)
}

// trusts reports whether host is surely a name for this server. Any other name
// may be made to resolve to us by whoever owns it (DNS rebinding).
func (rule *originRule) trusts(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || isLoopback(host) || slices.Contains(rule.trusted, host)
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// hostOf returns what the client calls us.
func hostOf(r *http.Request) origin {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]"), defaultPort(scheme)
	}
	return origin{scheme: scheme, host: normalHost(host), port: port}
}

func defaultPort(scheme string) string {
	if scheme == "https" || scheme == "wss" {
		return "443"
	}
	return "80"
}
