package bridge

import (
	"errors"
	"net"
	"time"
	"unicode/utf8"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// webSocket is the Transport of a client with a WebSocket.
type webSocket struct {
	*Client
	ws       *websocket.Conn
	wire     *wire.Conn // below ws
	deflate  bool       // permessage-deflate was negotiated
	protocol string     // the channel protocol in use, or ""
}

// NewWebSocket returns the Transport of a client with the WebSocket ws on conn, which Run of
// the client closes. deflate means that permessage-deflate was negotiated.
func NewWebSocket(ws *websocket.Conn, conn *wire.Conn, deflate bool) Transport {
	return &webSocket{ws: ws, wire: conn, deflate: deflate, protocol: channelProtocol(ws)}
}

func (w *webSocket) conn() *wire.Conn { return w.wire }
func (w *webSocket) encoding() encoding {
	return encoding{deflate: w.deflate, channels: w.protocol != ""}
}
func (w *webSocket) writer(int64) clientWriter {
	return wire.NewFrameWriter(w.wire.Out, w.deflate)
}
func (w *webSocket) begin()             {}
func (w *webSocket) acknowledges() bool { return true }

// bind implements Transport.
func (w *webSocket) bind(c *Client) {
	w.Client = c
	c.input.ws, c.input.wait = w.ws, c.waitForChild
	if c.usesChannels() {
		c.input.codec, c.input.handle = streamCodec(c.opt.MaxMessage), w.handle
	} else {
		c.input.codec, c.input.holdWhole = c.opt.Framing.NewCodec(), c.opt.Framing.HoldsWhole()
	}
	w.wire.OnIdle, w.wire.Server = c.input.flush, true
	w.ws.SetReadLimit(-1) // input has the limit, with a reason of its own
}

// receive implements Transport.
func (w *webSocket) receive() {
	for {
		if err := w.input.receive(); err != nil {
			w.finish(w.endOf(err))
			return
		}
		w.waitForChild()
	}
}

// endOf maps an error of input.receive to an End.
func (w *webSocket) endOf(err error) End {
	closed, byRemote := errors.AsType[websocket.CloseError](err)
	switch {
	case errors.Is(err, errNotUTF8):
		return endNotUTF8
	case errors.Is(err, errTooBig):
		return endTooBig(w.opt.MaxMessage)
	case errors.Is(err, errControlTooBig):
		return endControl
	case byRemote && !utf8.ValidString(closed.Reason):
		return endBadReason
	case byRemote:
		w.wire.CloseReceived()
		return End{Code: closed.Code, Reason: closed.Reason, by: byClient}
	case w.wire.Overdue.Load():
		return endUnread
	case w.wire.Lost.Load(), errors.Is(err, net.ErrClosed):
		return endLost
	}
	return endProtocol
}

// sendEnd implements Transport. After sendExit it has no effect.
func (w *webSocket) sendEnd(e End) {
	if !w.usesChannels() {
		return
	}
	status := channel.Failure(e.Reason)
	if e.from == childClose && e.Code == websocket.StatusNormalClosure {
		status = channel.Status{Status: channel.StatusSuccess}
	}
	w.sequencer.sendLast(channel.Encode(channel.Error, status))
}

// silentCloseTime is how long a client that replied to no ping may take to reply to a close
// frame.
const silentCloseTime = time.Second

// close implements Transport.
func (w *webSocket) close(e End) (answered bool) {
	switch e.by {
	case byUs:
		err := w.ws.Close(e.Code, cutReason(e.Reason)) // nil even if the connection is lost meanwhile
		_, otherCode := errors.AsType[websocket.CloseError](err)
		return otherCode || err == nil && !w.wire.Lost.Load()
	case bySilence:
		// A client that replies to no ping will hardly reply to a close frame.
		defer time.AfterFunc(silentCloseTime, w.wire.Abort).Stop()
		w.ws.Close(e.Code, e.Reason)
	case byViolation:
		w.wire.StopReading() // so that Close does not wait for a reply, which could not be parsed
		w.ws.Close(e.Code, e.Reason)
	case byClient:
		w.ws.CloseNow()
	}
	return false
}

// Refuse implements Transport.
func (w *webSocket) Refuse(reason string) { w.refuse(endCannotStart(reason)) }

// RefuseResume implements Transport.
func (w *webSocket) RefuseResume(error) { w.refuse(endHistoryLost) }
