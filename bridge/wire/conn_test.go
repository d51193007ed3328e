//go:build unix

package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"wspipe/cmd/wspipetest"
)

// newConn returns a Conn over TCP and the remote end. The Conn is closed when the
// test ends.
func newConn(t testing.TB) (*Conn, *net.TCPConn) {
	t.Helper()
	near, far := wspipetest.ConnPair(t, "tcp")
	w := NewConn(near, nil)
	t.Cleanup(func() {
		w.Abort()
		wspipetest.Wait(t, "the end of the connection", w.Closed())
	})
	return w, far.(*net.TCPConn)
}

// sendTo writes p to far and waits until the kernel of the other end has it.
func sendTo(t testing.TB, far net.Conn, p []byte) {
	t.Helper()
	if _, err := far.Write(p); err != nil {
		t.Fatal(err)
	}
	if _, ok := far.(*net.TCPConn); ok { // a unix socket passes it on at once
		wspipetest.Eventually(t, "all is acknowledged", func() bool { return Unsent(far) == 0 })
	}
}

// readConn reads once, at most size bytes.
func readConn(t testing.TB, w *Conn, size int) string {
	t.Helper()
	p := make([]byte, size)
	n, err := w.Read(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(p[:n])
}

func TestConnReadsEarlyBytesFirst(t *testing.T) {
	t.Parallel()
	near, far := wspipetest.ConnPair(t, "tcp")
	w := NewConn(near, []byte("early"))
	far.Write([]byte(" late"))
	var got []byte
	for _, size := range []int{2, 512, 512} {
		got = append(got, readConn(t, w, size)...)
	}
	if string(got) != "early late" {
		t.Errorf("read %q", got)
	}
	if n := w.Reads.Load(); n != 1 {
		t.Errorf("%d signs of life, want only the read from the socket", n)
	}
	w.Abort()
	<-w.Closed()
}

func TestConnIsIdleOnlyWhenAllIsRead(t *testing.T) {
	t.Parallel()
	w, far := newConn(t)
	idle := make(chan struct{}, 10)
	w.OnIdle = func() { idle <- struct{}{} }
	sendTo(t, far, []byte("onetwo"))
	readConn(t, w, 3)
	readConn(t, w, 3)
	if len(idle) > 0 {
		t.Error("OnIdle was called while there was data")
	}
	read := make(chan string)
	go func() { read <- readConn(t, w, 9) }() // ends with the write below
	wspipetest.Wait(t, "idle", idle)
	far.Write([]byte("three"))
	if got := wspipetest.Wait(t, "the read", read); got != "three" {
		t.Errorf("read %q", got)
	}
}

// A Conn uses a block while there is much to read, and holds none while it waits.
func TestConnHoldsABlockOnlyWhileBusy(t *testing.T) {
	t.Parallel()
	w, far := newConn(t)
	blocked := make(chan bool, 1)
	w.OnIdle = func() { blocked <- w.block != nil || w.busy }
	sendTo(t, far, bytes.Repeat([]byte("x"), 5000))
	readConn(t, w, 512)
	if w.block != nil {
		t.Error("a block for the first read")
	}
	readConn(t, w, 512)
	if len(w.block) != BlockSize || len(w.early) != 5000-1024 {
		t.Errorf("a full read is followed by one into %d bytes, %d left over", len(w.block), len(w.early))
	}
	for left := 5000 - 1024; left > 0; {
		left -= len(readConn(t, w, 512))
	}
	read := make(chan string)
	go func() { read <- readConn(t, w, 512) }() // ends with the write below
	if wspipetest.Wait(t, "idle", blocked) {
		t.Error("an idle connection holds a block")
	}
	far.Write([]byte("y"))
	if got := wspipetest.Wait(t, "the read", read); got != "y" {
		t.Errorf("read %q", got)
	}
}

// A read into a large buffer may come between two that use the block.
func TestConnLargeReadBetweenSmallOnes(t *testing.T) {
	t.Parallel()
	w, far := newConn(t)
	sendTo(t, far, bytes.Repeat([]byte("x"), 1024))
	readConn(t, w, 512)
	readConn(t, w, 512)
	sendTo(t, far, []byte("into the buffer"))
	if got := readConn(t, w, bigRead); got != "into the buffer" {
		t.Errorf("large read: %q", got)
	}
	if w.inBlock {
		t.Error("the block was used beside a large buffer")
	}
	sendTo(t, far, []byte("and on"))
	if got := readConn(t, w, 512); got != "and on" {
		t.Errorf("small read after a large one: %q", got)
	}
}

// The bytes read equal the bytes written, whatever the sizes of reads and writes.
func TestConnReadsTheSameBytes(t *testing.T) {
	t.Parallel()
	sent := make([]byte, 2<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range sent {
		sent[i] = byte(r.Uint32())
	}
	w, far := newConn(t)
	go func() { // ends when everything is read
		rest, r := sent, rand.New(rand.NewPCG(3, 4))
		for len(rest) > 0 {
			n := min(len(rest), 1<<r.IntN(18))
			far.Write(rest[:n])
			rest = rest[n:]
		}
		far.CloseWrite()
	}()
	var got []byte
	for {
		p := make([]byte, []int{1, 100, 512, 4096, 20000, 60000}[r.IntN(6)])
		n, err := w.Read(p)
		got = append(got, p[:n]...)
		if err == ErrDisconnected {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes read are not the %d sent", len(got), len(sent))
	}
}

func TestConnWriteNeverWaits(t *testing.T) {
	t.Parallel()
	w, _ := newConn(t)
	p := make([]byte, 1<<20)
	for range 16 {
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	wspipetest.Eventually(t, "the kernel is full", func() bool { return w.Out.Waiting() > 0 })
}

// Closing a socket that holds unread data resets the connection. Close must not do
// that, or the remote end loses the last data.
func TestConnCloseLingersWithUnreadData(t *testing.T) {
	t.Parallel()
	for name, network := range map[string]string{"TCP": "tcp", "unix": "unix"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near, far := wspipetest.ConnPair(t, network)
			w := NewConn(near, nil)
			sendTo(t, far, make([]byte, 100<<10))
			last := bytes.Repeat([]byte("last words "), 1<<20)
			w.Write(last)
			w.Close()
			sendTo(t, far, make([]byte, 1000))
			got, err := io.ReadAll(far)
			if err != nil || !bytes.Equal(got, last) {
				t.Errorf("got %d of %d bytes: %v", len(got), len(last), err)
			}
			far.Write([]byte("still here"))
			select {
			case <-w.Closed():
				t.Error("closed while the remote end may still send")
			default:
			}
			far.Close()
			wspipetest.Wait(t, "the end of the connection", w.Closed())
		})
	}
}

// A slow remote end gets everything, however long that takes. One that reads nothing is given up.
func TestConnCloseWaitsForASlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for pieces, want := range map[int]error{5: io.EOF, 0: nil} {
			near, far := net.Pipe()
			w := NewConn(near, nil)
			w.Write(make([]byte, 5*maxWrite))
			started := time.Now()
			w.Close()
			for range pieces {
				<-time.After(lingerTime - time.Second)
				if n, err := io.CopyN(io.Discard, far, maxWrite); err != nil {
					t.Fatalf("%d bytes after %v: %v", n, time.Since(started), err)
				}
			}
			<-w.Closed()
			if d := time.Since(started); d > time.Duration(pieces+1)*lingerTime {
				t.Errorf("%d pieces: closed after %v", pieces, d)
			}
			if _, err := far.Read(make([]byte, 1)); want != nil && err != want {
				t.Errorf("after everything: %v", err)
			}
			far.Close()
		}
	})
}

func TestConnCloseEndsAPendingRead(t *testing.T) {
	t.Parallel()
	w, far := newConn(t)
	idle := make(chan struct{})
	w.OnIdle = func() { close(idle) }
	read := make(chan error)
	go func() { // ends with Close
		_, err := w.Read(make([]byte, 10))
		read <- err
	}()
	wspipetest.Wait(t, "idle", idle)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := wspipetest.Wait(t, "the end of Read", read); err != net.ErrClosed {
		t.Errorf("pending Read: %v", err)
	}
	if _, err := far.Read(make([]byte, 10)); err != io.EOF {
		t.Errorf("the remote end reads: %v", err)
	}
	wspipetest.Soon(t, lingerTime, func() time.Duration {
		started := time.Now()
		if _, err := w.Read(make([]byte, 10)); err != net.ErrClosed {
			t.Errorf("Read: %v", err)
		}
		return time.Since(started)
	})
	if err := w.Close(); err != net.ErrClosed {
		t.Errorf("second Close: %v", err)
	}
	if w.Lost.Load() {
		t.Error("lost, though Close ended it")
	}
	far.Close()
	wspipetest.Wait(t, "the end of the connection", w.Closed())
}

func TestConnAbortIsImmediate(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"open": 32 << 20, "draining": 32 << 20, "discarding": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wspipetest.Soon(t, lingerTime, func() time.Duration {
				w, far := newConn(t)
				w.Write(make([]byte, size))
				if name != "open" {
					w.Close()
				}
				if name == "discarding" {
					far.Read(make([]byte, 1)) // EOF
				}
				started := time.Now()
				w.Abort()
				wspipetest.Wait(t, "the end of the connection", w.Closed())
				took := time.Since(started)
				if _, err := w.Write([]byte("x")); err == nil {
					t.Error("Write after Abort")
				}
				if n, _ := io.Copy(io.Discard, far); size > 0 && n >= int64(size) {
					t.Errorf("the remote end got all %d bytes", n)
				}
				return took
			})
		})
	}
}

func TestConnLost(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*net.TCPConn){
		"closed": func(c *net.TCPConn) { c.Close() },
		"reset":  func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wspipetest.Soon(t, lingerTime, func() time.Duration {
				w, far := newConn(t)
				leave(far)
				if _, err := w.Read(make([]byte, 10)); err == nil || errors.Is(err, net.ErrClosed) {
					t.Errorf("Read: %v", err)
				}
				if !w.Lost.Load() {
					t.Error("not lost")
				}
				started := time.Now()
				w.Close()
				wspipetest.Wait(t, "the end of the connection", w.Closed())
				return time.Since(started)
			})
		})
	}
}

func TestUnsentCountsUnacknowledgedBytes(t *testing.T) {
	t.Parallel()
	w, far := newConn(t)
	if n := Unsent(w.Conn); n != 0 {
		t.Errorf("%d bytes unsent before the first write", n)
	}
	w.Write(make([]byte, 64<<20))
	if n := Unsent(w.Conn); n <= 0 {
		t.Errorf("%d bytes unsent", n)
	}
	io.CopyN(io.Discard, far, 64<<20)
	wspipetest.Eventually(t, "all is acknowledged", func() bool { return Unsent(w.Conn) == 0 })
}
