package server

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// slots bounds how many children run at once, in all and for one client
// address; of those who share a child, it bounds the clients of one address. A
// bound of zero or less is none.
type slots struct {
	max, maxPerIP int

	mu    sync.Mutex
	used  int
	perIP map[netip.Addr]int
}

func newSlots(max, maxPerIP int) *slots {
	return &slots{max: max, maxPerIP: maxPerIP, perIP: make(map[netip.Addr]int)}
}

// The flags that bound slots.
const (
	flagMaxForks = "--maxforks"
	flagMaxPerIP = "--max-per-ip"
)

// claim is what somebody wants of slots.
type claim struct {
	child bool // counts among all children
	ofIP  bool // counts for ip
	ip    netip.Addr
}

// sharedChild is a child that belongs to no address.
var sharedChild = claim{child: true}

// ownChild is a child that only a client at ip has.
func ownChild(ip netip.Addr) claim { return claim{child: true, ofIP: true, ip: ip} }

// sharer is a client at ip that starts no child.
func sharer(ip netip.Addr) claim { return claim{ofIP: true, ip: ip} }

// take takes what c claims. If that is not free it returns the flag that bounds
// it.
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

// onSecondCall returns a function whose second call calls f.
func onSecondCall(f func()) func() {
	var calls atomic.Int32
	return func() {
		if calls.Add(1) == 2 {
			f()
		}
	}
}

// ask returns the flag that take would return now.
func (s *slots) ask(c claim) (flag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound(c)
}

func (s *slots) bound(c claim) (flag string) {
	switch {
	case c.child && s.max > 0 && s.used >= s.max:
		return flagMaxForks
	case c.ofIP && s.maxPerIP > 0 && s.perIP[c.ip] >= s.maxPerIP:
		return flagMaxPerIP
	}
	return ""
}

// count adds n times c to what is taken.
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
