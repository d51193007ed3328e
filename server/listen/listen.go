// Package listen opens the sockets of a server: TCP addresses, a unix socket and the sockets
// that systemd passes, with or without TLS.
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"wspipe/server/watch"
)

// Sockets specifies the sockets to open. The zero value means the loopback addresses, on a
// port that the system picks.
type Sockets struct {
	// Addresses are the host names or IP literals to listen on, without a port. Empty
	// means 127.0.0.1 and ::1, or no address if there is a UnixSocket or systemd passes
	// sockets.
	Addresses []string
	// Port is the TCP port on every address. Zero lets the system pick one.
	Port int
	// RedirectPort is the port on every address that redirects to Port. Zero means none.
	RedirectPort int
	// UnixSocket is the path of an additional unix socket. Empty means none.
	UnixSocket string
	// UnixSocketMode is the permission bits of UnixSocket. Zero means 0600.
	UnixSocketMode fs.FileMode
	// TLS enables TLS on every listener. Nil means plain HTTP.
	TLS *TLS
}

// loopback are the default addresses, because a child process is code execution.
var loopback = []string{"127.0.0.1", "::1"}

// maxPortTries bounds how often the system may pick a port that another address already
// uses.
const maxPortTries = 10

// Listeners are the open sockets of a server. The caller closes them with Close.
type Listeners struct {
	Serving     []net.Listener     // for the server, with TLS if that is enabled
	Redirecting []RedirectListener // plain HTTP

	config *watch.Value[*tls.Config] // nil without TLS
}

// RedirectListener is a TCP port whose clients are redirected to another port.
type RedirectListener struct {
	net.Listener
	To int // the port to redirect to
}

// Open opens the TCP sockets and the unix socket of cfg, those that systemd passes, and for
// each TCP socket the one that redirects to it. After an error, none is open. With TLS, each
// reload of the certificate is logged to log.
func Open(cfg Sockets, log *slog.Logger) (all *Listeners, err error) {
	all = &Listeners{}
	defer func() {
		if err != nil {
			all.Close()
			all = nil
		}
	}()
	if cfg.TLS != nil { // first, so that a server without a certificate does not listen
		if all.config, err = cfg.TLS.watch(log); err != nil {
			return all, err
		}
	}
	if err = all.open(cfg); err != nil {
		return all, err
	}
	if all.config != nil {
		for i, l := range all.Serving {
			all.Serving[i] = tls.NewListener(l, currentConfig(all.config))
		}
	}
	return all, nil
}

// open opens the sockets of cfg, without TLS. After an error, some may be open.
func (s *Listeners) open(cfg Sockets) (err error) {
	if s.Serving, err = systemdListeners(); err != nil {
		return err
	}
	addresses, optional := cfg.Addresses, false
	if len(addresses) == 0 && cfg.UnixSocket == "" && len(s.Serving) == 0 {
		addresses, optional = loopback, true
	}
	tcp, err := listenTCP(addresses, cfg.Port, optional)
	if err != nil {
		return err
	}
	s.Serving = append(tcp, s.Serving...)
	if cfg.UnixSocket != "" {
		l, err := Unix(cfg.UnixSocket, cfg.UnixSocketMode)
		if err != nil {
			return err
		}
		s.Serving = append(s.Serving, l)
	}
	if cfg.RedirectPort != 0 {
		return s.listenRedirect(cfg.RedirectPort)
	}
	return nil
}

// Close closes all sockets and removes the file of the unix socket.
func (s *Listeners) Close() {
	closeAll(s.Serving)
	for _, l := range s.Redirecting {
		l.Close()
	}
}

// Reload reads the certificate, its key and the client CA again, even if the files seem
// unchanged. An error is logged, and the previous contents stay in effect.
func (s *Listeners) Reload() {
	if s.config != nil {
		s.config.Reload()
	}
}

// URLs returns the WebSocket URL of each serving listener, such as ws://127.0.0.1:8080/, or
// wss:// with TLS, and unix:/path for a unix socket.
func (s *Listeners) URLs() []string {
	scheme := "ws"
	if s.config != nil {
		scheme = "wss"
	}
	var urls []string
	for _, l := range s.Serving {
		if addr, ok := l.Addr().(*net.UnixAddr); ok {
			urls = append(urls, "unix:"+addr.Name) // not a URL: none names a file
			continue
		}
		urls = append(urls, scheme+"://"+l.Addr().String()+"/")
	}
	return urls
}

// listenRedirect opens port on the address of each TCP socket.
func (s *Listeners) listenRedirect(port int) error {
	for _, l := range s.Serving {
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			continue
		}
		beside, err := bindTCP(addr.AddrPort().Addr().Unmap(), port)
		if err != nil {
			return err
		}
		s.Redirecting = append(s.Redirecting, RedirectListener{beside, addr.Port})
	}
	if len(s.Redirecting) == 0 {
		return fmt.Errorf("redirect from port %d: this server does not listen on TCP", port)
	}
	return nil
}

// listenTCP binds every address once, all on the same port. If optional is true, addresses
// after the first may be unavailable.
func listenTCP(addresses []string, port int, optional bool) ([]net.Listener, error) {
	ips, err := resolveAll(addresses, port)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		listeners, err := bindAll(ips, port, optional)
		if err == nil || port != 0 || try == maxPortTries || !errors.Is(err, syscall.EADDRINUSE) {
			return listeners, err
		}
	}
}

// resolveAll resolves addresses to IP addresses, without duplicates.
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
	network := "tcp6" // [::] must not bind the IPv4 port too, because 0.0.0.0 may be given as well
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

// rootCause returns the cause in err without the operation and the address, which our
// message has.
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
