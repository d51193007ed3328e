package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"wspipe/server/access"
)

// redirector redirects the requests on a port of --redirport to the server's port.
type redirector struct {
	server *Server
	port   int // the port to redirect to
}

// ServeHTTP implements http.Handler.
func (d *redirector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := d.server.newResponseWriter(w, r)
	defer a.conn.end()
	d.answer(a, r)
	d.server.logRequest(r, route{}, d.server.policy.ClientOf(r), a.status, nil)
}

func (d *redirector) answer(w http.ResponseWriter, r *http.Request) {
	host, ok := cutPort(r.Host)
	if !ok {
		http.Error(w, fmt.Sprintf("wspipe: cannot redirect: malformed Host header %q; want host[:port]", r.Host), http.StatusBadRequest)
		return
	}
	target := d.base(host) + d.withoutSecret(pathAndQuery(r.RequestURI))
	status := http.StatusPermanentRedirect // keeps the method
	if access.IsSafe(r.Method) {
		status = http.StatusMovedPermanently
	}
	// Not http.Redirect, because that changes some URLs.
	w.Header()["Location"] = []string{target}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprintf(w, "wspipe: moved to %s\n", target)
}

// base returns the scheme and the authority of the target.
func (d *redirector) base(host string) string {
	scheme := "http"
	if d.server.cfg.TLS != nil {
		scheme = "https"
	}
	if port := strconv.Itoa(d.port); port != access.DefaultPort(scheme) {
		host += ":" + port
	}
	return scheme + "://" + host
}

// hostPattern matches host[:port], with an IPv6 address in brackets.
var hostPattern = regexp.MustCompile(`^([A-Za-z0-9_][-._A-Za-z0-9]*|\[[0-9A-Fa-f:.]+\])(?::([0-9]*))?$`)

// cutPort returns the host of host[:port], an IPv6 address with its brackets. It is not ok if s
// is malformed.
func cutPort(s string) (host string, ok bool) {
	match := hostPattern.FindStringSubmatch(s)
	if match == nil {
		return "", false
	}
	host, port := match[1], match[2]
	if inner, isIPv6 := strings.CutPrefix(host, "["); isIPv6 {
		if ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err != nil || !ip.Is6() {
			return "", false
		}
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return host, port == "" || err == nil
}

// pathAndQuery returns the path and query of a request target (RFC 9112, section 3.2) unchanged,
// or "/" if it has none, such as *.
func pathAndQuery(target string) string {
	if strings.HasPrefix(target, "/") {
		return target
	}
	_, rest, _ := strings.Cut(target, "://") // the absolute form, as sent to proxies
	start := strings.IndexAny(rest, "/?")
	switch {
	case start < 0:
		return "/"
	case rest[start] == '?':
		return "/" + rest[start:]
	}
	return rest[start:]
}

// withoutSecret removes a token from the query. It was sent without encryption and must not be
// repeated in Location.
func (d *redirector) withoutSecret(target string) string {
	if d.server.cfg.Auth.TokenFile == "" {
		return target
	}
	return access.WithoutToken(target)
}
