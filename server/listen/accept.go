package listen

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// retryListener is a listener that only its closing ends: where accepting a
// connection fails for another reason, such as a lack of descriptors or memory, or
// a connection that broke before, it tries again.
type retryListener struct {
	net.Listener
	log    *slog.Logger
	closed chan struct{}
	once   sync.Once
	logged time.Time // when an error was logged last
}

// Retry returns a listener that retries each Accept that fails, unless l is closed, and
// logs why, at most once a second.
func Retry(l net.Listener, log *slog.Logger) net.Listener {
	return &retryListener{Listener: l, log: log, closed: make(chan struct{})}
}

// How long to wait before the next attempt, at first and at most, and how often
// errors are logged.
const (
	minAcceptDelay    = 5 * time.Millisecond
	maxAcceptDelay    = time.Second
	acceptLogInterval = time.Second
)

// Accept implements net.Listener. Its error is net.ErrClosed.
func (l *retryListener) Accept() (net.Conn, error) {
	for delay := minAcceptDelay; ; delay = min(2*delay, maxAcceptDelay) {
		conn, err := l.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return conn, err
		}
		if time.Since(l.logged) >= acceptLogInterval {
			l.logged = time.Now()
			l.log.Warn("cannot accept a connection", "address", l.Addr().String(), "error", rootCause(err))
		}
		select {
		case <-time.After(delay):
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// Close implements net.Listener.
func (l *retryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}
