package server

import (
	"maps"
	"net"
	"slices"
	"sync"
)

// busyConns tracks the connections of admitted requests that are not WebSockets. The zero value
// has none.
type busyConns struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// add adds conn, until remove is called.
func (b *busyConns) add(conn net.Conn) (remove func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		b.conns = make(map[net.Conn]struct{})
	}
	b.conns[conn] = struct{}{}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.conns, conn)
	}
}

// close closes the connections. Others stay open, for health checks during a shutdown.
func (b *busyConns) close() {
	b.mu.Lock()
	conns := slices.Collect(maps.Keys(b.conns))
	b.mu.Unlock()
	for _, conn := range conns {
		conn.Close()
	}
}
