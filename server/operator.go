package server

import (
	"wspipe/server/admin"
	"wspipe/server/listen"
)

// operatorSource implements admin.Source.
type operatorSource struct{ *Server }

// Sessions implements admin.Source.
func (s operatorSource) Sessions() []admin.SessionStatus { return s.registry.list() }

// EndSession implements admin.Source. A client that connects meanwhile starts another child.
func (s operatorSource) EndSession(id string) bool {
	c := s.registry.find(id)
	if c == nil {
		return false
	}
	c.startOnce.Do(func() {}) // waits until the first client is attached
	s.log.Info("session ended by the operator", "session", id)
	s.children.retire(c)
	c.bridge.EndByOperator()
	return true
}

// Metrics implements admin.Source.
func (s operatorSource) Metrics() admin.Metrics { return s.registry.metrics() }

// openAdmin opens the socket of Config.AdminSocket, if there is one.
func (s *Server) openAdmin() (err error) {
	if s.cfg.AdminSocket == "" {
		return nil
	}
	s.registry = newRegistry()
	s.admin, err = listen.Unix(s.cfg.AdminSocket, 0)
	return err
}

// serveAdmin serves the admin socket, if there is one, until stop is called.
func (s *Server) serveAdmin() (stop func()) {
	if s.admin == nil {
		return func() {}
	}
	hs := s.newHTTPServer(admin.Handler(operatorSource{s}))
	done := make(chan struct{})
	go func() { // ends when stop closes hs
		defer close(done)
		hs.Serve(listen.Retry(s.admin, s.log))
	}()
	return func() {
		hs.Close()
		<-done
	}
}
