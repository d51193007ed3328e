package server

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// routeTable has the endpoints of Config.Routes. It is immutable.
type routeTable struct {
	endpoints map[string]*Endpoint // by path
	longest   int                  // the length of the longest path
}

// find returns the program for path, or nil.
func (t *routeTable) find(path string) *program {
	for pattern := path; pattern != ""; {
		if len(pattern) <= t.longest { // looking up thousands of prefixes of a long path would take long
			if e := t.endpoints[pattern]; e != nil {
				name := strings.TrimSuffix(pattern, "/")
				return &program{endpoint: e, path: e.Child.Path, name: name, info: path[len(name):]}
			}
		}
		pattern = pattern[:strings.LastIndex(pattern[:len(pattern)-1], "/")+1]
	}
	return nil
}

// routes returns the endpoints of the routes, sorted by path.
func (s *Server) routes() []*Endpoint {
	return slices.SortedFunc(maps.Values(s.routeTable.Load().endpoints), func(a, b *Endpoint) int { return cmp.Compare(a.pattern, b.pattern) })
}

// setRoutes replaces the routes. An unchanged route keeps its endpoint, so that new clients
// attach to its running shared child.
func (s *Server) setRoutes(routes []Route) {
	var old map[string]*Endpoint
	if table := s.routeTable.Load(); table != nil {
		old = table.endpoints
	}
	table := &routeTable{endpoints: make(map[string]*Endpoint, len(routes))}
	for _, r := range routes {
		e := r.Endpoint
		e.pattern = r.Path
		table.endpoints[r.Path] = &e
		table.longest = max(table.longest, len(r.Path))
		if before := old[r.Path]; before != nil && reflect.DeepEqual(before, &e) {
			table.endpoints[r.Path] = before
		}
	}
	s.routeTable.Store(table)
	var removed []*Endpoint
	for pattern, e := range old {
		if table.endpoints[pattern] != e {
			removed = append(removed, e)
		}
	}
	s.children.remove(removed)
}

// reloadRoutes reads the routes again. It logs an error and keeps the previous routes.
func (s *Server) reloadRoutes() {
	if s.cfg.ReadRoutes == nil {
		return
	}
	routes, err := s.cfg.ReadRoutes()
	if err == nil {
		err = s.checkExposure(routes)
	}
	if err == nil {
		s.setRoutes(routes)
		s.log.Info("routes reloaded", "file", s.cfg.RoutesFile, "endpoints", len(routes))
		return
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, e := range all {
		s.log.Error("cannot reload routes", "error", e)
	}
}
