package connect

import (
	"sync/atomic"
	"time"

	"wspipe/bridge/wire"
)

// readBufferSize is the size of the read buffer in bytes.
const readBufferSize = 64 << 10

// netConn is the network connection below TLS and the WebSocket. Writes to its Conn do not
// block, so that the library answers pings even if the server does not read. Read calls
// beforeRead before it reads from the kernel.
type netConn struct {
	*wire.Conn
	beforeRead func()

	// ignoreWriteErrors makes Write report success after a failure, so that the library
	// continues to read.
	ignoreWriteErrors bool

	reads atomic.Int64 // counts reads from the kernel

	buf        []byte
	start, end int // the unread part of buf
}

// Read implements io.Reader.
func (l *netConn) Read(p []byte) (int, error) {
	if l.start == l.end {
		l.beforeRead()
		l.reads.Add(1) // the previous read has returned data
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

// Write implements io.Writer. The library stops reading if it cannot answer a ping, but the
// server will not send the data again that our host has acknowledged.
func (l *netConn) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	if err != nil && l.ignoreWriteErrors {
		return len(p), nil
	}
	return n, err
}

// closeRead ends a connection whose other host has vanished. Data received before is still
// read, because the server will not send again what our host has acknowledged.
func (l *netConn) closeRead() {
	if c, ok := l.Conn.Conn.(interface{ CloseRead() error }); ok {
		c.CloseRead()
	}
}

// SetWriteDeadline does nothing, because a Write never blocks. TLS sets a deadline when it
// closes, which would discard the queue.
func (l *netConn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets the read deadline only.
func (l *netConn) SetDeadline(t time.Time) error { return l.SetReadDeadline(t) }

// closeTimeout bounds the end of a connection.
const closeTimeout = 3 * time.Second

// waitClosed waits, after Close, until the queue has been sent and the server has closed
// its end, but not longer than closeTimeout.
func (l *netConn) waitClosed() {
	select {
	case <-l.Closed():
	case <-time.After(closeTimeout):
		l.Abort()
		<-l.Closed()
	}
}
