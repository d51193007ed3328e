package wire

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

func TestHangupIsNoticedBehindUnreadData(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*net.TCPConn){
		"closed":      func(c *net.TCPConn) { c.Close() },
		"half closed": func(c *net.TCPConn) { c.CloseWrite() },
		"reset":       func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, far := newConn(t)
			sendTo(t, far, make([]byte, 100<<10))
			gone := make(chan struct{}, 2)
			stop := w.WatchHangup(func() { gone <- struct{}{} })
			sendTo(t, far, make([]byte, 1000))
			if len(gone) > 0 {
				t.Error("data was taken for a hang-up")
			}
			leave(far)
			wspipetest.Wait(t, "the hang-up", gone)
			stop()
			if len(gone) > 0 {
				t.Error("gone was called twice")
			}
		})
	}
}

func TestHangupBeforeTheWatch(t *testing.T) {
	t.Parallel()
	w, far := newConn(t)
	far.Write([]byte("unread"))
	far.Close()
	gone := make(chan struct{}, 1)
	stop := w.WatchHangup(func() { close(gone) })
	wspipetest.Wait(t, "the hang-up", gone)
	stop()
	if got := readConn(t, w, 10); got != "unread" {
		t.Errorf("read %q", got)
	}
}

func TestHangupWatchLeavesTheConnUsable(t *testing.T) {
	t.Parallel()
	w, far := newConn(t)
	for range 3 {
		far.Write([]byte("message"))
		w.WatchHangup(func() { t.Error("nobody hung up") })()
		if got := readConn(t, w, 10); got != "message" {
			t.Errorf("read %q", got)
		}
	}
	far.Close()
	if _, err := w.Read(make([]byte, 1)); err != ErrDisconnected {
		t.Errorf("Read: %v", err)
	}
}

// The closing handshake may read during a watch, or may be reading already.
func TestReadDuringAHangupWatch(t *testing.T) {
	t.Parallel()
	w, far := newConn(t)
	idle := make(chan bool, 1)
	w.OnIdle = func() {
		select {
		case idle <- true:
		default:
		}
	}
	for range 100 {
		stop := w.WatchHangup(func() { t.Error("nobody hung up") })
		read := make(chan error)
		go func() { // ends with the write below
			_, err := w.Read(make([]byte, 1))
			read <- err
		}()
		stop()
		wspipetest.Wait(t, "idle", idle)
		w.WatchHangup(func() { t.Error("nobody hung up") })()
		far.Write([]byte("x"))
		if err := wspipetest.Wait(t, "Read", read); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHangupIsNoticedBelowTLS(t *testing.T) {
	t.Parallel()
	near, far := wspipetest.TLSConnPair(t)
	w := NewConn(near, nil)
	far.Write([]byte("unread"))
	gone := make(chan struct{}, 1)
	w.WatchHangup(func() { t.Error("nobody hung up") })()
	stop := w.WatchHangup(func() { close(gone) })
	far.Close()
	wspipetest.Wait(t, "the hang-up", gone)
	stop()
	if got := readConn(t, w, 10); got != "unread" {
		t.Errorf("read %q", got)
	}
	w.Abort()
	wspipetest.Wait(t, "the end of the connection", w.Closed())
}

// If conn is no socket, nothing is watched, but stop still works.
func TestHangupWatchWithoutASocket(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	w := NewConn(near, nil)
	w.WatchHangup(func() { t.Error("nobody hung up") })()
	w.Abort()
	wspipetest.Wait(t, "the end of the connection", w.Closed())
}

// Close must end a watch although nobody calls stop, and then read what the remote end
// still sends. On one processor it overtakes the goroutine that it wakes.
func TestCloseDuringAHangupWatch(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	wspipetest.Soon(t, lingerTime/2, func() time.Duration {
		w, far := newConn(t)
		sendTo(t, far, make([]byte, 1000))
		stop := w.WatchHangup(func() { t.Error("nobody hung up") })
		last := bytes.Repeat([]byte("last words "), 1<<16)
		w.Write(last)
		w.Close()
		started := time.Now()
		stop()
		took := time.Since(started)
		if got, err := io.ReadAll(far); err != nil || !bytes.Equal(got, last) {
			t.Errorf("got %d of %d bytes: %v", len(got), len(last), err)
		}
		return took
	})
}

// What was received before a reset is read, although writes fail already.
func TestFailedWriteLeavesReceivedData(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix", "tls"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			near, far := pair(t, network)
			w := NewConn(near, nil)
			w.Server = true
			handled := make(chan struct{})
			onFail := w.Out.onFail
			w.Out.onFail = func() { onFail(); close(handled) }
			w.Write([]byte("unread, so that closing resets"))
			sent := bytes.Repeat([]byte("received "), 1000)
			sendTo(t, far, sent)
			rawSocketConn(far).Close()
			wspipetest.Eventually(t, "a write fails", func() bool {
				_, err := w.Out.Write([]byte("more"))
				return err != nil
			})
			wspipetest.Wait(t, "the failure is handled", handled)
			if _, err := w.Write([]byte("pong")); err != nil {
				t.Errorf("the library would stop reading: %v", err)
			}
			got, err := io.ReadAll(w)
			if !bytes.Equal(got, sent) || err == nil {
				t.Errorf("read %d of %d bytes: %v", len(got), len(sent), err)
			}
			w.Abort()
			wspipetest.Wait(t, "the end of the connection", w.Closed())
		})
	}
}

// pair returns both ends of a connection over network, which may be tls.
func pair(t *testing.T, network string) (near, far net.Conn) {
	if network == "tls" {
		return wspipetest.TLSConnPair(t)
	}
	return wspipetest.ConnPair(t, network)
}

// rawSocketConn returns the connection below TLS, if conn is a TLS connection.
func rawSocketConn(conn net.Conn) net.Conn {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return c.NetConn()
	}
	return conn
}
