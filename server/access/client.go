package access

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// Client is the client that sends a request.
type Client struct {
	// Addr and Port are the source of the request: the remote end of the connection, or the
	// address that a trusted proxy reports. Addr is the zero Addr for a unix socket. Port
	// is empty if unknown.
	Addr netip.Addr
	Port string
	// trusted reports whether the remote end of the connection is a trusted proxy.
	trusted bool
	// Secure reports whether the client uses TLS, to us or to a trusted proxy.
	Secure bool

	// User, AuthType and Subject are set by Policy.Check: the name of the user, or empty,
	// for REMOTE_USER; the method of authentication, for AUTH_TYPE; and the subject of the
	// client's certificate.
	User, AuthType, Subject string
	// Identity identifies the user, also one without a name. It is empty without
	// authentication.
	Identity string
	// pass is the pass for a client with a token in the URL, see passCookie; otherwise
	// empty.
	pass string
}

// unixAddress is the address of a client of a unix socket, as in nginx.
const unixAddress = "unix:"

// Address returns the client's address, or "unix:".
func (c *Client) Address() string {
	if !c.Addr.IsValid() {
		return unixAddress
	}
	return c.Addr.String()
}

// String returns the client's address and port for the log.
func (c *Client) String() string {
	if c.Port == "" {
		return c.Address()
	}
	return net.JoinHostPort(c.Address(), c.Port)
}

// scheme returns the scheme of the requested URL.
func (c *Client) scheme() string {
	if c.Secure {
		return "https"
	}
	return "http"
}

// ClientOf returns the client that sends r, before authentication.
func (p *Policy) ClientOf(r *http.Request) *Client { return p.proxies.clientOf(r) }

func (p TrustedProxies) clientOf(r *http.Request) *Client {
	client := &Client{Secure: r.TLS != nil}
	client.Addr, client.Port = parseAddress(r.RemoteAddr)
	if client.trusted = p.trust(client.Addr); !client.trusted {
		return client
	}
	if schemes := HeaderList(r.Header.Values("X-Forwarded-Proto")); len(schemes) > 0 {
		last := schemes[len(schemes)-1]
		client.Secure = strings.EqualFold(last, "https") || strings.EqualFold(last, "wss")
	}
	// Each proxy appends the address of its client. Addresses before that of the last
	// untrusted client may be forged.
	hops := HeaderList(r.Header.Values("X-Forwarded-For"))
	for i := len(hops) - 1; i >= 0 && p.trust(client.Addr); i-- {
		addr, port := parseAddress(hops[i])
		if !addr.IsValid() {
			break
		}
		client.Addr, client.Port = addr, port
	}
	return client
}

// trust reports whether the proxy at addr is trusted. The zero Addr means a unix socket.
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

// parseAddress parses an IP address with or without a port, and with or without brackets. It
// returns the zero Addr if s is not an address.
func parseAddress(s string) (addr netip.Addr, port string) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), strconv.Itoa(int(ap.Port()))
	}
	addr, _ = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return addr.Unmap(), ""
}
