package server

import (
	"slices"
	"strings"
)

// sharedEnvironment returns the environment of a child that belongs to no single client: one
// of --share=mux, or of a room.
func (s *Server) sharedEnvironment(p *program) environ {
	env := passedEnv(p.endpoint.PassEnv)
	env.set("SERVER_SOFTWARE", s.cfg.Software)
	env.set("GATEWAY_INTERFACE", "CGI/1.1")
	env.set("SCRIPT_NAME", p.name)
	switch by := p.endpoint.ShareBy; {
	case by.Path:
		env.set("PATH_INFO", p.room)
	case by.Query != "":
		env.set("QUERY_STRING", by.query(p.room))
	}
	return env
}

// openEventEnvironment returns the variables for the open event of a client. env is the environment
// of a child with a single client. The variables of our own environment are not in the result,
// nor those that Endpoint.SetEnv overrides.
func openEventEnvironment(env environ, p *program) (vars environ) {
	for _, pair := range env[len(passedEnv(p.endpoint.PassEnv)):] { // env begins with them
		name, _, _ := strings.Cut(pair, "=")
		if !slices.ContainsFunc(p.endpoint.SetEnv, func(set string) bool { return strings.HasPrefix(set, name+"=") }) {
			vars = append(vars, pair)
		}
	}
	return vars
}
