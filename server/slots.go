package server

import (
	"net/netip"
	"sync"
)

// slots bounds how many children run at once, in all and for one client
// address. A bound of zero or less is none.
type slots struct {
	max, maxPerIP int

	mu    sync.Mutex
	used  int
	perIP map[netip.Addr]int
}

func newSlots(max, maxPerIP int) *slots {
	return &slots{max: max, maxPerIP: maxPerIP, perIP: make(map[netip.Addr]int)}
}

// take takes a slot for ip. If none is free it returns the flag that bounds them.
func (s *slots) take(ip netip.Addr) (free func(), flag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.max > 0 && s.used >= s.max:
		return nil, "--maxforks"
	case s.maxPerIP > 0 && s.perIP[ip] >= s.maxPerIP:
		return nil, "--max-per-ip"
	}
	s.used++
	s.perIP[ip]++
	return sync.OnceFunc(func() { s.free(ip) }), ""
}

func (s *slots) free(ip netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	if s.perIP[ip]--; s.perIP[ip] == 0 {
		delete(s.perIP, ip)
	}
}
