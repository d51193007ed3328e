package wire

import (
	"net"
	"time"
)

// HungUp reports whether the remote end has closed or reset conn, even if data that
// nobody has read precedes that. It is always false except on Linux.
func HungUp(conn net.Conn) (gone bool) {
	control(conn, func(fd uintptr) { gone = hungUp(fd) })
	return gone
}

// WatchHangup calls gone, at most once, if the remote end hangs up or the connection
// is aborted before stop is called. It replaces reading while the child does not
// accept more input. Call stop before the next Read.
func (c *Conn) WatchHangup(gone func()) (stop func()) {
	raw := rawSocket(c.Conn)
	if raw == nil || !c.readMu.TryLock() { // no socket, or a pending Read notices it
		return func() {}
	}
	if c.isClosing() {
		c.readMu.Unlock()
		gone()
		return func() {}
	}
	done := make(chan struct{})
	go func() { // ends at a hang-up; unblocked by the deadline that stop or Close sets
		defer close(done)
		err := raw.Read(hungUp)
		if err != nil {
			c.setReadDeadline(time.Time{}) // before another reader gets readMu
		}
		c.readMu.Unlock()
		if err == nil || c.Lost.Load() {
			gone()
		}
	}()
	return func() {
		c.setReadDeadline(time.Unix(1, 0))
		<-done
		c.setReadDeadline(time.Time{})
	}
}

// setReadDeadline sets the read deadline, unless Close has begun, which owns it.
func (c *Conn) setReadDeadline(t time.Time) {
	c.closeMu.Lock()
	defer c.closeMu.Unlock()
	if !c.closing {
		c.Conn.SetReadDeadline(t)
	}
}

// HostGone reports whether the remote host has left what we sent without any reply for
// silence, at least 3 s. It is always false except on Linux.
func (c *Conn) HostGone(silence time.Duration) bool { return hostGone(c.Conn, silence) }

// writeFailed ends the connection after a failed write. If the remote end has hung up, Read
// ends it, once it has returned what was received before.
func (c *Conn) writeFailed() {
	if !HungUp(c.Conn) {
		c.Abort()
	}
}

// KeepAlive makes the kernel end the connection if the remote host does not reply for two
// intervals, even if nothing is sent. Zero or less leaves the kernel's defaults.
func (c *Conn) KeepAlive(interval time.Duration) {
	conn := c.Conn
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = tls.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok && interval > 0 {
		const probes = 3
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: max(time.Second, interval), Interval: max(time.Second, interval/(probes+1)), Count: probes})
	}
}
