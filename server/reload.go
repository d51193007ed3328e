package server

import "github.com/coreos/go-systemd/v22/daemon"

// reload reads all watched files again, even if they seem unchanged. Errors are logged, and the
// previous contents stay in effect.
func (s *Server) reload() {
	s.notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	s.policy.Reload()
	s.listeners.Reload()
	s.reloadRoutes()
	s.notify(daemon.SdNotifyReady)
}

// notify sends the state of the service to systemd (sd_notify(3)), if systemd has requested it.
func (s *Server) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Warn("cannot notify systemd", "error", err)
	}
}
