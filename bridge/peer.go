package bridge

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// peer is a client's end of a session: its connection, what comes in over it,
// and how it ends.
type peer struct {
	ws    *websocket.Conn
	wire  *Wire
	opt   Options
	child Child
	stdin *Outflow // the child's
	in    inbound

	protocol string // the channel protocol in use, or empty
	outlet   outlet

	// shared says that the child has other clients, too: none may end its input.
	shared bool
	// over says that nobody need wait for the child on behalf of this client.
	over atomic.Bool
	// ending is called once, when it is clear how the connection ends and before
	// the client is told. It does not wait.
	ending func()
	// inputTaken waits until the child has what a client sent that is lost.
	inputTaken func()

	tasks       sync.WaitGroup // whatever the end waits for
	ignoredOnce sync.Once
	endOnce     sync.Once
	end         End  // set by finish
	answered    bool // set by closeConn if it has read an answer to our close frame
}

// init joins the connection and what takes its messages.
func (p *peer) init(ws *websocket.Conn, wire *Wire, child Child, stdin *Outflow, opt Options) {
	p.ws, p.wire, p.opt, p.child, p.stdin = ws, wire, opt, child, stdin
	p.protocol = channelProtocol(ws)
	p.outlet = newOutlet(wire, opt.Deflate)
	p.in = inbound{ws: ws, out: stdin, limit: opt.MaxMessage, mute: opt.NoStdin, wait: p.waitForChild}
	if p.usesChannels() {
		p.in.codec, p.in.obey = streamCodec(opt.MaxMessage), p.obey
	} else {
		f := framings[opt.Framing]
		p.in.codec, p.in.whole = f.codec(), f.whole
	}
	p.in.total.touch()
	p.outlet.total.touch()
	wire.onIdle, wire.serves = p.in.handOn, true
	if opt.Terminal {
		wire.boundUnsent()
	}
	ws.SetReadLimit(-1) // inbound has the limit, and its own words for it
}

// usesChannels reports whether the client has the child's streams apart.
func (p *peer) usesChannels() bool { return p.protocol != "" }

// carryInput carries the client's messages to the child, which is what receive
// does, until the connection has ended, and the tasks.
func (p *peer) carryInput(receive func()) {
	stopTimers := p.startTimers()
	receive() // unblocked by whatever closes the connection
	if p.end.by == byLoss {
		p.wire.Abort()
	}
	p.tasks.Wait()
	p.ws.CloseNow()
	stopTimers()
	<-p.wire.Closed()
}

// receiveAll carries the client's messages to the child until the connection
// ends or a message breaks the rules.
func (p *peer) receiveAll() {
	for {
		if err := p.in.receive(); err != nil {
			p.finish(p.endOf(err))
			return
		}
		p.waitForChild()
	}
}

// waitForChild holds the client up while more than maxWaiting bytes wait for
// the child, and watches meanwhile whether the client is still there. A pause is
// no longer than that: the client's word that ends it is not heard, and the child
// may not read before it can write.
func (p *peer) waitForChild() {
	if p.stdin.Waiting() <= maxWaiting {
		return
	}
	paused := p.wire.Out.proceed()
	stop := p.wire.watchHangup(func() { p.finish(endLost) })
	p.stdin.waitUnless(maxWaiting/2, &p.over)
	stop()
	if paused {
		p.wire.Out.pause()
	}
}

// endOf tells what end a failed receive means.
func (p *peer) endOf(err error) End {
	closed, byPeer := errors.AsType[websocket.CloseError](err)
	switch {
	case errors.Is(err, errNotUTF8):
		return endNotUTF8
	case errors.Is(err, errTooBig):
		return endTooBig(p.opt.MaxMessage)
	case errors.Is(err, errControlTooBig):
		return endControl
	case byPeer && !utf8.ValidString(closed.Reason):
		return endBadReason
	case byPeer:
		p.wire.peerDone()
		return End{Code: closed.Code, Reason: closed.Reason, by: byClient}
	case p.wire.lost.Load(), errors.Is(err, net.ErrClosed):
		return endLost
	}
	return endProtocol
}

// finish ends the connection with e, unless something else has ended it before,
// and reports whether it did. Only the caller that comes first may come before
// the tasks are waited for.
func (p *peer) finish(e End) (first bool) {
	p.endOnce.Do(func() {
		first = true
		p.end = e
		p.wire.Out.seal()     // what others get is not to come after the last words
		if p.usesChannels() { // before the child is stopped, or its end would be told
			p.outlet.settle(onChannel(ChannelStatus, failure(e.Reason))) // unless farewell has said all
		}
		p.wire.Out.proceed() // whoever waits for the end of a pause has nothing to send any more
		p.ending()
		p.tasks.Go(p.closeConn)
	})
	return first
}

// silencePatience is how long a client that answers no ping may still take to
// answer a close frame.
const silencePatience = time.Second

// closeConn ends the connection in the way that p.end asks for.
func (p *peer) closeConn() {
	switch p.end.by {
	case byUs:
		p.in.ended.Store(true)
		err := p.ws.Close(p.end.Code, cutReason(p.end.Reason)) // nil also if the connection is lost meanwhile
		_, otherCode := errors.AsType[websocket.CloseError](err)
		p.answered = otherCode || err == nil && !p.wire.lost.Load()
	case bySilence:
		p.in.ended.Store(true)
		// Whoever answers no ping will not answer a close frame either.
		defer time.AfterFunc(silencePatience, p.wire.Abort).Stop()
		p.ws.Close(p.end.Code, p.end.Reason)
	case byViolation:
		p.in.ended.Store(true)
		p.wire.stopReading() // Close need not wait for an answer, which could not be found
		p.ws.Close(p.end.Code, p.end.Reason)
	case byClient:
		p.ws.CloseNow()
	case byLoss:
		// What has come in before may still be read and handed to the child.
		p.wire.Out.Fail(net.ErrClosed)
		p.inputTaken()
		p.wire.Abort()
	}
}
