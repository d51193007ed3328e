package server

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"wspipe/bridge/wire"
)

// httpConn is a connection for requests. From the start of a response until the client's host
// has acknowledged all of it, the connection is checked periodically, and reset if the client
// has read nothing for the timeout.
type httpConn struct {
	net.Conn
	timeout time.Duration
	written atomic.Int64 // bytes of responses
	writing atomic.Bool  // a write is in progress
	// takenOver reports whether the connection was hijacked for an httpResponse, which logs
	// the request itself.
	takenOver bool

	mu       sync.Mutex
	active   bool        // the handler is writing a response
	timer    *time.Timer // calls check; nil if the response is not limited
	progress progress    // when check last found a change
	since    time.Time   // of that change
}

// progress changes whenever the client reads data.
type progress struct {
	written int64
	unsent  int
}

// checksPerTimeout is how often a connection is checked within its timeout.
const checksPerTimeout = 30

// connKey is the key of a request's connection in its context.
type connKey struct{}

func (s *Server) withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, &httpConn{Conn: conn, timeout: s.cfg.Timeouts.Unread})
}

// connOf returns the connection of r.
func connOf(r *http.Request) *httpConn { return r.Context().Value(connKey{}).(*httpConn) }

// limit starts to bound how long the client may read nothing of the response.
func (c *httpConn) limit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active = true
	if c.timer == nil {
		c.progress, c.since = c.current(), time.Now()
		c.timer = time.AfterFunc(c.timeout/checksPerTimeout, c.check)
	}
}

// exempt undoes limit, for a response without a limit or with its own.
func (c *httpConn) exempt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active = false
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// end records that the handler has written the response. It may not have been flushed by
// net/http, nor acknowledged by the client's host.
func (c *httpConn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active = false
}

// write calls f, which writes a part of the response and returns its size.
func (c *httpConn) write(f func() (int64, error)) (n int64, err error) {
	c.writing.Store(true)
	defer c.writing.Store(false)
	n, err = f()
	c.written.Add(n)
	return n, err
}

func (c *httpConn) current() progress { return progress{c.written.Load(), wire.Unsent(c.Conn)} }

// check resets the connection after the timeout without progress.
func (c *httpConn) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.current()
	switch {
	case c.timer == nil: // exempt was called
		return
	case !c.active && now.unsent == 0:
		c.timer = nil
		return
	case now != c.progress || now.unsent == 0 && !c.writing.Load(): // progress, or nothing to read
		c.progress, c.since = now, time.Now()
	case time.Since(c.since) >= c.timeout:
		wire.Reset(c.Conn)
		c.timer = nil
		return
	}
	c.timer.Reset(c.timeout / checksPerTimeout)
}

// waitAcked waits until the client's host has acknowledged almost all of the response,
// or the connection is closed, which check ensures.
func (c *httpConn) waitAcked() {
	for wire.Unsent(c.Conn) > wire.MaxOrphan {
		time.Sleep(ackPollInterval)
	}
}

// ackPollInterval is how often waitAcked asks the kernel, which has no event for that.
const ackPollInterval = 20 * time.Millisecond
