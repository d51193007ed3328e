package server

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// lookupPatience bounds how long --reverselookup may hold a connection up.
const lookupPatience = time.Second

// hostName returns REMOTE_HOST: with --reverselookup the name of v's address
// if that name leads back to the address, as sshd has it; whoever owns the
// address could claim any other. Else it is the address.
func (s *Server) hostName(ctx context.Context, v *visitor) string {
	if !s.cfg.ReverseLookup || !v.addr.IsValid() {
		return v.address()
	}
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	addr := v.addr.WithZone("") // which no name server knows
	names, err := s.lookups.LookupAddr(ctx, addr.String())
	if err != nil {
		return v.address()
	}
	for _, name := range names {
		addrs, err := s.lookups.LookupNetIP(ctx, "ip", name)
		if err == nil && slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap() == addr }) {
			return strings.TrimSuffix(name, ".")
		}
	}
	return v.address()
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
