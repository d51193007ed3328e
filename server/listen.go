package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
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

// sockets are what a server listens on.
type sockets struct {
	serving     []net.Listener
	redirecting []redirectListener
}

// redirectListener is a plain port whose clients are sent to another.
type redirectListener struct {
	net.Listener
	to int
}

func (s *sockets) close() {
	closeAll(s.serving)
	for _, l := range s.redirecting {
		l.Close()
	}
}

// open opens every socket of s.cfg, with TLS if it says so.
func (s *Server) open() (err error) {
	var secure *tls.Config
	if s.cfg.TLS != nil { // first: what cannot serve should not listen
		if secure, err = s.newTLSConfig(); err != nil {
			return err
		}
	}
	if s.sockets, err = listen(s.cfg); err != nil {
		return err
	}
	if secure != nil {
		for i, l := range s.sockets.serving {
			s.sockets.serving[i] = tls.NewListener(l, secure)
		}
	}
	return nil
}

// listen opens the TCP sockets of cfg, its unix socket, those that systemd hands
// over, and beside each TCP socket the one that redirects to it.
func listen(cfg Config) (all sockets, err error) {
	defer func() {
		if err != nil {
			all.close()
		}
	}()
	if all.serving, err = handedOver(); err != nil {
		return all, err
	}
	addresses, optional := cfg.Addresses, false
	if len(addresses) == 0 && cfg.UnixSocket == "" && len(all.serving) == 0 {
		addresses, optional = loopback, true
	}
	tcp, err := listenTCP(addresses, cfg.Port, optional)
	if err != nil {
		return all, err
	}
	all.serving = append(tcp, all.serving...)
	if cfg.UnixSocket != "" {
		l, err := listenUnix(cfg.UnixSocket, cfg.UnixSocketMode)
		if err != nil {
			return all, err
		}
		all.serving = append(all.serving, l)
	}
	if cfg.RedirectPort != 0 {
		err = all.listenBeside(cfg.RedirectPort)
	}
	return all, err
}

// listenBeside binds port on the address of each TCP socket.
func (s *sockets) listenBeside(port int) error {
	for _, l := range s.serving {
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			continue
		}
		beside, err := bindTCP(addr.AddrPort().Addr().Unmap(), port)
		if err != nil {
			return err
		}
		s.redirecting = append(s.redirecting, redirectListener{beside, addr.Port})
	}
	if len(s.redirecting) == 0 {
		return fmt.Errorf("redirect from port %d: this server does not listen on TCP", port)
	}
	return nil
}

// listenTCP binds every address, each once and all on the same port. All but
// the first may be missing on this machine if they are optional.
func listenTCP(addresses []string, port int, optional bool) ([]net.Listener, error) {
	ips, err := resolveAll(addresses, port)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		listeners, err := bindAll(ips, port, optional)
		if err == nil || port != 0 || try == portTries || !errors.Is(err, syscall.EADDRINUSE) {
			return listeners, err
		}
	}
}

// resolveAll returns the IP addresses that are meant, each once.
func resolveAll(addresses []string, port int) (ips []netip.Addr, err error) {
	for _, address := range addresses {
		host := strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
		hostPort := net.JoinHostPort(host, strconv.Itoa(port))
		addr, err := net.ResolveTCPAddr("tcp", hostPort)
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", hostPort, rootCause(err))
		}
		if ip := addr.AddrPort().Addr().Unmap(); !slices.Contains(ips, ip) {
			ips = append(ips, ip)
		}
	}
	return ips, nil
}

func bindAll(ips []netip.Addr, port int, optional bool) (listeners []net.Listener, err error) {
	for i, ip := range ips {
		l, err := bindTCP(ip, port)
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

func bindTCP(ip netip.Addr, port int) (net.Listener, error) {
	network := "tcp6" // [::] must not take the IPv4 port too: 0.0.0.0 may be given beside it
	if ip.Is4() {
		network = "tcp4"
	}
	hostPort := net.JoinHostPort(ip.String(), strconv.Itoa(port))
	l, err := new(net.ListenConfig).Listen(context.Background(), network, hostPort)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", hostPort, rootCause(err))
	}
	return l, nil
}

// rootCause drops what net and os say around the cause: we say it ourselves.
func rootCause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if sys, ok := errors.AsType[syscall.Errno](op.Err); ok {
			return sys
		}
		return op.Err
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
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

// url returns the address of l as a WebSocket client writes it, or
// unix:/path: there is no such URL for a file.
func (s *Server) url(l net.Listener) string {
	if addr, ok := l.Addr().(*net.UnixAddr); ok {
		return "unix:" + addr.Name
	}
	scheme := "ws"
	if s.cfg.TLS != nil {
		scheme = "wss"
	}
	return scheme + "://" + l.Addr().String() + "/"
}
