//go:build !unix

package listen

import "net"

// systemdListeners returns no sockets: this platform has no systemd.
func systemdListeners() ([]net.Listener, error) { return nil, nil }
