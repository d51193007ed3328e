package wire

import (
	"net"
	"time"
)

// UnreadTimeout is the default for how long a client may leave a response, or the output of
// an ended child, unread.
const UnreadTimeout = 30 * time.Second

// unreadChecks is how many times within that time the client's progress is checked.
const unreadChecks = 30

// unreadLimit aborts a connection whose client makes no progress.
type unreadLimit struct {
	*Alarm
	conn  *Conn
	taken int64     // bytes that the client's host has acknowledged
	since time.Time // of the last progress, or when everything was acknowledged
}

// LimitUnread limits how long the client may leave queued output unread, or stay paused,
// once the child has ended: the connection is aborted after timeout without progress.
// Zero means 30 s. Only the first call has an effect.
func (c *Conn) LimitUnread(timeout time.Duration) {
	c.closeMu.Lock()
	defer c.closeMu.Unlock()
	if c.unread != nil {
		return
	}
	if timeout <= 0 {
		timeout = UnreadTimeout
	}
	c.unreadTimeout = timeout
	c.unread = &unreadLimit{conn: c, since: time.Now()}
	c.unread.taken, _ = c.unread.progress()
	c.unread.Alarm = StartAlarm(timeout/unreadChecks, c.unread.check)
}

// progress returns how many bytes the client's host has acknowledged, and whether these
// are all and the client is not paused.
func (u *unreadLimit) progress() (taken int64, all bool) {
	out, left := u.conn.Out, Unsent(u.conn.Conn)
	return out.taken() - int64(left), left == 0 && out.Backlog() == 0 && !out.Paused()
}

// check aborts the connection if the timeout has passed.
func (u *unreadLimit) check() (next time.Duration) {
	c := u.conn
	taken, all := u.progress()
	switch {
	case taken != u.taken || all:
		u.taken, u.since = taken, time.Now()
	case time.Since(u.since) >= c.unreadTimeout:
		c.Overdue.Store(true)
		c.Abort()
		return 0
	}
	return c.unreadTimeout / unreadChecks
}

// MaxOrphan is how many bytes the kernel may hold for a client after its connection is
// closed: neither --maxforks nor --max-per-ip limits that.
const MaxOrphan = 64 << 10

// dropUnsent resets conn if the kernel holds more than MaxOrphan for the client.
func dropUnsent(conn net.Conn) {
	if Unsent(conn) > MaxOrphan {
		Reset(conn)
	}
}

// Reset closes conn at once. The kernel drops what it holds for the remote end.
func Reset(conn net.Conn) {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS would wait to send its close alert
		conn = c.NetConn()
	}
	if c, ok := conn.(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0)
	}
	conn.Close()
}
