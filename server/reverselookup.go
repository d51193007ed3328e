package server

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"wspipe/server/access"
)

// lookupTimeout bounds how long --reverselookup may hold a connection up.
const lookupTimeout = time.Second

// hostName returns REMOTE_HOST: with lookUp (--reverselookup) the name of client's address
// if that name leads back to the address, as sshd has it; whoever owns the
// address could claim any other. Else it is the address.
func (s *Server) hostName(ctx context.Context, client *access.Client, lookUp bool) string {
	if !lookUp || !client.Addr.IsValid() {
		return client.Address()
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addr := client.Addr.WithZone("") // which no name server knows
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

// dialNameServer connects a net.Resolver. By itself that goes on reading for
// seconds after its context has been cancelled.
func dialNameServer(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		context.AfterFunc(ctx, func() { conn.Close() })
	}
	return conn, err
}
