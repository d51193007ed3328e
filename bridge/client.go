package bridge

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// Client is one client of a child: its connection, and how that ends.
type Client struct {
	bridge     *Bridge
	attachment attachment
	ws         *websocket.Conn
	wire       *wire.Conn
	opt        *Options
	id         string // of the session
	muxID      string // see MuxID
	log        *slog.Logger
	deflate    bool // permessage-deflate was negotiated
	input      input

	protocol  string // the channel protocol in use, or empty
	sequencer sequencer

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

func newClient(b *Bridge, opt *Options, ws *websocket.Conn, conn *wire.Conn, of ClientOptions) *Client {
	c := &Client{bridge: b, ws: ws, wire: conn, opt: opt, id: of.ID, log: of.Log, deflate: of.Deflate, protocol: channelProtocol(ws), sequencer: newSequencer(conn, of.Deflate)}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.input = input{ws: ws, out: b.stdin, limit: opt.MaxMessage, discard: of.NoStdin, wait: c.waitForChild}
	if c.usesChannels() {
		c.input.codec, c.input.handle = streamCodec(opt.MaxMessage), c.handle
	} else {
		c.input.codec, c.input.holdWhole = opt.Framing.NewCodec(), opt.Framing.HoldsWhole()
	}
	c.input.total.touch()
	c.sequencer.total.touch()
	conn.OnIdle, conn.Server = c.input.flush, true
	if opt.Terminal {
		conn.BoundUnsent()
	}
	ws.SetReadLimit(-1) // input has the limit, and its own words for it
	return c
}

// usesChannels reports whether the client has the child's streams apart.
func (c *Client) usesChannels() bool { return c.protocol != "" }

// Run carries messages both ways and returns once the connection has ended.
func (c *Client) Run() Summary {
	c.attachment.start()
	stopTimers := c.startTimers()
	c.attachment.receive() // unblocked by whatever closes the connection
	if c.end.by == byLoss {
		c.wire.Abort()
	}
	c.tasks.Wait()
	c.ws.CloseNow()
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
	if c.usesChannels() && !exit.broken {
		c.sendExit(exit.code, exit.signal)
	}
	c.wire.Out.Wait(0)
	c.finish(exit.end)
}

// limitUnread bounds how long the client may take nothing of what the child has left.
func (c *Client) limitUnread() { c.wire.LimitUnread(c.opt.Unread) }

// receiveAll carries the client's messages to the child until the connection
// ends or a message breaks the rules.
func (c *Client) receiveAll() {
	for {
		if err := c.input.receive(); err != nil {
			c.finish(c.endOf(err))
			return
		}
		c.waitForChild()
	}
}

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

// endOf tells what end a failed receive means.
func (c *Client) endOf(err error) End {
	closed, byPeer := errors.AsType[websocket.CloseError](err)
	switch {
	case errors.Is(err, errNotUTF8):
		return endNotUTF8
	case errors.Is(err, errTooBig):
		return endTooBig(c.opt.MaxMessage)
	case errors.Is(err, errControlTooBig):
		return endControl
	case byPeer && !utf8.ValidString(closed.Reason):
		return endBadReason
	case byPeer:
		c.wire.CloseReceived()
		return End{Code: closed.Code, Reason: closed.Reason, by: byClient}
	case c.wire.Overdue.Load():
		return endUnread
	case c.wire.Lost.Load(), errors.Is(err, net.ErrClosed):
		return endLost
	}
	return endProtocol
}

// finish ends the connection with e, unless something else has ended it before,
// and reports whether it did. Only the caller that comes first may come before
// the tasks are waited for.
func (c *Client) finish(e End) (first bool) {
	c.endOnce.Do(func() {
		first = true
		c.end = e
		c.wire.Out.Seal()     // what others get is not to come after the last words
		if c.usesChannels() { // before the child is stopped, or its end would be told
			c.sequencer.sendLast(channel.Encode(channel.Error, channel.Failure(e.Reason))) // unless farewell has said all
		}
		c.wire.Out.Continue() // whoever waits for the end of a pause has nothing to send any more
		c.attachment.detach()
		c.tasks.Go(c.closeConn)
	})
	return first
}

// silentCloseTime is how long a client that answers no ping may still take to
// answer a close frame.
const silentCloseTime = time.Second

// closeConn ends the connection in the way that c.end asks for.
func (c *Client) closeConn() {
	switch c.end.by {
	case byUs:
		c.input.ended.Store(true)
		err := c.ws.Close(c.end.Code, cutReason(c.end.Reason)) // nil also if the connection is lost meanwhile
		_, otherCode := errors.AsType[websocket.CloseError](err)
		c.answered = otherCode || err == nil && !c.wire.Lost.Load()
	case bySilence:
		c.input.ended.Store(true)
		// Whoever answers no ping will not answer a close frame either.
		defer time.AfterFunc(silentCloseTime, c.wire.Abort).Stop()
		c.ws.Close(c.end.Code, c.end.Reason)
	case byViolation:
		c.input.ended.Store(true)
		c.wire.StopReading() // Close need not wait for an answer, which could not be found
		c.ws.Close(c.end.Code, c.end.Reason)
	case byClient:
		c.ws.CloseNow()
	case byLoss:
		// What has come in before may still be read and handed to the child.
		c.wire.Out.Fail(net.ErrClosed)
		c.attachment.awaitInput()
		c.wire.Abort()
	}
}
