package bridge

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"wspipe/bridge/wire"
)

// Client is one client of a child: its connection, and how that ends.
type Client struct {
	bridge     *Bridge
	attachment attachment
	transport  Transport
	wire       *wire.Conn // of transport
	opt        *Options
	id         string // of the session
	muxID      string // see MuxID
	log        *slog.Logger
	encoding   encoding // of the messages to it
	input      input
	sequencer  sequencer

	slow atomic.Bool // see ClientStats

	// over says that nobody need wait for the child on behalf of this client.
	disconnecting atomic.Bool

	tasks          sync.WaitGroup // what the end waits for
	logIgnoredOnce sync.Once
	endOnce        sync.Once
	end            End  // set by finish
	answered       bool // set by closeConn if it has read an answer to our close frame
}

// Summary tells how a connection went.
type Summary struct {
	End
	// ExitCode and Signal are the child's, as Child.Exit returns them, if it has ended
	// and all of its output was carried.
	ExitCode int
	Signal   string
	// In went from the client to the child, Out from the child to the client.
	In, Out Traffic
}

func newClient(b *Bridge, opt *Options, t Transport, of ClientOptions) *Client {
	c := &Client{bridge: b, transport: t, wire: t.conn(), opt: opt, id: of.ID, log: of.Log, encoding: t.encoding(), sequencer: newSequencer(t.writer(of.After))}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.input.out, c.input.limit, c.input.discard = b.stdin, opt.MaxMessage, of.NoStdin
	c.input.total.touch()
	c.sequencer.total.touch()
	if opt.Terminal {
		c.wire.BoundUnsent()
	}
	t.bind(c)
	return c
}

// usesChannels reports whether the client has the child's streams apart.
func (c *Client) usesChannels() bool { return c.encoding.channels }

// Run carries messages both ways and returns once the connection has ended.
func (c *Client) Run() Summary {
	c.attachment.start()
	stopTimers := c.startTimers()
	c.attachment.receive() // unblocked by whatever closes the connection
	if c.end.by == byLoss {
		c.wire.Abort()
	}
	c.tasks.Wait()
	c.wire.Close()
	stopTimers()
	<-c.wire.Closed()
	c.attachment.closed()
	sum := Summary{End: c.end, In: c.input.total.total(), Out: c.sequencer.total.total()}
	if exit, ok := c.bridge.exit(); ok {
		sum.ExitCode, sum.Signal = exit.code, exit.signal
	}
	return sum
}

// ClientStats counts what went through a connection.
type ClientStats struct {
	// In went from the client to the child, Out from the child to the client.
	In, Out Traffic
	// Backlog is how many bytes wait for the client's socket.
	Backlog int
	// Slow says that the slow-client policy has disconnected the client, or dropped
	// messages.
	Slow bool
}

// Stats returns what went through the connection so far. It may be called at any time.
func (c *Client) Stats() ClientStats {
	return ClientStats{In: c.input.total.total(), Out: c.sequencer.total.total(), Backlog: c.wire.Out.Backlog(), Slow: c.slow.Load()}
}

// MuxID returns the name that a Mux child knows the client by; empty for other kinds.
func (c *Client) MuxID() string { return c.muxID }

// Resize says how large the client's window is, as its messages may.
func (c *Client) Resize(size WindowSize) error { return c.attachment.resize(size) }

// Shutdown ends the connection because the server stops.
func (c *Client) Shutdown() { c.finish(endShutdown) }

// Abort closes the connection without another word, for a client that has not
// answered Shutdown for too long.
func (c *Client) Abort() { c.wire.Abort() }

// reportExit ends the connection because the child has ended, once the client has
// all that it wrote.
func (c *Client) reportExit() {
	c.limitUnread()
	c.wire.Out.Ready()
	exit, _ := c.bridge.exit()
	c.transport.sendExit(exit)
	c.wire.Out.Wait(0)
	c.finish(exit.end)
}

// limitUnread bounds how long the client may take nothing of what the child has left.
func (c *Client) limitUnread() { c.wire.LimitUnread(c.opt.Unread) }

// waitForChild holds the client up while more than maxInputBacklog bytes wait for
// the child, and watches meanwhile whether the client is still there. A pause is
// no longer than that: the client's word that ends it is not heard, and the child
// may not read before it can write.
func (c *Client) waitForChild() {
	if c.bridge.stdin.Waiting() <= maxInputBacklog {
		return
	}
	paused := c.wire.Out.Continue()
	stop := c.wire.WatchHangup(func() { c.finish(endLost) })
	c.bridge.stdin.WaitUnless(maxInputBacklog/2, &c.disconnecting)
	stop()
	if paused {
		c.wire.Out.Pause()
	}
}

// finish ends the connection with e, unless something else has ended it before,
// and reports whether it did. Only the caller that comes first may come before
// the tasks are waited for.
func (c *Client) finish(e End) (first bool) {
	c.endOnce.Do(func() {
		first = true
		c.end = e
		c.wire.Out.Seal()      // what others get is not to come after the last messages
		c.transport.sendEnd(e) // before the child is stopped, or its end would be told
		c.wire.Out.Continue()  // whoever waits for the end of a pause has nothing to send any more
		c.attachment.detach()
		c.tasks.Go(c.closeConn)
	})
	return first
}

// closeConn ends the connection in the way that c.end asks for.
func (c *Client) closeConn() {
	if c.end.by == byLoss {
		// What has come in before may still be read and handed to the child.
		c.wire.Out.Fail(net.ErrClosed)
		c.attachment.awaitInput()
		c.wire.Abort()
		return
	}
	if c.end.by != byClient {
		c.input.ended.Store(true)
	}
	c.answered = c.transport.close(c.end)
}
