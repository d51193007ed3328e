package wire

// Tap gets the bytes of a connection as they pass, without its opening handshake, and a
// reply never before what it replies to. Its functions must not retain the bytes, wait, or
// call the Conn, except SetTap.
type Tap struct {
	Received func([]byte) // what Conn.Read returns
	Sent     func([]byte) // what the kernel accepts, or is about to
}

// SetTap sets or, with nil, removes the Tap. Without one, a read or a write costs a
// comparison.
func (c *Conn) SetTap(t *Tap) { c.Out.tap.Store(t) }

// tapReceived passes the first n bytes of p to the Tap, if there is one.
func (c *Conn) tapReceived(p []byte, n int) {
	if t := c.Out.tap.Load(); t != nil && n > 0 {
		c.Out.mu.Lock() // a write that caused these bytes has passed the Tap
		defer c.Out.mu.Unlock()
		t.Received(p[:n])
	}
}

// tapSent passes p to the Tap, if there is one.
func (q *Queue) tapSent(p []byte) {
	if t := q.tap.Load(); t != nil && len(p) > 0 {
		t.Sent(p)
	}
}
