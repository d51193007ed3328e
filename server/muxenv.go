package server

import (
	"slices"
	"strings"
)

// splitEnvironment splits env, the environment of a child with one client, for a child of
// --share=mux: shared is the environment of the child, and told goes into the open event of
// the client. Variables that Endpoint.SetEnv overrides are not in told.
func (s *Server) splitEnvironment(env environ, p *program) (shared, told environ) {
	shared = passedOn(p.endpoint.PassEnv)
	for _, pair := range env[len(shared):] { // env begins with shared
		name, _, _ := strings.Cut(pair, "=")
		if !slices.ContainsFunc(p.endpoint.SetEnv, func(set string) bool { return strings.HasPrefix(set, name+"=") }) {
			told = append(told, pair)
		}
	}
	shared.set("SERVER_SOFTWARE", s.cfg.Software)
	shared.set("GATEWAY_INTERFACE", "CGI/1.1")
	shared.set("SCRIPT_NAME", p.name)
	return shared, told
}
