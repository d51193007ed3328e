package access

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// Client is the client that sends a request, as far as this can be trusted.
type Client struct {
	// Addr and Port are where the request comes from: the remote end of the
	// connection, or what a trusted proxy says. Behind a unix socket Addr is the
	// zero Addr. Port is empty where it is unknown.
	Addr netip.Addr
	Port string
	// trusted says that the remote end of the connection is a trusted proxy.
	trusted bool
	// Secure says that the client speaks TLS, to us or to a trusted proxy.
	Secure bool

	// User, AuthType and Subject are set by Policy.Check: the user's name, or "",
	// for REMOTE_USER; how it was proved, for AUTH_TYPE; and the subject of the
	// client's certificate.
	User, AuthType, Subject string
	// Identity tells users apart, also those without a name. It is empty without
	// authentication.
	Identity string
	// pass is for the cookie of a client with a token in the address, see
	// passCookie; else empty.
	pass string
}

// unixAddress is what stands for an address behind a unix socket, as in nginx.
const unixAddress = "unix:"

// Address returns the client's address for people and programs.
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

// scheme returns the scheme of the URL that the client has asked for.
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
	// Each proxy adds the address of who came to it at the end: what stands
	// before the first one that is no trusted proxy is hearsay.
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
