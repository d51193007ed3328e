package connect

import (
	"sync/atomic"
	"time"

	"wspipe/bridge/wire"
)

// readBufferSize is how much a link reads at once, in bytes.
const readBufferSize = 64 << 10

// netConn is the connection below TLS and the WebSocket. The Wire keeps the library
// from waiting, so that pings are answered also while the server takes nothing
// of what we send. Its Read calls idle before it asks the kernel for more.
type netConn struct {
	*wire.Conn
	beforeRead func()

	// readOn makes a write that fails nothing that ends reading.
	ignoreWriteErrors bool

	reads atomic.Int64 // signs of life

	buf        []byte
	start, end int // what buf has
}

// Read implements io.Reader.
func (l *netConn) Read(p []byte) (int, error) {
	if l.start == l.end {
		l.beforeRead()
		l.reads.Add(1) // as the one before has brought something
		if len(p) >= readBufferSize {
			return l.Conn.Read(p)
		}
		if l.buf == nil {
			l.buf = make([]byte, readBufferSize)
		}
		n, err := l.Conn.Read(l.buf)
		if l.start, l.end = 0, n; err != nil {
			return 0, err
		}
	}
	n := copy(p, l.buf[l.start:l.end])
	l.start += n
	return n, nil
}

// Write implements io.Writer. The library reads no more once it cannot answer a
// ping, but the server will not send again what our host has.
func (l *netConn) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	if err != nil && l.ignoreWriteErrors {
		return len(p), nil
	}
	return n, err
}

// closeRead makes a link whose other end has vanished end. What has come is read
// before: the server will not send again what our host has acknowledged.
func (l *netConn) closeRead() {
	if c, ok := l.Conn.Conn.(interface{ CloseRead() error }); ok {
		c.CloseRead()
	}
}

// SetWriteDeadline does nothing: a Write never waits. TLS, which sets one when it
// closes, would end what still waits to be written.
func (l *netConn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline is that for reading.
func (l *netConn) SetDeadline(t time.Time) error { return l.SetReadDeadline(t) }

// closeTimeout is how long the end of a connection may take.
const closeTimeout = 3 * time.Second

// waitClosed waits until the closed link has delivered what waits and the server has
// closed, too, but not longer than closeTimeout.
func (l *netConn) waitClosed() {
	select {
	case <-l.Closed():
	case <-time.After(closeTimeout):
		l.Abort()
		<-l.Closed()
	}
}
