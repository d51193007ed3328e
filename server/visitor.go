package server

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// visitor is who sends a request, as far as it is believed.
type visitor struct {
	// addr and port are where the request comes from: the connection's other
	// end, or what a trusted proxy says. Behind a unix socket addr is the zero
	// Addr; where nobody knows the port it is empty.
	addr netip.Addr
	port string
	// trusted says that the connection's other end is a trusted proxy.
	trusted bool
	// secure says that the client speaks TLS, to us or to a trusted proxy.
	secure bool

	// user, authType and subject are set by authentication: the user's name, if
	// it has one, REMOTE_USER; how it was proved, AUTH_TYPE; and the subject of
	// the client's certificate.
	user, authType, subject string
	// identity tells users apart, also those without a name. Empty without
	// authentication.
	identity string
	// pass is what the console's page gives to who has loaded it by a token in
	// its address, see passCookie; else empty.
	pass string
}

// unixAddress is what stands for an address behind a unix socket, as in nginx.
const unixAddress = "unix:"

// address returns the client's address for people and programs.
func (v *visitor) address() string {
	if !v.addr.IsValid() {
		return unixAddress
	}
	return v.addr.String()
}

// String returns the client's address and port for the log.
func (v *visitor) String() string {
	if v.port == "" {
		return v.address()
	}
	return net.JoinHostPort(v.address(), v.port)
}

// scheme returns the scheme of the URL that the client has asked for.
func (v *visitor) scheme() string {
	if v.secure {
		return "https"
	}
	return "http"
}

// visitorOf returns who sends r, which nobody has authenticated yet.
func (p TrustedProxies) visitorOf(r *http.Request) *visitor {
	v := &visitor{secure: r.TLS != nil}
	v.addr, v.port = parseAddress(r.RemoteAddr)
	if v.trusted = p.trust(v.addr); !v.trusted {
		return v
	}
	if schemes := tokens(r.Header.Values("X-Forwarded-Proto")); len(schemes) > 0 {
		last := schemes[len(schemes)-1]
		v.secure = strings.EqualFold(last, "https") || strings.EqualFold(last, "wss")
	}
	// Each proxy adds the address of who came to it at the end: what stands
	// before the first one that is no trusted proxy is hearsay.
	hops := tokens(r.Header.Values("X-Forwarded-For"))
	for i := len(hops) - 1; i >= 0 && p.trust(v.addr); i-- {
		addr, port := parseAddress(hops[i])
		if !addr.IsValid() {
			break
		}
		v.addr, v.port = addr, port
	}
	return v
}

// trust reports whether the proxy at addr is believed; the zero Addr stands for
// the other end of a unix socket.
func (p TrustedProxies) trust(addr netip.Addr) bool {
	if !addr.IsValid() {
		return p.Unix
	}
	for _, network := range p.Networks {
		if network.Contains(addr.WithZone("")) {
			return true
		}
	}
	return false
}

// parseAddress takes an IP address with or without a port, an IPv6 one with or
// without brackets. It returns the zero Addr if s is none.
func parseAddress(s string) (addr netip.Addr, port string) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), strconv.Itoa(int(ap.Port()))
	}
	addr, _ = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return addr.Unmap(), ""
}
