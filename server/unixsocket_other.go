//go:build !unix

package server

import (
	"net"
	"syscall"
)

// errRefused is what a socket says whose server is gone: WSAECONNREFUSED.
const errRefused = syscall.Errno(10061)

// bindPrivate makes a socket file; its directory says who may use it.
func bindPrivate(path string) (*net.UnixListener, error) {
	return net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
}

func lockDir(string) (unlock func()) { return func() {} }
