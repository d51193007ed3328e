// Package listen opens the sockets of a server: TCP addresses, a unix socket and
// what systemd hands over, with TLS or without.
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

// Sockets says what a server listens on.
type Sockets struct {
	// Addresses are the host names or IP literals to listen on, without a
	// port. Empty means loopback only, 127.0.0.1 and ::1, and none at all
	// beside a UnixSocket or sockets that systemd hands over.
	Addresses []string
	// Port is the TCP port on every address. Zero lets the system pick one.
	Port int
	// RedirectPort is the port on every address that redirects to Port. Zero
	// means none.
	RedirectPort int
	// UnixSocket is the path of a socket to listen on, too. Empty means none.
	UnixSocket string
	// UnixSocketMode is its permission bits. Zero means 0600.
	UnixSocketMode fs.FileMode
	// TLS makes every listener speak TLS. Nil means plain HTTP.
	TLS *TLS
}

// loopback are the default addresses, because a child process is code execution.
var loopback = []string{"127.0.0.1", "::1"}

// maxPortTries is how often a port that the system picked for one address may be
// taken on another.
const maxPortTries = 10

// Listeners are the open sockets of a server. Close closes them.
type Listeners struct {
	Serving     []net.Listener
	Redirecting []RedirectListener

	config *watch.Value[*tls.Config] // nil without TLS
}

// RedirectListener is a plain TCP port whose clients are redirected to another.
type RedirectListener struct {
	net.Listener
	To int // the port that they are redirected to
}

// Open opens the TCP sockets and the unix socket of cfg, takes those that systemd
// hands over, and opens beside each TCP socket the one that redirects to it. With
// TLS, log gets a line for each reload of the certificate.
func Open(cfg Sockets, log *slog.Logger) (all *Listeners, err error) {
	all = &Listeners{}
	defer func() {
		if err != nil {
			all.Close()
			all = nil
		}
	}()
	if cfg.TLS != nil { // first: a server without a certificate should not listen
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

// open opens the sockets of cfg, still without TLS. After an error, some are open.
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
		l, err := listenUnix(cfg.UnixSocket, cfg.UnixSocketMode)
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

// Reload reads the certificate, its key and the client CA again, whether they seem
// to have changed or not.
func (s *Listeners) Reload() {
	if s.config != nil {
		s.config.Reload()
	}
}

// URLs returns the WebSocket address of each serving listener, such as
// ws://127.0.0.1:8080/, wss:// with TLS, and unix:/path for a unix socket.
func (s *Listeners) URLs() []string {
	scheme := "ws"
	if s.config != nil {
		scheme = "wss"
	}
	var urls []string
	for _, l := range s.Serving {
		if addr, ok := l.Addr().(*net.UnixAddr); ok {
			urls = append(urls, "unix:"+addr.Name) // no URL names a file
			continue
		}
		urls = append(urls, scheme+"://"+l.Addr().String()+"/")
	}
	return urls
}

// listenRedirect binds port on the address of each TCP socket.
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

// listenTCP binds every address, each once and all on the same port. All but
// the first may be missing on this machine if they are optional.
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
