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

// Conn is the network connection below a WebSocket. The WebSocket library never waits
// for a slow remote end: Write queues everything, and producers of data wait for the
// Queue instead, outside the library's locks and timeouts. Close lingers, so that no
// reset loses the last data or the close frame.
type Conn struct {
	net.Conn
	// Out is the queue that every byte to the remote end passes through.
	Out *Queue

	Server bool // Write gets the frames of a server

	raw    *rawReader   // nil if a read always waits, as with TLS
	OnIdle func()       // called before each wait for data; set it before the first Read
	Reads  atomic.Int64 // reads that returned data: signs of life

	readMu sync.Mutex
	early  []byte // read already, before NewConn or into block
	block  []byte // the pooled block that early is in, or nil
	busy   bool   // the last read was full: read into a block next
	slice  TimeSlice

	// During a Read:
	buf     []byte // the caller's buffer
	inBlock bool   // the read is into block

	closeMu       sync.Mutex
	closing       bool
	unread        *unreadLimit  // nil while the child runs
	unreadTimeout time.Duration // set with unread

	Overdue atomic.Bool   // unread has aborted the connection
	Lost    atomic.Bool   // reading has ended, but not by Close
	Done    atomic.Bool   // the remote end sends nothing more
	broken  atomic.Bool   // StopReading was called
	closed  chan struct{} // closed when the connection has ended
}

// NewConn returns a Conn over conn, which it closes. early was read from conn already.
func NewConn(conn net.Conn, early []byte) *Conn {
	c := &Conn{Conn: conn, early: early, OnIdle: func() {}, closed: make(chan struct{})}
	c.Out = NewQueue(conn)
	c.Out.onFail = c.writeFailed
	c.raw = newRawReader(conn, c.room, c.allRead)
	return c
}

// bigRead is the size in bytes from which on a caller's buffer is used without a block.
const bigRead = 16 << 10

// ErrDisconnected is what Read returns instead of io.EOF. The WebSocket library takes an
// io.EOF for the end of a message, and below compression an io.ErrUnexpectedEOF, too,
// which TLS returns.
var ErrDisconnected = errors.New("remote end disconnected")

// Read reads what the remote end sent. At its end it returns ErrDisconnected, and after
// Close net.ErrClosed.
func (c *Conn) Read(p []byte) (n int, err error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	n, err = c.next(p)
	c.tapReceived(p, n)
	return n, err
}

// next is Read. readMu is held.
func (c *Conn) next(p []byte) (n int, err error) {
	if c.broken.Load() {
		return 0, ErrDisconnected
	}
	if len(c.early) > 0 {
		n = copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	n, err = c.read(p)
	if n > 0 {
		c.Reads.Add(1)
	}
	if err != nil {
		c.releaseBlock()
		if c.isClosing() {
			return 0, net.ErrClosed
		}
		c.Lost.Store(true)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrDisconnected
		}
	}
	return n, err
}

// read reads from the socket: into p, or into a block while there is much to read.
func (c *Conn) read(p []byte) (n int, err error) {
	if c.isClosing() {
		return 0, net.ErrClosed
	}
	if c.raw == nil {
		c.OnIdle()
		return c.Conn.Read(p)
	}
	c.buf = p
	n, err = c.raw.read()
	c.buf = nil
	if err != nil || !c.inBlock {
		c.busy = n == len(p)
		return n, err
	}
	c.slice.Yield()
	c.early = c.block[:n]
	n = copy(p, c.early)
	c.early = c.early[n:]
	return n, nil
}

// room returns the buffer for the next read from the socket.
func (c *Conn) room() []byte {
	c.inBlock = c.busy && len(c.buf) < bigRead
	if !c.inBlock {
		return c.buf
	}
	if c.block == nil {
		c.block = GetBlock()
	}
	return c.block
}

// allRead is called before each wait for data.
func (c *Conn) allRead() {
	c.busy = false
	c.releaseBlock()
	c.OnIdle()
}

func (c *Conn) releaseBlock() {
	if c.block != nil {
		PutBlock(c.block)
		c.block, c.early = nil, nil
	}
}

// Write sends or queues p. It never waits. A server's failure to write a ping or a pong is
// not reported, because the library would stop reading what was received before.
func (c *Conn) Write(p []byte) (int, error) {
	if c.Server && !isCloseFrame(p) {
		c.Out.Write(p)
		return len(p), nil
	}
	if c.Server {
		c.Out.Seal()
		c.Out.EndData(nil)
		if !utf8.Valid(p[min(4, len(p)):]) {
			_, err := c.Out.Write(badReasonFrame)
			return len(p), err
		}
	}
	return c.Out.Write(p)
}

// isCloseFrame reports whether p is a close frame, after which no data may follow
// (RFC 6455, section 5.5.1). The library writes each control frame of a server in one
// Write, and nothing else.
func isCloseFrame(p []byte) bool {
	return len(p) >= 2 && p[0] == FinBit|OpClose && len(p) == 2+int(p[1])
}

// InvalidReasonCode and InvalidReason reply to a close frame with an invalid reason.
const (
	InvalidReasonCode = 1007
	InvalidReason     = "close reason is not UTF-8"
)

// badReasonFrame replaces the reply in which the library would repeat a client's reason
// that is not UTF-8 (RFC 6455, section 8.1).
var badReasonFrame = func() []byte {
	payload := binary.BigEndian.AppendUint16(nil, InvalidReasonCode)
	payload = append(payload, InvalidReason...)
	return append(appendHeader(nil, FinBit|OpClose, len(payload)), payload...)
}()

// StopReading ends reading for good: after a protocol violation, what the remote end still
// sends cannot be parsed.
func (c *Conn) StopReading() {
	c.broken.Store(true)
	c.wakeLinger()
}

// Acked returns a lower bound of how many bytes of Out the remote host has acknowledged. It
// is 0 once the connection has ended, because the kernel then drops unsent bytes. Where
// Unsent always returns 0, bytes in the kernel's send buffer count as acknowledged.
func (c *Conn) Acked() int64 {
	handed := c.Out.taken() // first: later writes only increase Unsent
	left := Unsent(c.Conn)
	if HungUp(c.Conn) || c.Out.taken() < handed {
		return 0
	}
	return handed - int64(left)
}

// BoundSendBuffer limits the kernel's send buffer to approximately n bytes.
func (c *Conn) BoundSendBuffer(n int) {
	conn := c.Conn
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = c.NetConn()
	}
	if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
		c.SetWriteBuffer(n)
	}
}

// BoundUnsent limits how much the kernel holds beside what is in flight: all of it still
// arrives after a key press has stopped a flood of output.
func (c *Conn) BoundUnsent() {
	if !limitUnsent(c.Conn, MaxUnsent) {
		c.BoundSendBuffer(2 * MaxUnsent)
	}
}

// ReadOn leaves the end of the connection to Read after every failed write. Call it before
// the first write.
func (c *Conn) ReadOn() { c.Out.onFail = nil }

// Closed returns a channel that is closed when the connection has ended.
func (c *Conn) Closed() <-chan struct{} { return c.closed }

// Abort closes the connection at once and drops what is queued, even while Close lingers.
func (c *Conn) Abort() {
	c.Lost.Store(true)
	c.Out.Fail(net.ErrClosed)
	c.Close()
	dropUnsent(c.Conn)
	c.Conn.Close()
}

// lingerTime is how long a closed connection may stay without progress while the remote
// end still receives or sends.
const lingerTime = 5 * time.Second

// Close ends reading at once and returns. In the background, what is queued is still sent,
// and what the remote end sends is discarded until it closes, too: closing a socket that
// holds unread data resets the connection, and the remote end would lose the last data
// (RFC 1122, section 4.2.2.13).
func (c *Conn) Close() error {
	c.closeMu.Lock()
	defer c.closeMu.Unlock()
	if c.closing {
		return net.ErrClosed
	}
	c.closing = true
	c.Conn.SetReadDeadline(time.Unix(1, 0)) // unblocks a pending Read
	go c.linger()                           // ends when the remote end closes, or after lingerTime without progress
	return nil
}

func (c *Conn) linger() {
	defer close(c.closed)
	defer c.stopLimit()
	defer c.Out.Close()
	defer dropUnsent(c.Conn)
	if c.Lost.Load() || !c.drain() {
		return
	}
	if c, ok := c.Conn.(interface{ CloseWrite() error }); !ok || c.CloseWrite() != nil {
		return
	}
	c.readMu.Lock() // the pending Read has returned, and later ones return net.ErrClosed
	c.releaseBlock()
	c.readMu.Unlock()
	if c.discard() {
		c.waitAcked()
	}
}

func (c *Conn) stopLimit() {
	c.closeMu.Lock()
	limit := c.unread
	c.closeMu.Unlock()
	if limit != nil {
		limit.Stop()
	}
}

// CloseReceived notes that the remote end has sent its close frame, after which it sends
// nothing: Close then does not wait for it.
func (c *Conn) CloseReceived() {
	c.Done.Store(true)
	c.wakeLinger()
}

// wakeLinger makes discard check its conditions again.
func (c *Conn) wakeLinger() {
	c.closeMu.Lock()
	defer c.closeMu.Unlock()
	if c.closing {
		c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// drain waits until the kernel has everything that is queued, and reports whether it has.
// It gives up after lingerTime without progress.
func (c *Conn) drain() bool {
	for left := c.Out.Waiting() + Unsent(c.Conn); ; {
		c.Out.Drain(lingerTime)
		if c.Out.Waiting() == 0 {
			return true
		}
		now := c.Out.Waiting() + Unsent(c.Conn)
		if now >= left {
			return false
		}
		left = now
	}
}

// violationLingerTime is lingerTime after a protocol violation.
const violationLingerTime = 100 * time.Millisecond

// discard reads until the remote end closes or is done, for lingerTime, and longer only
// while the remote kernel makes progress with what was sent. It reports whether the remote
// end sends nothing more.
func (c *Conn) discard() (done bool) {
	scratch := GetBlock()
	defer PutBlock(scratch)
	for left := Unsent(c.Conn); ; {
		c.Conn.SetReadDeadline(time.Now().Add(c.discardTime(left)))
		var err error
		for err == nil && !c.Done.Load() {
			_, err = c.Conn.Read(scratch)
		}
		if c.Done.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return true
		}
		now := Unsent(c.Conn)
		if now >= left {
			return false
		}
		left = now
	}
}

// discardTime returns how long the remote end may make no progress while it has left bytes
// to acknowledge.
func (c *Conn) discardTime(left int) time.Duration {
	c.closeMu.Lock()
	defer c.closeMu.Unlock()
	switch {
	case c.broken.Load():
		return violationLingerTime
	case left > 0 && c.unread != nil:
		return c.unreadTimeout
	}
	return lingerTime
}

// waitAcked waits until the remote kernel has acknowledged all but MaxOrphan bytes. It gives
// up after lingerTime without progress.
func (c *Conn) waitAcked() {
	since := time.Now()
	for left := Unsent(c.Conn); left > MaxOrphan && !c.Lost.Load() && time.Since(since) < lingerTime; {
		time.Sleep(ackPollInterval)
		if now := Unsent(c.Conn); now < left {
			left, since = now, time.Now()
		}
	}
}

// ackPollInterval is how often waitAcked asks the kernel, which has no event for that.
const ackPollInterval = 20 * time.Millisecond

func (c *Conn) isClosing() bool {
	c.closeMu.Lock()
	defer c.closeMu.Unlock()
	return c.closing
}

// MayAnswer reports whether a ping is to be answered: a remote end that sends pings but
// reads nothing does not get a pong for each (RFC 6455, section 5.5.3).
func (c *Conn) MayAnswer() bool { return c.Out.Waiting() <= 2*MaxUnsent }
