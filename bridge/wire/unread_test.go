//go:build unix

package wire

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"wspipe/cmd/wspipetest"
)

// TestUnreadLimit: only time without progress counts.
func TestUnreadLimit(t *testing.T) {
	t.Parallel()
	const step = 29 * time.Second
	for name, test := range map[string]struct {
		timeout time.Duration
		client  func(w *Conn, far net.Conn)
		want    time.Duration // when the connection is aborted; zero means never
	}{
		"takes nothing":   {0, func(*Conn, net.Conn) {}, UnreadTimeout},
		"other timeout":   {time.Minute, func(*Conn, net.Conn) {}, time.Minute},
		"takes something": {0, func(_ *Conn, far net.Conn) { readSlowly(far, step, 5) }, 5*step + UnreadTimeout},
		"takes all":       {0, func(_ *Conn, far net.Conn) { readSlowly(far, step, 10) }, 0},
		"paused": {0, func(w *Conn, far net.Conn) {
			w.Out.Pause()
			io.Copy(io.Discard, far)
		}, UnreadTimeout},
		"paused for a while": {0, func(w *Conn, far net.Conn) {
			w.Out.Pause()
			time.AfterFunc(step, func() { w.Out.Continue() })
			io.Copy(io.Discard, far)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				w := NewConn(near, nil)
				w.Write(make([]byte, 10*maxWrite))
				start := time.Now()
				w.LimitUnread(test.timeout)
				w.LimitUnread(time.Nanosecond)
				go test.client(w, far) // ends when far is closed
				select {
				case <-w.Closed():
				case <-time.After(time.Hour):
					w.Abort()
				}
				took := time.Since(start).Truncate(5 * time.Second)
				if want := test.want.Truncate(5 * time.Second); want != took && (want > 0 || took < time.Hour) {
					t.Errorf("aborted after %v, want %v", took, want)
				}
				far.Close()
			})
		})
	}
}

// readSlowly reads, after each pause, as many bytes as the queue writes at once.
func readSlowly(far net.Conn, pause time.Duration, times int) {
	for range times {
		<-time.After(pause)
		io.CopyN(io.Discard, far, maxWrite)
	}
}

// TestUnsentAfterReset: the kernel still reports what it has dropped.
func TestUnsentAfterReset(t *testing.T) {
	t.Parallel()
	conn, far := newConn(t)
	far.SetReadBuffer(4096)
	conn.Conn.Write(make([]byte, 1<<20))
	if n := Unsent(conn.Conn); n <= MaxOrphan {
		t.Fatalf("%d bytes are unsent", n)
	}
	far.SetLinger(0)
	far.Close()
	wspipetest.Eventually(t, "nothing is unsent", func() bool { return Unsent(conn.Conn) == 0 })
}

// TestUnreadIsDropped: the kernel holds nothing after the end of a connection whose
// client does not read, even if some of it was sent.
func TestUnreadIsDropped(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *Conn, far *net.TCPConn){
		"aborted":      func(w *Conn, _ *net.TCPConn) { w.Abort() },
		"limited":      func(w *Conn, _ *net.TCPConn) { w.LimitUnread(time.Second) },
		"client done":  func(w *Conn, _ *net.TCPConn) { w.CloseReceived(); w.Close() },
		"client ended": func(w *Conn, far *net.TCPConn) { far.CloseWrite(); w.Close() },
		"closed":       func(w *Conn, _ *net.TCPConn) { w.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, far := newConn(t)
			far.SetReadBuffer(4096)
			size := 1 << 20
			if name != "client done" && name != "client ended" && name != "closed" {
				size = 20 << 20
			}
			w.Write(make([]byte, size))
			end(w, far)
			wspipetest.Wait(t, "the end of the connection", w.Closed())
			far.SetReadDeadline(time.Now().Add(wspipetest.Patience))
			far.SetReadBuffer(size)
			got, err := io.ReadAll(far)
			if !errors.Is(err, syscall.ECONNRESET) || len(got) >= size {
				t.Errorf("read %d bytes, %v; want a reset", len(got), err)
			}
		})
	}
}
