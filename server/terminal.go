package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"wspipe/bridge/channel"
	"wspipe/process"
	"wspipe/server/access"
)

// ExposedTerminalError reports that a server would give a terminal to every client that can
// reach Address, which is not only on this machine.
type ExposedTerminalError struct {
	Address string
	Source  string // Route.Source, or ""
}

// Error implements error.
func (e *ExposedTerminalError) Error() string {
	text := fmt.Sprintf("serve a terminal on %s without authentication", e.Address)
	if e.Source != "" {
		text = e.Source + ": " + text
	}
	return text
}

// checkExposure returns an *ExposedTerminalError if clients on the network could type into a
// terminal without authentication, unless Config.NoAuth allows it. The mode of a unix socket
// protects it. The error joins those of all routes.
func (s *Server) checkExposure(routes []Route) error {
	address := s.exposedAddress()
	if s.cfg.NoAuth || s.policy.Authenticates() || address == "" {
		return nil
	}
	if len(routes) == 0 {
		routes = []Route{{Endpoint: s.cfg.Endpoint}}
	}
	var exposed []error
	for _, r := range routes {
		if r.Child.Terminal == process.FullTerminal && !r.readOnly() {
			exposed = append(exposed, &ExposedTerminalError{address, r.Source})
		}
	}
	return errors.Join(exposed...)
}

// exposedAddress returns an address of this server that other machines can reach, or "".
func (s *Server) exposedAddress() string {
	for _, l := range s.listeners.Serving {
		switch addr := l.Addr().(type) {
		case *net.UnixAddr:
		case *net.TCPAddr:
			if !addr.IP.IsLoopback() {
				return addr.String()
			}
		default:
			return addr.String()
		}
	}
	return ""
}

// describeTerminal sets the variables that describe the child's terminal.
func (e *environ) describeTerminal(terminal process.Terminal) {
	switch terminal {
	case process.FullTerminal:
		*e = override(*e, []string{"TERM=xterm-256color"})
	case process.StdoutTerminal: // no person sees it
		*e = override(*e, []string{"TERM=dumb", "NO_COLOR=1"})
	}
}

// removeSize removes the window size from the query of r and returns it, or the zero value.
func removeSize(r *http.Request) (size process.WindowSize) {
	query, values := access.WithoutParameter(r.URL.RawQuery, channel.SizeParameter)
	r.URL.RawQuery = query
	for _, value := range values {
		if parsed, err := process.ParseWindowSize(value); err == nil {
			size = parsed
		}
	}
	return size
}
