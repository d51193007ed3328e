//go:build !unix

package listen

import "net"

// systemdListeners returns no sockets: there is no systemd here.
func systemdListeners() ([]net.Listener, error) { return nil, nil }
