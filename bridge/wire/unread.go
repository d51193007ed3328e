package wire

import (
	"net"
	"time"
)

// unreadTime is how long a client may leave unread what a child that has ended
// has written.
const unreadTime = 30 * time.Second

// unreadChecks is how often within that time it is looked whether the client has
// taken something.
const unreadChecks = 30

// unreadLimit ends a connection whose client takes nothing.
type unreadLimit struct {
	*Alarm
	wire  *Conn
	taken int64     // bytes that the client's host has acknowledged
	since time.Time // it has taken something, or there was nothing to take
}

// LimitUnread bounds, from now on, how long the client may leave unread what waits
// for it, or pause: the connection is aborted after 30 s without progress, or
// after patience if that is not zero. The child has ended. Only the first call
// counts.
func (w *Conn) LimitUnread(patience time.Duration) {
	w.closeMu.Lock()
	defer w.closeMu.Unlock()
	if w.unread != nil {
		return
	}
	if patience <= 0 {
		patience = unreadTime
	}
	w.patience = patience
	w.unread = &unreadLimit{wire: w, since: time.Now()}
	w.unread.taken, _ = w.unread.progress()
	w.unread.Alarm = StartAlarm(patience/unreadChecks, w.unread.check)
}

// progress returns how much the client's host has acknowledged, and whether that is
// all, and the client has not paused.
func (u *unreadLimit) progress() (taken int64, all bool) {
	out, left := u.wire.Out, Unsent(u.wire.Conn)
	return out.taken() - int64(left), left == 0 && out.Backlog() == 0 && !out.Paused()
}

// check aborts the connection if it is time to.
func (u *unreadLimit) check() (next time.Duration) {
	w := u.wire
	taken, all := u.progress()
	switch {
	case taken != u.taken || all:
		u.taken, u.since = taken, time.Now()
	case time.Since(u.since) >= w.patience:
		w.Overdue.Store(true)
		w.Abort()
		return 0
	}
	return w.patience / unreadChecks
}

// maxOrphan is how much the kernel may go on to hold for a client, in bytes, when
// its connection is closed: neither --maxforks nor --max-per-ip bounds that.
const maxOrphan = 64 << 10

// dropUnsent closes conn by a reset if the kernel holds more than maxOrphan for
// the client, which it then drops.
func dropUnsent(conn net.Conn) {
	if Unsent(conn) <= maxOrphan {
		return
	}
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS would wait to say good-bye
		conn = c.NetConn()
	}
	if c, ok := conn.(interface{ SetLinger(int) error }); ok && c.SetLinger(0) == nil {
		conn.Close()
	}
}
