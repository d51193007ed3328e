package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Conn is the network connection below a WebSocket. It keeps the WebSocket
// library from ever waiting for a slow peer: Write takes everything, and who
// produces data waits in the Queue instead, outside the library's locks and
// timeouts. Close lingers, so that neither the last data nor the close frame
// is lost to a reset.
type Conn struct {
	net.Conn
	// Out is the way of every byte to the peer.
	Out *Queue

	Server bool // what is written are a server's frames

	raw    *rawReader   // nil if reads cannot be tried without waiting, as with TLS
	OnIdle func()       // called whenever all that the peer has sent has been read
	Reads  atomic.Int64 // reads that brought something: signs of life

	readMu sync.Mutex
	early  []byte // read before the wire was made, or with a block
	block  []byte // the block that early lies in, if any
	busy   bool   // the last read was full: take a block for the next
	turn   TimeSlice

	// During a Read:
	buf     []byte // the reader's own
	inBlock bool   // the read goes into the block

	closeMu  sync.Mutex
	closing  bool
	unread   *unreadLimit  // nil while the child runs
	patience time.Duration // set with unread

	Overdue atomic.Bool   // unread has aborted the connection
	Lost    atomic.Bool   // reading ended, and it was not Close that ended it
	Done    atomic.Bool   // the peer sends nothing more
	broken  atomic.Bool   // stopReading was called
	closed  chan struct{} // the connection is closed
}

// NewConn makes a wire of conn, from which early has been read already.
func NewConn(conn net.Conn, early []byte) *Conn {
	w := &Conn{Conn: conn, early: early, OnIdle: func() {}, closed: make(chan struct{})}
	w.Out = NewQueue(conn)
	w.Out.onFail = w.Abort // who cannot be written to is gone
	w.raw = newRawReader(conn, w.room, w.allRead)
	return w
}

// bigRead is the size from which on a reader's own buffer is as good as a block.
const bigRead = 16 << 10

// ErrDisconnected stands for the end of what the peer sends. The WebSocket library
// takes an io.EOF below it for the end of the message at hand, and behind
// compression an io.ErrUnexpectedEOF, too, which TLS yields.
var ErrDisconnected = errors.New("peer has gone")

// Read reads what the peer sent, at once if something is there. It returns
// ErrDisconnected at the end.
func (w *Conn) Read(p []byte) (n int, err error) {
	w.readMu.Lock()
	defer w.readMu.Unlock()
	if w.broken.Load() {
		return 0, ErrDisconnected
	}
	if len(w.early) > 0 {
		n = copy(p, w.early)
		w.early = w.early[n:]
		return n, nil
	}
	n, err = w.read(p)
	if n > 0 {
		w.Reads.Add(1)
	}
	if err != nil {
		w.releaseBlock()
		if w.isClosing() {
			return 0, net.ErrClosed
		}
		w.Lost.Store(true)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrDisconnected
		}
	}
	return n, err
}

// read reads from the socket: into p, or into a block if much is coming.
func (w *Conn) read(p []byte) (n int, err error) {
	if w.isClosing() {
		return 0, net.ErrClosed
	}
	if w.raw == nil {
		w.OnIdle()
		return w.Conn.Read(p)
	}
	w.buf = p
	n, err = w.raw.read()
	w.buf = nil
	if err != nil || !w.inBlock {
		w.busy = n == len(p)
		return n, err
	}
	w.turn.Yield()
	w.early = w.block[:n]
	n = copy(p, w.early)
	w.early = w.early[n:]
	return n, nil
}

// room returns where the next read from the socket goes.
func (w *Conn) room() []byte {
	w.inBlock = w.busy && len(w.buf) < bigRead
	if !w.inBlock {
		return w.buf
	}
	if w.block == nil {
		w.block = GetBlock()
	}
	return w.block
}

// allRead is called before each wait for the peer.
func (w *Conn) allRead() {
	w.busy = false
	w.releaseBlock()
	w.OnIdle()
}

func (w *Conn) releaseBlock() {
	if w.block != nil {
		PutBlock(w.block)
		w.block, w.early = nil, nil
	}
}

// Write sends p or keeps it to be sent. It never waits.
func (w *Conn) Write(p []byte) (int, error) {
	if w.Server && isCloseFrame(p) {
		w.Out.Seal()
		w.Out.endData()
		if !utf8.Valid(p[min(4, len(p)):]) {
			_, err := w.Out.Write(badReasonFrame)
			return len(p), err
		}
	}
	return w.Out.Write(p)
}

// isCloseFrame reports whether p is a close frame (RFC 6455, section 5.5.1): no
// data may follow it. The library writes each control frame of a server at once,
// and nothing else.
func isCloseFrame(p []byte) bool {
	return len(p) >= 2 && p[0] == FinBit|OpClose && len(p) == 2+int(p[1])
}

// InvalidReasonCode and InvalidReason are the close code and the reason of that.
const (
	InvalidReasonCode = 1007
	InvalidReason     = "close reason is not UTF-8"
)

// badReasonFrame is sent instead of a close frame that repeats a client's reason
// which is not UTF-8, as the library would (RFC 6455, section 8.1).
var badReasonFrame = func() []byte {
	payload := binary.BigEndian.AppendUint16(nil, InvalidReasonCode)
	payload = append(payload, InvalidReason...)
	return append(appendHeader(nil, FinBit|OpClose, len(payload)), payload...)
}()

// StopReading ends reading for good, since nothing that the client still sends
// can be understood.
func (w *Conn) StopReading() {
	w.broken.Store(true)
	w.wakeLinger()
}

// Acked returns how many bytes of Out the peer's host has at least; 0 if the
// connection ends, when the kernel drops what is unsent. Where the kernel does not
// tell, the send buffer is to be smaller than what matters.
func (w *Conn) Acked() int64 {
	handed := w.Out.taken() // first: what follows only makes more unsent
	left := Unsent(w.Conn)
	if HungUp(w.Conn) || w.Out.taken() < handed {
		return 0
	}
	return handed - int64(left)
}

// BoundSendBuffer bounds what the kernel keeps for the peer to n bytes, about.
func (w *Conn) BoundSendBuffer(n int) {
	conn := w.Conn
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = c.NetConn()
	}
	if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
		c.SetWriteBuffer(n)
	}
}

// BoundUnsent bounds what the kernel keeps for the peer, beside what is on the way
// to it: what has been written when a key stops a flood still arrives.
func (w *Conn) BoundUnsent() {
	if !limitUnsent(w.Conn, MaxUnsent) {
		w.BoundSendBuffer(2 * MaxUnsent)
	}
}

// ReadOn makes a write that fails no reason to close the connection: what has come
// before is still read, and then reading ends. It comes before the first write.
func (w *Conn) ReadOn() { w.Out.onFail = nil }

// HostGone reports whether what was sent has been without an answer of the peer's
// host for at least silence, which is 3 s or more. Only Linux tells.
func (w *Conn) HostGone(silence time.Duration) bool { return hostGone(w.Conn, silence) }

// Closed is closed once nothing of the connection is left.
func (w *Conn) Closed() <-chan struct{} { return w.closed }

// Abort closes the connection at once and drops what waits, also while Close
// still lingers.
func (w *Conn) Abort() {
	w.Lost.Store(true)
	w.Out.Fail(net.ErrClosed)
	w.Close()
	dropUnsent(w.Conn)
	w.Conn.Close()
}

// lingerTime is how long a closed connection may stay without any progress
// while the peer still takes what was sent, or still sends.
const lingerTime = 5 * time.Second

// Close ends reading at once. What waits is still sent, then what the peer
// still sends is read and dropped until it closes too: closing a socket that
// holds unread data resets the connection, and the peer would lose the end of
// what we sent (RFC 1122, 4.2.2.13).
func (w *Conn) Close() error {
	w.closeMu.Lock()
	defer w.closeMu.Unlock()
	if w.closing {
		return net.ErrClosed
	}
	w.closing = true
	w.Conn.SetReadDeadline(time.Unix(1, 0)) // wakes a pending Read
	go w.linger()                           // ends when the peer closes, or without progress for lingerTime
	return nil
}

func (w *Conn) linger() {
	defer close(w.closed)
	defer w.stopLimit()
	defer w.Out.Close()
	defer dropUnsent(w.Conn)
	if w.Lost.Load() || !w.drain() {
		return
	}
	if c, ok := w.Conn.(interface{ CloseWrite() error }); !ok || c.CloseWrite() != nil {
		return
	}
	w.readMu.Lock() // the pending Read has returned, and no other comes
	w.releaseBlock()
	w.readMu.Unlock()
	if w.discard() {
		w.waitTaken()
	}
}

func (w *Conn) stopLimit() {
	w.closeMu.Lock()
	limit := w.unread
	w.closeMu.Unlock()
	if limit != nil {
		limit.Stop()
	}
}

// CloseReceived tells that the peer has sent its close frame: nothing comes after
// it, so there is nothing to linger for.
func (w *Conn) CloseReceived() {
	w.Done.Store(true)
	w.wakeLinger()
}

// wakeLinger makes discard look again.
func (w *Conn) wakeLinger() {
	w.closeMu.Lock()
	defer w.closeMu.Unlock()
	if w.closing {
		w.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// drain waits until the kernel has what waits, as long as the peer takes some of
// it in each lingerTime, and reports whether the kernel has.
func (w *Conn) drain() bool {
	for left := w.Out.Waiting() + Unsent(w.Conn); ; {
		w.Out.Drain(lingerTime)
		if w.Out.Waiting() == 0 {
			return true
		}
		now := w.Out.Waiting() + Unsent(w.Conn)
		if now >= left {
			return false
		}
		left = now
	}
}

// brokenTime is lingerTime for a client that has broken the protocol.
const brokenTime = 100 * time.Millisecond

// discard reads until the peer closes or is done, for lingerTime, and longer
// only while the peer's kernel goes on taking what was sent. It reports whether
// the peer sends nothing more.
func (w *Conn) discard() (done bool) {
	scratch := GetBlock()
	defer PutBlock(scratch)
	for left := Unsent(w.Conn); ; {
		w.Conn.SetReadDeadline(time.Now().Add(w.discardTime(left)))
		var err error
		for err == nil && !w.Done.Load() {
			_, err = w.Conn.Read(scratch)
		}
		if w.Done.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return true
		}
		now := Unsent(w.Conn)
		if now >= left {
			return false
		}
		left = now
	}
}

// discardTime is how long the peer may make no progress when it has not taken left
// bytes.
func (w *Conn) discardTime(left int) time.Duration {
	w.closeMu.Lock()
	defer w.closeMu.Unlock()
	switch {
	case w.broken.Load():
		return brokenTime
	case left > 0 && w.unread != nil:
		return w.patience
	}
	return lingerTime
}

// waitTaken waits until the peer's kernel has almost all that was sent, as long
// as it takes some of it in each lingerTime.
func (w *Conn) waitTaken() {
	since := time.Now()
	for left := Unsent(w.Conn); left > maxOrphan && !w.Lost.Load() && time.Since(since) < lingerTime; {
		time.Sleep(takenPause)
		if now := Unsent(w.Conn); now < left {
			left, since = now, time.Now()
		}
	}
}

// takenPause is how often awaitTaken looks: nothing tells.
const takenPause = 20 * time.Millisecond

func (w *Conn) isClosing() bool {
	w.closeMu.Lock()
	defer w.closeMu.Unlock()
	return w.closing
}

// MayAnswer reports whether there is room to answer a ping: a peer that sends
// pings but reads nothing gets no pong for each (RFC 6455, section 5.5.3).
func (w *Conn) MayAnswer() bool { return w.Out.Waiting() <= 2*MaxUnsent }
