package server

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"wspipe/bridge"
	"wspipe/server/admin"
)

// registry has the status of sessions for the operator: the children that run or still have
// clients, and the traffic of their clients. It is nil without Config.AdminSocket; its methods
// then do nothing.
type registry struct {
	mu       sync.Mutex
	sessions map[*child]*sessionEntry
	totals   admin.Metrics // of removed sessions, and of events
	exited   int64         // children that have exited
}

// sessionEntry has the status of one child.
type sessionEntry struct {
	first   admin.SessionStatus // the constant fields
	clients map[meteredClient]struct{}
	left    traffic // of clients that have disconnected
	used    bool    // there has been a client
	exited  bool    // the exit is counted
	over    bool    // the child has ended, but may still have clients
}

// meteredClient is a client of a child that counts its traffic.
type meteredClient interface {
	// Stats may be called at any time.
	Stats() bridge.ClientStats
}

// traffic is the traffic of several connections.
type traffic struct {
	in, out bridge.Traffic
	slow    int64 // clients, see bridge.ClientStats
}

func (t *traffic) add(s bridge.ClientStats) {
	t.in.Messages += s.In.Messages
	t.in.Bytes += s.In.Bytes
	t.out.Messages += s.Out.Messages
	t.out.Bytes += s.Out.Bytes
	if s.Slow {
		t.slow++
	}
}

func newRegistry() *registry {
	g := &registry{sessions: make(map[*child]*sessionEntry)}
	g.totals.Exits, g.totals.Refusals = make(map[string]int64), make(map[string]int64)
	for _, rule := range refusalRules {
		g.totals.Refusals[rule] = 0
	}
	return g
}

// started adds c, which was started by a client of user at remote.
func (g *registry) started(c *child, endpoint, user, remote string) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions[c] = &sessionEntry{
		first:   admin.SessionStatus{ID: c.id, Endpoint: endpoint, Room: c.key.room, User: user, Remote: remote, Since: time.Now().UTC().Truncate(time.Millisecond)},
		clients: make(map[meteredClient]struct{}),
	}
}

// attached adds a client of c, until detached is called.
func (g *registry) attached(c *child, client meteredClient) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.totals.ConnectionsTotal++
	if r := g.sessions[c]; r != nil {
		r.clients[client] = struct{}{}
		r.used = true
	}
}

// posted counts a message of size bytes that a client of no connection has sent to c.
func (g *registry) posted(c *child, size int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.sessions[c]; r != nil {
		r.left.add(bridge.ClientStats{In: bridge.Traffic{Messages: 1, Bytes: int64(size)}})
	}
}

// detached removes a client of c that has disconnected.
func (g *registry) detached(c *child, client meteredClient) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.sessions[c]
	if r == nil {
		return
	}
	delete(r.clients, client)
	r.left.add(client.Stats())
	g.removeIfOver(c, r)
}

// over records that c has ended, although it may still have clients.
func (g *registry) over(c *child) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.sessions[c]
	r.over = true
	g.countExit(c, r)
	g.removeIfOver(c, r)
}

func (g *registry) removeIfOver(c *child, r *sessionEntry) {
	if r.over && len(r.clients) == 0 {
		delete(g.sessions, c)
		addTraffic(&g.totals, r.left)
	}
}

// list returns the status of every session, oldest first.
func (g *registry) list() (all []admin.SessionStatus) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c, r := range g.sessions {
		all = append(all, r.status(c))
	}
	slices.SortFunc(all, func(a, b admin.SessionStatus) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// status returns the status of c. The caller holds mu of the registry.
func (r *sessionEntry) status(c *child) admin.SessionStatus {
	s, total, slowest := r.first, r.left, 0
	for client := range r.clients {
		stats := client.Stats()
		total.add(stats)
		slowest = max(slowest, stats.Backlog)
	}
	if !c.hasExited() {
		s.Pid = c.process.Pid()
	}
	s.Clients = len(r.clients)
	s.MessagesIn, s.BytesIn = total.in.Messages, total.in.Bytes
	s.MessagesOut, s.BytesOut = total.out.Messages, total.out.Bytes
	s.Waiting = slowest + c.bridge.Backlog()
	return s
}

// find returns the child of the session with this ID, or nil.
func (g *registry) find(id string) *child {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c, r := range g.sessions {
		if c.id == id && !r.over {
			return c
		}
	}
	return nil
}
