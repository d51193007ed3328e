package bridge

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
)

// Client is one client of a child, with its connection.
type Client struct {
	bridge     *Bridge
	attachment attachment
	transport  Transport
	wire       *wire.Conn // of transport
	opt        *Options
	id         string // session ID
	muxID      string // see MuxID
	log        *slog.Logger
	encoding   encoding // of messages to the client
	input      input
	sequencer  sequencer

	slow atomic.Bool // see ClientStats.Slow

	// disconnecting means that nothing needs to wait for the child on behalf of this client.
	disconnecting atomic.Bool

	tasks          sync.WaitGroup // Run waits for them
	logIgnoredOnce sync.Once
	endOnce        sync.Once
	end            End  // set by finish
	answered       bool // set by closeConn if the client replied to our close frame
}

// Summary describes an ended connection.
type Summary struct {
	End
	// ExitCode and Signal are the results of Child.Exit, if the child has exited and its
	// output has been carried.
	ExitCode int
	Signal   string
	// In counts what the client sent to the child, Out what the child sent to the client.
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

// usesChannels reports whether the client has a channel for each stream.
func (c *Client) usesChannels() bool { return c.encoding.channels }

// Run carries messages both ways. It returns when the connection has ended.
func (c *Client) Run() Summary {
	c.attachment.start()
	stopTimers := c.startTimers()
	c.attachment.receive() // unblocked by the end of the connection
	if c.end.by == byLoss {
		c.wire.Abort()
	}
	c.tasks.Wait()
	c.wire.Close()
	stopTimers()
	<-c.wire.Closed()
	c.attachment.closed()
	sum := Summary{End: c.end, In: c.input.total.total(), Out: c.attachment.sent()}
	if exit, ok := c.bridge.exit(); ok {
		sum.ExitCode, sum.Signal = exit.code, exit.signal
	}
	return sum
}

// ClientStats describes a connection so far.
type ClientStats struct {
	// In counts what the client sent to the child, Out what the child sent to the client.
	In, Out Traffic
	// Backlog is how many bytes are queued for the client's socket.
	Backlog int
	// Slow means that the slow-client policy has disconnected the client or dropped
	// messages.
	Slow bool
}

// Stats returns the statistics so far. It may be called at any time.
func (c *Client) Stats() ClientStats {
	return ClientStats{In: c.input.total.total(), Out: c.attachment.sent(), Backlog: c.wire.Out.Backlog(), Slow: c.slow.Load()}
}

// MuxID returns the name of the client in the messages of a Mux child, or "" for other kinds.
func (c *Client) MuxID() string { return c.muxID }

// Resize sets the size of the client's window, as its messages can.
func (c *Client) Resize(size WindowSize) error { return c.attachment.resize(size) }

// Shutdown ends the connection because the server shuts down. It does not wait.
func (c *Client) Shutdown() { c.finish(endShutdown) }

// Abort closes the connection without a close frame, for a client that has not replied to
// Shutdown in time.
func (c *Client) Abort() { c.wire.Abort() }

// reportExit ends the connection after the child's exit, once the client has received the
// rest of the output.
func (c *Client) reportExit() {
	c.limitUnread()
	c.wire.Out.Ready()
	exit, _ := c.bridge.exit()
	c.transport.sendExit(exit)
	c.wire.Out.Wait(0)
	if c.wire.Overdue.Load() {
		c.finish(endUnread)
	}
	c.finish(exit.end)
}

// limitUnread limits how long the client may leave the output of an ended child unread.
func (c *Client) limitUnread() { c.wire.LimitUnread(c.opt.Unread) }

// waitForChild waits while more than maxInputBacklog bytes are queued for the child, and
// watches for a hang-up of the client meanwhile. It suspends a pause of the client: nobody
// reads the message that ends the pause, and the child may have to write before it reads.
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

// finish ends the connection with e and returns true, unless it was called before. The first
// call adds a task, so it must precede Run's wait for the tasks.
func (c *Client) finish(e End) (first bool) {
	c.endOnce.Do(func() {
		first = true
		c.end = e
		c.wire.Out.Seal()      // so that no batch for all clients follows the last messages
		c.transport.sendEnd(e) // before the child is stopped, or its exit would be sent
		c.wire.Out.Continue()  // senders that wait for the end of a pause have nothing to send any more
		c.attachment.detach()
		c.tasks.Go(c.closeConn)
	})
	return first
}

// closeConn closes the connection as c.end requires.
func (c *Client) closeConn() {
	if c.end.by == byLoss {
		// What was received before may still be read and written to the child.
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

// handlePause carries out a pause or its end, and reports whether control is one of these.
func (c *Client) handlePause(control channel.ControlMessage) bool {
	switch control.Type {
	case channel.TypePause:
		c.wire.Out.Pause()
	case channel.TypeContinue:
		c.wire.Out.Continue()
	default:
		return false
	}
	return true
}

// resize changes the window size, unless the client does not know its size.
func (c *Client) resize(size WindowSize) error {
	if size.Rows == 0 || size.Cols == 0 {
		return nil
	}
	return c.attachment.resize(size)
}

// logIgnored logs why a message was ignored, once per client: a client may send any number.
func (c *Client) logIgnored(err error) {
	c.logIgnoredOnce.Do(func() {
		c.log.Warn("client's message ignored", "cause", err)
	})
}

// endOfTransmission is the key that ends the input of a terminal at the beginning of a line,
// or if it is pressed twice (termios(3), VEOF).
const endOfTransmission = "\x04"

// closeStdin makes the child read EOF after the input of the client.
func (c *Client) closeStdin() error {
	stdin := c.bridge.stdin
	if !c.opt.Terminal {
		stdin.End()
		return nil
	}
	if !c.input.atLineStart() {
		stdin.Write([]byte(endOfTransmission))
	}
	stdin.Write([]byte(endOfTransmission))
	return nil
}
