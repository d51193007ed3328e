package server

import (
	"context"
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
	names, err := s.lookups.LookupAddr(ctx, v.addr.String())
	if err != nil {
		return v.address()
	}
	for _, name := range names {
		addrs, err := s.lookups.LookupNetIP(ctx, "ip", name)
		if err == nil && slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap() == v.addr.WithZone("") }) {
			return strings.TrimSuffix(name, ".")
		}
	}
	return v.address()
}
