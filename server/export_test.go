//go:build unix

package server

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"wspipe/server/access"
)

// What tests in package server_test use of a Server beside what it exports.

// JSON answers of the console's paths.
type (
	Verdict       = verdict
	Description   = description
	EndpointInfo  = endpointInfo
	Enumeration   = enumeration
	ParameterInfo = parameterInfo
	RoomInfo      = room
)

// Limits of paths and request bodies.
const (
	MaxDepth  = maxDepth
	SmallBody = smallBody
)

// Addr returns the address of the first listener.
func (s *Server) Addr() net.Addr { return s.listeners.Serving[0].Addr() }

// Addrs returns the addresses of all listeners.
func (s *Server) Addrs() (all []net.Addr) {
	for _, l := range s.listeners.Serving {
		all = append(all, l.Addr())
	}
	return all
}

// LimitSendBuffer makes the kernel hold little for the connections of the first listener, which
// inherit its send buffer.
func (s *Server) LimitSendBuffer() {
	raw, err := s.listeners.Serving[0].(*net.TCPListener).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4096) })
	}
	if err != nil {
		panic(err)
	}
}

// WrapListeners replaces each listener.
func (s *Server) WrapListeners(wrap func(net.Listener) net.Listener) {
	for i, l := range s.listeners.Serving {
		s.listeners.Serving[i] = wrap(l)
	}
	for i, l := range s.listeners.Redirecting {
		s.listeners.Redirecting[i].Listener = wrap(l.Listener)
	}
}

// Close closes the listeners of a server that does not serve.
func (s *Server) Close() { s.stopListening() }

// Reload does what a value of Config.Reload does.
func (s *Server) Reload() { s.reload() }

// LookupFrom makes --reverselookup use the name server at addr.
func (s *Server) LookupFrom(addr net.Addr) {
	s.lookups.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialNameServer(ctx, addr.Network(), addr.String())
	}
}

// Usage is what children and clients hold.
type Usage struct {
	Slots     int // of --maxforks
	Addresses int // that have slots of --max-per-ip
	Children  int // that further clients may attach to
	Requests  int // that a shutdown waits for
	Once      bool
}

// Usage returns what is in use.
func (s *Server) Usage() Usage {
	s.slots.mu.Lock()
	defer s.slots.mu.Unlock()
	s.children.mu.Lock()
	defer s.children.mu.Unlock()
	s.tracker.mu.Lock()
	defer s.tracker.mu.Unlock()
	return Usage{s.slots.used, len(s.slots.perIP), len(s.children.byKey), s.tracker.count + s.tracker.requests, s.taken.Load()}
}

// SlotsOf returns how many slots of --max-per-ip addr has.
func (s *Server) SlotsOf(addr string) int {
	s.slots.mu.Lock()
	defer s.slots.mu.Unlock()
	return s.slots.perIP[netip.MustParseAddr(addr)]
}

// SetExitWhenIdle changes Config.ExitWhenIdle.
func (s *Server) SetExitWhenIdle(d time.Duration) {
	s.tracker.mu.Lock()
	defer s.tracker.mu.Unlock()
	s.tracker.idleTimeout = d
}

// Stopping reports whether the server admits nothing any more.
func (s *Server) Stopping() bool {
	s.tracker.mu.Lock()
	defer s.tracker.mu.Unlock()
	return s.tracker.closed
}

// Find returns the program that r would start, if any: its file, its SCRIPT_NAME and the directory
// that it must be in.
func (s *Server) Find(r *http.Request) (path, name, dir string) {
	rt := s.find(r)
	switch {
	case rt.program == nil:
		return "", "", ""
	case rt.upgrade:
		return rt.program.path, rt.program.name, s.dir.path
	}
	return rt.program.path, rt.program.name, s.cgi.path
}

// ServeAfter serves a request, and calls between after it has found the program or the file.
func (s *Server) ServeAfter(w http.ResponseWriter, r *http.Request, between func()) *access.Refusal {
	client, rt := s.policy.ClientOf(r), s.find(r)
	between()
	granted, why := s.admit(r, rt, client)
	if why == nil {
		if rt.program == nil {
			defer granted.release()
		}
		why = rt.serve(w, r, client, granted)
	}
	return why
}

// WithConn is what serves as ConnContext of an http.Server whose handler is a Server.
func (s *Server) WithConn(ctx context.Context, conn net.Conn) context.Context {
	return s.withConn(ctx, conn)
}
