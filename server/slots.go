package server

import (
	"net/netip"
	"sync"
)

// slots limits how many children run at once, in total and per client address. For shared
// children it limits the clients per address. Zero or less means no limit.
type slots struct {
	max, maxPerIP int

	mu    sync.Mutex
	used  int
	perIP map[netip.Addr]int
}

func newSlots(max, maxPerIP int) *slots {
	return &slots{max: max, maxPerIP: maxPerIP, perIP: make(map[netip.Addr]int)}
}

// The flags that limit slots.
const (
	flagMaxForks = "--maxforks"
	flagMaxPerIP = "--max-per-ip"
)

// claim is a request for slots.
type claim struct {
	child bool // counts in the total
	ofIP  bool // counts for ip
	ip    netip.Addr
}

// sharedChild is the claim for a shared child, which counts for no address.
var sharedChild = claim{child: true}

// ownChild returns the claim for a child with a single client, at ip.
func ownChild(ip netip.Addr) claim { return claim{child: true, ofIP: true, ip: ip} }

// sharingClient returns the claim for a client at ip of a shared child.
func sharingClient(ip netip.Addr) claim { return claim{ofIP: true, ip: ip} }

// take takes the slots of c until free is called. If a limit is reached, it returns the flag of
// the limit.
func (s *slots) take(c claim) (free func(), flag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if flag := s.bound(c); flag != "" {
		return nil, flag
	}
	s.count(c, 1)
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.count(c, -1)
	}), ""
}

// check returns the flag that take would return, without any effect.
func (s *slots) check(c claim) (flag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound(c)
}

// bound returns the flag of the limit that c would exceed, or "".
func (s *slots) bound(c claim) (flag string) {
	switch {
	case c.child && s.max > 0 && s.used >= s.max:
		return flagMaxForks
	case c.ofIP && s.maxPerIP > 0 && s.perIP[c.ip] >= s.maxPerIP:
		return flagMaxPerIP
	}
	return ""
}

// count adds n times c to the slots taken.
func (s *slots) count(c claim, n int) {
	if c.child {
		s.used += n
	}
	if c.ofIP {
		if s.perIP[c.ip] += n; s.perIP[c.ip] == 0 {
			delete(s.perIP, c.ip)
		}
	}
}
