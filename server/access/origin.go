package access

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

// originRule decides which web pages may reach the server, and under which names. Without it
// any page in the user's browser could run the child.
type originRule struct {
	allowed []origin // of --origin
	any     bool     // --origin='*'
	null    bool     // --origin=null
	trusted []string // host names of this server
}

// origin is [scheme://]host[:port]; an empty part matches any.
type origin struct{ scheme, host, port string }

// newOriginRule returns the rule for Rules.Origins and Rules.Hosts. It returns an error if an
// origin is malformed.
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

// normalHost returns s in lower case and without a final dot.
func normalHost(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// refuse returns why r, whose Host is to, is refused, and the flag that would allow it. Both
// are empty if r is admitted.
func (rule *originRule) refuse(r *http.Request, purpose Purpose, to origin) (why, flag string) {
	if values := r.Header.Values("Origin"); rule.any || len(values) == 1 && rule.allows(values[0]) {
		return "", ""
	}
	why, flag = rule.refuseHost(r, purpose, to)
	// Browsers do not let a page read resources of another origin, so a safe request for a
	// file is harmless. A WebSocket is not: a page could find out which endpoints exist.
	if !purpose.Program && !purpose.WebSocket && IsSafe(r.Method) {
		return why, flag
	}
	foreign, allow := refuseOrigin(r, to)
	if foreign == "" && !purpose.WebSocket { // a WebSocket without Origin is not a browser's
		foreign, allow = rule.refuseReferer(r, to)
	}
	switch {
	case foreign == "":
		return why, flag
	case why == "":
		return foreign, allow
	default: // the flag for the origin allows both
		return why + ", and " + foreign, allow
	}
}

// refuseHost refuses a Host that is not a name of this server. The owner of any other name
// can make it resolve to this server (DNS rebinding), and a browser then considers their page
// to be of the same origin.
func (rule *originRule) refuseHost(r *http.Request, purpose Purpose, to origin) (why, flag string) {
	noOrigin := len(r.Header.Values("Origin")) == 0
	switch {
	case to.host == "" || noOrigin && purpose.WebSocket: // not from a browser
		return "", ""
	case noOrigin && slices.ContainsFunc(rule.allowed, func(o origin) bool { return o.host == to.host }):
		return "", ""
	case rule.trusts(to.host):
		return "", ""
	}
	return fmt.Sprintf("the host name %q is not a name of this server", to.host), "--host=" + to.host
}

// IsSafe reports whether method only reads (RFC 9110, section 9.2.1).
func IsSafe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// allows reports whether --origin lists the value of an Origin header.
func (rule *originRule) allows(header string) bool {
	if header == "null" {
		return rule.null
	}
	from, err := parseOrigin(header)
	return err == nil && from.scheme != "" && slices.ContainsFunc(rule.allowed, from.withPort().matches)
}

// refuseOrigin refuses a request from a page of another origin.
func refuseOrigin(r *http.Request, to origin) (why, flag string) {
	values := r.Header.Values("Origin")
	switch {
	case len(values) == 0:
		return refuseSite(r, to)
	case len(values) > 1:
		return "the request has more than one Origin header", "--origin='*'"
	case values[0] == "null":
		return "the page has no origin (it is a file or a sandboxed frame)", "--origin=null"
	}
	from, err := parseOrigin(values[0])
	if err != nil || from.scheme == "" {
		return fmt.Sprintf("malformed Origin header %q", values[0]), "--origin='*'"
	}
	from = from.withPort()
	if from.host == to.host && from.port == to.port || isLoopback(from.host) && isLoopback(to.host) {
		return "", ""
	}
	return fmt.Sprintf("the page's origin %q does not match %q", values[0], to.host+":"+to.port), "--origin=" + values[0]
}

// refuseSite refuses a request without Origin by Sec-Fetch-Site, which browsers send instead:
// a page must not run a program by using its URL as an image. A link that the user follows is
// allowed.
func refuseSite(r *http.Request, to origin) (why, flag string) {
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site != "same-origin" && strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch"):
		// Chromium sends "none" for a request that a page has it prefetch.
		return "the browser prefetched this address; nobody has followed a link", "--origin='*'"
	case site != "cross-site" && site != "same-site", site == "same-site" && isLoopback(to.host):
		return "", ""
	case IsSafe(r.Method) && r.Header.Get("Sec-Fetch-Dest") == "document":
		return "", ""
	}
	return "the request comes from a page on another site", "--origin='*'"
}

// refuseReferer refuses a request by its Referer if browsers send neither Origin nor
// Sec-Fetch-Site with a link or an image: over plain HTTP to a name that is not loopback. A
// page can omit its Referer but not forge it.
func (rule *originRule) refuseReferer(r *http.Request, to origin) (why, flag string) {
	if to.scheme != "http" || isLoopback(to.host) || !isBrowser(r) || r.Header.Get("Sec-Fetch-Site") != "" || len(r.Header.Values("Origin")) > 0 {
		return "", ""
	}
	page, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || page.Host == "" {
		return "the browser sent neither Origin nor Referer over plain HTTP, so the page that made the request is unknown", "--origin='*'"
	}
	header := page.Scheme + "://" + page.Host
	if from, err := parseOrigin(header); err == nil && from.withPort() == to || rule.allows(header) {
		return "", ""
	}
	return fmt.Sprintf("the request comes from a page on %q", header), "--origin=" + header
}

// isBrowser reports whether r looks like a request of a browser. JavaScript runtimes send
// "Accept-Language: *".
func isBrowser(r *http.Request) bool {
	language := r.Header.Get("Accept-Language")
	return strings.HasPrefix(r.UserAgent(), "Mozilla/") || language != "" && language != "*"
}

// withPort returns o with the default port of its scheme if it has no port.
func (o origin) withPort() origin {
	if o.port == "" {
		o.port = DefaultPort(o.scheme)
	}
	return o
}

// matches reports whether o, the origin of a page, matches an entry of --origin.
func (o origin) matches(listed origin) bool {
	return (listed.scheme == "" || listed.scheme == o.scheme) && listed.host == o.host &&
		(listed.port == "" || listed.port == o.port)
}

// trusts reports whether host is certainly a name of this server.
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

// hostOf returns the Host of r with its scheme and port.
func hostOf(r *http.Request, scheme string) origin {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]")
	}
	return origin{scheme: scheme, host: normalHost(host), port: port}.withPort()
}

// DefaultPort returns the default port of a scheme, 443 or 80.
func DefaultPort(scheme string) string {
	if scheme == "https" || scheme == "wss" {
		return "443"
	}
	return "80"
}

// ServerName returns the host and port of the Host header of r.
func ServerName(r *http.Request, c *Client) (host, port string) {
	to := hostOf(r, c.scheme())
	return to.host, to.port
}
