package server

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"wspipe/process"
	"wspipe/server/admin"
)

// refusalRules are the values of access.Refusal.Rule, which the metrics show from the start.
var refusalRules = strings.Fields("auth handshake host maxforks max-per-ip maxframesize once origin param path readonly room session shutdown subprotocol trace")

// metrics returns the values of all metrics. Counters never decrease: the traffic of a client
// that has disconnected is in the record of its child, or in totals.
func (g *registry) metrics() admin.Metrics {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c, r := range g.sessions {
		g.countExit(c, r)
	}
	m := g.totals
	m.Refusals, m.Exits = maps.Clone(m.Refusals), maps.Clone(m.Exits)
	m.Children = int(m.ChildrenTotal - g.exited)
	for c, r := range g.sessions {
		total := r.left
		for client := range r.clients {
			total.add(client.Stats())
		}
		addTraffic(&m, total)
		m.Connections += len(r.clients)
		if c.key.isSession() && r.used && len(r.clients) == 0 {
			m.SessionsHeld++
		}
	}
	return m
}

func addTraffic(m *admin.Metrics, t traffic) {
	m.MessagesIn += t.in.Messages
	m.BytesIn += t.in.Bytes
	m.MessagesOut += t.out.Messages
	m.BytesOut += t.out.Bytes
	m.SlowClients += t.slow
}

// countExit counts the exit of c, once. The caller holds g.mu.
func (g *registry) countExit(c *child, r *sessionEntry) {
	if !r.exited && c.hasExited() {
		r.exited = true
		g.addExit(c.process)
	}
}

func (g *registry) addExit(child *process.Child) {
	g.totals.Exits[exitReason(child.Exit())]++
	g.exited++
}

// exitReason says how a child ended in the words of the close frame.
func exitReason(code int, signal string) string {
	if signal != "" {
		return "signal " + signal
	}
	return fmt.Sprintf("exit %d", code)
}

// childStarted counts a child and the duration of its start.
func (g *registry) childStarted(took time.Duration) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.totals.ChildrenTotal++
	g.totals.ChildStart.Observe(took)
}

// childExited counts a child that has exited and has no record.
func (g *registry) childExited(child *process.Child) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.addExit(child)
}

// refused counts a refusal by rule. It does nothing if rule is empty.
func (g *registry) refused(rule string) {
	if g == nil || rule == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.totals.Refusals[rule]++
}

// startChild starts a child and counts it.
func (s *Server) startChild(spec process.Spec) (*process.Child, error) {
	began := time.Now()
	child, err := process.Start(spec)
	if err == nil {
		s.registry.childStarted(time.Since(began))
	}
	return child, err
}
