package wire

import (
	"net"
	"time"
)

// HungUp reports whether the peer of conn has hung up, even behind data that
// nobody has read yet. Only Linux tells.
func HungUp(conn net.Conn) (gone bool) {
	control(conn, func(fd uintptr) { gone = hungUp(fd) })
	return gone
}

// WatchHangup calls gone, at most once, if the peer hangs up, or the connection
// is aborted, before the returned stop is called. It serves while nobody reads the wire, because the
// child does not take what was read before; stop must be called before Read.
func (w *Conn) WatchHangup(gone func()) (stop func()) {
	raw := rawSocket(w.Conn)
	if raw == nil || !w.readMu.TryLock() { // who reads notices it anyway
		return func() {}
	}
	if w.isClosing() {
		w.readMu.Unlock()
		gone()
		return func() {}
	}
	done := make(chan struct{})
	go func() { // ends at a hang-up, or by the deadline that stop or Close sets
		defer close(done)
		err := raw.Read(hungUp)
		if err != nil {
			w.setReadDeadline(time.Time{}) // before anybody else reads, and has it
		}
		w.readMu.Unlock()
		if err == nil || w.Lost.Load() {
			gone()
		}
	}()
	return func() {
		w.setReadDeadline(time.Unix(1, 0))
		<-done
		w.setReadDeadline(time.Time{})
	}
}

// setReadDeadline leaves alone the deadline of a wire that is being closed.
func (w *Conn) setReadDeadline(t time.Time) {
	w.closeMu.Lock()
	defer w.closeMu.Unlock()
	if !w.closing {
		w.Conn.SetReadDeadline(t)
	}
}
