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
			sendToWire(t, far, make([]byte, 100<<10))
			gone := make(chan struct{}, 2)
			stop := w.WatchHangup(func() { gone <- struct{}{} })
			sendToWire(t, far, make([]byte, 1000))
			if len(gone) > 0 {
				t.Error("data is no hang-up")
			}
			leave(far)
			wspipetest.Wait(t, "hang-up noticed", gone)
			stop()
			if len(gone) > 0 {
				t.Error("noticed twice")
			}
		})
	}
}

func TestHangupThatWasThereBefore(t *testing.T) {
	t.Parallel()
	w, far := newConn(t)
	far.Write([]byte("unread"))
	far.Close()
	gone := make(chan struct{}, 1)
	stop := w.WatchHangup(func() { close(gone) })
	wspipetest.Wait(t, "hang-up noticed", gone)
	stop()
	if got := readWire(t, w, 10); got != "unread" {
		t.Errorf("read %q", got)
	}
}

func TestHangupWatchEndsAndLeavesTheWireUsable(t *testing.T) {
	t.Parallel()
	w, far := newConn(t)
	for range 3 {
		far.Write([]byte("message"))
		w.WatchHangup(func() { t.Error("nobody has gone") })()
		if got := readWire(t, w, 10); got != "message" {
			t.Errorf("read %q", got)
		}
	}
	far.Close()
	if _, err := w.Read(make([]byte, 1)); err != ErrDisconnected {
		t.Errorf("Read: %v", err)
	}
}

// The closing handshake may want to read while a watch goes on, or be reading
// already.
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
		stop := w.WatchHangup(func() { t.Error("nobody has gone") })
		read := make(chan error)
		go func() { // ends with the write below
			_, err := w.Read(make([]byte, 1))
			read <- err
		}()
		stop()
		wspipetest.Wait(t, "idle", idle)
		w.WatchHangup(func() { t.Error("nobody has gone") })()
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
	w.WatchHangup(func() { t.Error("nobody has gone") })()
	stop := w.WatchHangup(func() { close(gone) })
	far.Close()
	wspipetest.Wait(t, "hang-up noticed", gone)
	stop()
	if got := readWire(t, w, 10); got != "unread" {
		t.Errorf("read %q", got)
	}
	w.Abort()
	wspipetest.Wait(t, "the end of the wire", w.Closed())
}

// Where nothing can be watched, stop still works.
func TestHangupOfWhatIsNoSocket(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	w := NewConn(near, nil)
	w.WatchHangup(func() { t.Error("nobody has gone") })()
	w.Abort()
	wspipetest.Wait(t, "the end of the wire", w.Closed())
}

// Close must end a watch although nobody calls stop, and go on to read what the
// peer still sends. On one processor it overtakes the goroutine that it wakes.
func TestCloseDuringAHangupWatch(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	wspipetest.Soon(t, lingerTime/2, func() time.Duration {
		w, far := newConn(t)
		sendToWire(t, far, make([]byte, 1000))
		stop := w.WatchHangup(func() { t.Error("nobody has gone") })
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
