package bridge

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
			w, far := newWire(t)
			sendToWire(t, far, make([]byte, 100<<10))
			gone := make(chan struct{}, 2)
			stop := w.watchHangup(func() { gone <- struct{}{} })
			sendToWire(t, far, make([]byte, 1000))
			if len(gone) > 0 {
				t.Error("data is no hang-up")
			}
			leave(far)
			wait(t, "hang-up noticed", gone)
			stop()
			if len(gone) > 0 {
				t.Error("noticed twice")
			}
		})
	}
}

func TestHangupThatWasThereBefore(t *testing.T) {
	t.Parallel()
	w, far := newWire(t)
	far.Write([]byte("unread"))
	far.Close()
	gone := make(chan struct{}, 1)
	stop := w.watchHangup(func() { close(gone) })
	wait(t, "hang-up noticed", gone)
	stop()
	if got := readWire(t, w, 10); got != "unread" {
		t.Errorf("read %q", got)
	}
}

func TestHangupWatchEndsAndLeavesTheWireUsable(t *testing.T) {
	t.Parallel()
	w, far := newWire(t)
	for range 3 {
		far.Write([]byte("message"))
		w.watchHangup(func() { t.Error("nobody has gone") })()
		if got := readWire(t, w, 10); got != "message" {
			t.Errorf("read %q", got)
		}
	}
	far.Close()
	if _, err := w.Read(make([]byte, 1)); err != ErrPeerGone {
		t.Errorf("Read: %v", err)
	}
}

// The closing handshake may want to read while a watch goes on, or be reading
// already.
func TestReadDuringAHangupWatch(t *testing.T) {
	t.Parallel()
	w, far := newWire(t)
	idle := make(chan bool, 1)
	w.onIdle = func() {
		select {
		case idle <- true:
		default:
		}
	}
	for range 100 {
		stop := w.watchHangup(func() { t.Error("nobody has gone") })
		read := make(chan error)
		go func() { // ends with the write below
			_, err := w.Read(make([]byte, 1))
			read <- err
		}()
		stop()
		wait(t, "idle", idle)
		w.watchHangup(func() { t.Error("nobody has gone") })()
		far.Write([]byte("x"))
		if err := wait(t, "Read", read); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHangupIsNoticedBelowTLS(t *testing.T) {
	t.Parallel()
	near, far := tlsPair(t)
	w := NewWire(near, nil)
	far.Write([]byte("unread"))
	gone := make(chan struct{}, 1)
	w.watchHangup(func() { t.Error("nobody has gone") })()
	stop := w.watchHangup(func() { close(gone) })
	far.Close()
	wait(t, "hang-up noticed", gone)
	stop()
	if got := readWire(t, w, 10); got != "unread" {
		t.Errorf("read %q", got)
	}
	w.Abort()
	wait(t, "the end of the wire", w.Closed())
}

// Where nothing can be watched, stop still works.
func TestHangupOfWhatIsNoSocket(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	w := NewWire(near, nil)
	w.watchHangup(func() { t.Error("nobody has gone") })()
	w.Abort()
	wait(t, "the end of the wire", w.Closed())
}

// Close must end a watch although nobody calls stop, and go on to read what the
// peer still sends. On one processor it overtakes the goroutine that it wakes.
func TestCloseDuringAHangupWatch(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	wspipetest.Soon(t, lingerTime/2, func() time.Duration {
		w, far := newWire(t)
		sendToWire(t, far, make([]byte, 1000))
		stop := w.watchHangup(func() { t.Error("nobody has gone") })
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
