package server

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"

	"wspipe/server/access"
)

// hostName returns REMOTE_HOST: with lookUp (--reverselookup) the name of the client's address
// if that name resolves to the address, otherwise the address. As in sshd, a name that does
// not is ignored, because the owner of an address can choose any name.
func (s *Server) hostName(ctx context.Context, client *access.Client, lookUp bool) string {
	if !lookUp || !client.Addr.IsValid() {
		return client.Address()
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeouts.Lookup)
	defer cancel()
	addr := client.Addr.WithZone("") // name servers do not know zones
	names, err := s.lookups.LookupAddr(ctx, addr.String())
	if err != nil {
		return client.Address()
	}
	for _, name := range names {
		addrs, err := s.lookups.LookupNetIP(ctx, "ip", name)
		if err == nil && slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap() == addr }) {
			return strings.TrimSuffix(name, ".")
		}
	}
	return client.Address()
}

// dialNameServer is the Dial function of a net.Resolver. It closes the connection when ctx is
// done, because otherwise the resolver continues to read for seconds.
func dialNameServer(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		context.AfterFunc(ctx, func() { conn.Close() })
	}
	return conn, err
}
