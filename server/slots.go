package server

import (
	"net/netip"
	"sync"
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

// take takes a slot for a child of ip's own. If none is free it returns the flag
// that bounds them.
func (s *slots) take(ip netip.Addr) (free func(), flag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.full():
		return nil, flagMaxForks
	case s.fullFor(ip):
		return nil, flagMaxPerIP
	}
	s.used++
	s.perIP[ip]++
	return s.once(func() { s.used--; s.freeFor(ip) }), ""
}

// takeShared is take for a child that belongs to no address.
func (s *slots) takeShared() (free func(), flag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full() {
		return nil, flagMaxForks
	}
	s.used++
	return s.once(func() { s.used-- }), ""
}

// takeClient is take for a client that starts no child.
func (s *slots) takeClient(ip netip.Addr) (free func(), flag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fullFor(ip) {
		return nil, flagMaxPerIP
	}
	s.perIP[ip]++
	return s.once(func() { s.freeFor(ip) }), ""
}

func (s *slots) full() bool                 { return s.max > 0 && s.used >= s.max }
func (s *slots) fullFor(ip netip.Addr) bool { return s.maxPerIP > 0 && s.perIP[ip] >= s.maxPerIP }

func (s *slots) freeFor(ip netip.Addr) {
	if s.perIP[ip]--; s.perIP[ip] == 0 {
		delete(s.perIP, ip)
	}
}

// once returns what calls free, with mu held, the first time that it is called.
func (s *slots) once(free func()) func() {
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		free()
	})
}
