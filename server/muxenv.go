package server

import (
	"slices"
	"strings"
)

// splitEnvironment takes apart env, the environment that a child of one client's
// own would have: shared is what a child gets that talks to many, and told what
// it is told of this one. What Endpoint.SetEnv overrides is nobody's.
func (s *Server) splitEnvironment(env environ, p *program) (shared, told environ) {
	shared = passedOn(p.endpoint.PassEnv)
	for _, pair := range env[len(shared):] { // which has those first
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
