package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// loopback is where a server listens that is not told otherwise: a child
// process is code execution.
var loopback = []string{"127.0.0.1", "::1"}

// portTries is how often a port that one address picked may prove to be taken
// on another.
const portTries = 10

// listen binds every address of cfg, all on the same port.
func listen(cfg Config) ([]net.Listener, error) {
	for try := 1; ; try++ {
		listeners, err := listenOnce(cfg)
		if err == nil || cfg.Port != 0 || try == portTries || !errors.Is(err, syscall.EADDRINUSE) {
			return listeners, err
		}
	}
}

func listenOnce(cfg Config) (listeners []net.Listener, err error) {
	addresses, optional := cfg.Addresses, false
	if len(addresses) == 0 {
		addresses, optional = loopback, true
	}
	port := cfg.Port
	for i, address := range addresses {
		l, err := listenTCP(address, port)
		if err != nil && optional && i > 0 && noSuchAddress(err) {
			continue // a machine without IPv6
		}
		if err != nil {
			closeAll(listeners)
			return nil, err
		}
		listeners = append(listeners, l)
		port = l.Addr().(*net.TCPAddr).Port
	}
	return listeners, nil
}

func listenTCP(address string, port int) (net.Listener, error) {
	host := strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	network := "tcp"
	if ip, err := netip.ParseAddr(host); err == nil {
		network = "tcp6" // [::] must not take the IPv4 port too: 0.0.0.0 may be given beside it
		if ip.Is4() {
			network = "tcp4"
		}
	}
	hostPort := net.JoinHostPort(host, strconv.Itoa(port))
	l, err := new(net.ListenConfig).Listen(context.Background(), network, hostPort)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", hostPort, rootCause(err))
	}
	return l, nil
}

// rootCause drops what net says around the cause: we have said it.
func rootCause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if sys, ok := errors.AsType[syscall.Errno](op.Err); ok {
			return sys
		}
		return op.Err
	}
	return err
}

func noSuchAddress(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}
