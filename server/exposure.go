package server

import (
	"fmt"
	"net"

	"wspipe/process"
)

// ExposedTerminalError says that a server would give a terminal on this machine
// to everybody who can reach Address, which is more than this machine can.
type ExposedTerminalError struct{ Address string }

func (e *ExposedTerminalError) Error() string {
	return fmt.Sprintf("serve a terminal on %s: there is no authentication", e.Address)
}

// checkExposure refuses to let anybody on a network type into a terminal, unless
// Config.NoAuth says that this is meant. Who may open a unix socket is up to the
// mode of that.
func (s *Server) checkExposure() error {
	if s.cfg.Child.Terminal != process.FullTerminal || s.cfg.NoAuth || s.auth.certificate || len(s.auth.flags) > 0 {
		return nil
	}
	for _, l := range s.sockets.serving {
		switch addr := l.Addr().(type) {
		case *net.UnixAddr:
		case *net.TCPAddr:
			if !addr.IP.IsLoopback() {
				return &ExposedTerminalError{addr.String()}
			}
		default:
			return &ExposedTerminalError{addr.String()}
		}
	}
	return nil
}
