package server

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// routeTable maps the paths of Config.Routes to their endpoints. It is immutable.
type routeTable map[string]*Endpoint

// find returns the program for path, or nil.
func (t routeTable) find(path string) *program {
	for pattern := path; pattern != ""; {
		if e := t[pattern]; e != nil {
			name := strings.TrimSuffix(pattern, "/")
			return &program{endpoint: e, path: e.Child.Path, name: name, info: path[len(name):]}
		}
		pattern = pattern[:strings.LastIndex(pattern[:len(pattern)-1], "/")+1]
	}
	return nil
}

// routes returns the endpoints of the routes, sorted by path.
func (s *Server) routes() []*Endpoint {
	return slices.SortedFunc(maps.Values(*s.routeTable.Load()), func(a, b *Endpoint) int { return cmp.Compare(a.pattern, b.pattern) })
}

// setRoutes replaces the routes. An unchanged route keeps its endpoint, so that new clients
// attach to its running shared child.
func (s *Server) setRoutes(routes []Route) {
	var old routeTable
	if p := s.routeTable.Load(); p != nil {
		old = *p
	}
	table := make(routeTable, len(routes))
	for _, r := range routes {
		e := r.Endpoint
		e.pattern = r.Path
		table[r.Path] = &e
		if before := old[r.Path]; before != nil && reflect.DeepEqual(before, &e) {
			table[r.Path] = before
		}
	}
	s.routeTable.Store(&table)
	var removed []*Endpoint
	for pattern, e := range old {
		if table[pattern] != e {
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
