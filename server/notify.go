package server

import "github.com/coreos/go-systemd/v22/daemon"

// reload reads again every file that the server watches, whether it seems to
// have changed or not. What cannot be read goes to the log, and the last good
// state stays.
func (s *Server) reload() {
	s.notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	s.policy.Reload()
	s.listeners.Reload()
	s.reloadRoutes()
	s.notify(daemon.SdNotifyReady)
}

// notify tells systemd the state of the service (sd_notify(3)), if systemd has
// started it and wants to know.
func (s *Server) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Warn("cannot notify systemd", "error", err)
	}
}
