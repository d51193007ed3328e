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

// originRule decides which web pages may reach us, and under which names.
// Without it any page in the user's browser could run the child.
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

// refuse returns why r, which calls us to, may not come in, and the flag that
// would allow it; both are empty if it may.
func (rule *originRule) refuse(r *http.Request, purpose Purpose, to origin) (why, flag string) {
	if values := r.Header.Values("Origin"); rule.any || len(values) == 1 && rule.allows(values[0]) {
		return "", ""
	}
	why, flag = rule.refuseHost(r, purpose, to)
	// What a page of another origin could merely load, browsers keep from it. Of a
	// WebSocket that is not there it is not told either: it could ask for them all.
	if !purpose.Program && !purpose.WebSocket && IsSafe(r.Method) {
		return why, flag
	}
	foreign, allow := refuseOrigin(r, to)
	if foreign == "" && !purpose.WebSocket { // a WebSocket without Origin is no page's
		foreign, allow = rule.refuseReferer(r, to)
	}
	switch {
	case foreign == "":
		return why, flag
	case why == "":
		return foreign, allow
	default: // the origin's flag allows both
		return why + ", and " + foreign, allow
	}
}

// refuseHost returns why the name that the client uses for us is not ours. Any
// other may be made to resolve to us by whoever owns it (DNS rebinding), and to
// the browser their page is then of our origin.
func (rule *originRule) refuseHost(r *http.Request, purpose Purpose, to origin) (why, flag string) {
	noOrigin := len(r.Header.Values("Origin")) == 0
	switch {
	case to.host == "" || noOrigin && purpose.WebSocket: // from no browser
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

// refuseOrigin returns why the page that r comes from is none of ours.
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

// refuseSite judges a request without Origin by Sec-Fetch-Site, which browsers
// add where they leave Origin out: a page may not run a program by naming it as
// an image. Following a link is the user's will.
func refuseSite(r *http.Request, to origin) (why, flag string) {
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site != "same-origin" && strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch"):
		// Chromium says "none" for what a page has it load in advance.
		return "the browser prefetched this address; nobody has followed a link", "--origin='*'"
	case site != "cross-site" && site != "same-site", site == "same-site" && isLoopback(to.host):
		return "", ""
	case IsSafe(r.Method) && r.Header.Get("Sec-Fetch-Dest") == "document":
		return "", ""
	}
	return "the request comes from a page on another site", "--origin='*'"
}

// refuseReferer judges a request by its Referer where browsers send nothing better
// with a link or an image: over plain HTTP to a name that is not loopback. A page
// can leave its Referer out, but not forge it.
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

// isBrowser reports whether r looks like a browser's request. What scripts send by
// themselves does not: JavaScript runtimes add "Accept-Language: *".
func isBrowser(r *http.Request) bool {
	language := r.Header.Get("Accept-Language")
	return strings.HasPrefix(r.UserAgent(), "Mozilla/") || language != "" && language != "*"
}

// withPort returns o with the port that its scheme implies.
func (o origin) withPort() origin {
	if o.port == "" {
		o.port = DefaultPort(o.scheme)
	}
	return o
}

// matches reports whether o, a page's origin, is what --origin lists.
func (o origin) matches(listed origin) bool {
	return (listed.scheme == "" || listed.scheme == o.scheme) && listed.host == o.host &&
		(listed.port == "" || listed.port == o.port)
}

// trusts reports whether host is surely a name for this server.
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

// hostOf returns what the client, which uses scheme, calls us.
func hostOf(r *http.Request, scheme string) origin {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]")
	}
	return origin{scheme: scheme, host: normalHost(host), port: port}.withPort()
}

// DefaultPort returns the port that scheme implies.
func DefaultPort(scheme string) string {
	if scheme == "https" || scheme == "wss" {
		return "443"
	}
	return "80"
}

// ServerName returns the host and the port by which c addresses us in r.
func ServerName(r *http.Request, c *Client) (host, port string) {
	to := hostOf(r, c.scheme())
	return to.host, to.port
}
