//go:build unix

package listen

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
)

// systemdListeners returns the sockets that systemd has passed to us (sd_listen_fds(3)).
// Children inherit neither them nor the environment variables that describe them. Closing
// a unix socket does not remove its file, because systemd keeps the socket.
func systemdListeners() (listeners []net.Listener, err error) {
	for _, f := range activation.Files(true) {
		l, lerr := fileListener(f)
		f.Close() // l is a copy
		if lerr != nil {
			err = errors.Join(err, fmt.Errorf("use socket %s from systemd: %w", f.Name(), lerr))
			continue
		}
		listeners = append(listeners, l)
	}
	return listeners, err
}

// fileListener returns a listener for f, which must be a listening stream socket.
func fileListener(f *os.File) (net.Listener, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var kind, accepts int
	var kindErr, acceptsErr error
	if err := raw.Control(func(fd uintptr) {
		kind, kindErr = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TYPE)
		accepts, acceptsErr = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	}); err != nil {
		return nil, err
	}
	switch err := cmp.Or(kindErr, acceptsErr); {
	case err != nil:
		return nil, err
	case kind != syscall.SOCK_STREAM || accepts == 0:
		return nil, errors.New("not a listening stream socket (set ListenStream= and Accept=no)")
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, rootCause(err)
	}
	return l, nil
}
