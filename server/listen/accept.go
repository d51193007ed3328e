package listen

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// retryListener is a listener whose Accept fails only once it is closed. After another
// failure, such as a lack of descriptors or memory or an aborted connection, it tries again.
type retryListener struct {
	net.Listener
	log    *slog.Logger
	closed chan struct{}
	once   sync.Once
	logged time.Time // when the last error was logged
}

// Retry returns a listener that retries each failed Accept until l is closed. It logs the
// errors, at most one per second.
func Retry(l net.Listener, log *slog.Logger) net.Listener {
	return &retryListener{Listener: l, log: log, closed: make(chan struct{})}
}

// The bounds of the delay before the next attempt, and the interval for logging errors.
const (
	minAcceptDelay    = 5 * time.Millisecond
	maxAcceptDelay    = time.Second
	acceptLogInterval = time.Second
)

// Accept implements net.Listener. Its error always wraps net.ErrClosed.
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
