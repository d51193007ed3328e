package bridge

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// Response is the response to a plain HTTP request, except for its body.
type Response interface {
	// Begin sends the header. The body follows.
	Begin()
	// End ends the body, with trailers. Without End, the client sees that the body is
	// incomplete.
	End(trailers ...Field)
	// Send sends a complete response.
	Send(status int, body string, fields ...Field)
}

// Field is a header or trailer field.
type Field struct{ Name, Value string }

// HTTPRequest is a plain HTTP request whose response is the output of a child.
type HTTPRequest struct {
	// Conn is the network connection. Only the bridge and Response use it.
	Conn *wire.Conn
	// Response writes the header and the end of the response to Conn. The body is encoded
	// as Format; Chunked means that it is sent in chunks.
	Response Response
	Format   BodyFormat
	Chunked  bool
	// Body, if not nil, becomes the child's stdin. It is nil for a child with several
	// clients.
	Body io.Reader
	// Message, if not nil, is a single message to a Mux child.
	Message []byte
}

// httpClient is the Transport of a client with a plain HTTP request.
type httpClient struct {
	*Client
	request HTTPRequest
	after   int64 // see ClientOptions.After

	mu    sync.Mutex
	begun bool // the header was sent
	over  bool // close was called

	probe probe
}

// probe detects that a client has closed the connection while we do not read it. It sends
// bytes to which the client's kernel then replies with a reset.
type probe struct {
	position int64 // of the queue after the last probe
	ticks    int   // calls of send since other data was sent
}

// NewHTTPRequest returns the Transport of the client that sent r.
func NewHTTPRequest(r HTTPRequest) Transport { return &httpClient{request: r} }

func (h *httpClient) conn() *wire.Conn   { return h.request.Conn }
func (h *httpClient) bind(c *Client)     { h.Client = c }
func (h *httpClient) sendHello()         {}
func (h *httpClient) sendExit(exit)      {}
func (h *httpClient) sendEnd(End)        {}
func (h *httpClient) acknowledges() bool { return false }

// encoding implements Transport.
func (h *httpClient) encoding() encoding {
	return encoding{body: h.request.Format, chunked: h.request.Chunked}
}

// writer implements Transport.
func (h *httpClient) writer(after int64) clientWriter {
	h.after = after
	return &bodyWriter{bodyEncoder: bodyEncoder{format: h.request.Format, number: max(0, after)}, client: h}
}

// begin implements Transport.
func (h *httpClient) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.begun && !h.over {
		h.begun = true
		h.request.Response.Begin()
	}
}

// maxHeaderDelay is how long the header may wait for the first byte of the body. Before that,
// a failure can still be reported as the status.
const maxHeaderDelay = 2 * time.Second

// start implements Transport.
func (h *httpClient) start() (stop func()) {
	delay := time.AfterFunc(maxHeaderDelay, h.begin)
	if h.request.Format == EventBody {
		h.begin()
	}
	end := func() {
		delay.Stop()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.over = true // delay may just have called begin
	}
	interval := h.opt.PingInterval
	if interval <= 0 {
		return end
	}
	alarm := wire.StartAlarm(interval, func() time.Duration {
		h.checkAlive(interval)
		return interval
	})
	return func() {
		alarm.Stop()
		end()
	}
}

// checkAlive ends the connection of a client whose host is down. It sends a comment on an
// event stream, or a probe, so that the host has something to acknowledge.
func (h *httpClient) checkAlive(interval time.Duration) {
	switch {
	case h.wire.HostGone(interval):
		h.wire.Abort()
	case h.request.Format == EventBody && h.wire.Out.Waiting() == 0:
		h.wire.Out.WriteBetween(appendChunk(nil, keepaliveComment, h.request.Chunked))
	case h.request.Chunked && h.bridge.stdin.Waiting() > maxInputBacklog/2:
		h.begin()
		h.probe.send(h.wire.Out)
	}
}

// maxProbes bounds the probes between two chunks. Clients accept chunk sizes of up to 16
// digits, of which a chunk needs up to 7.
const maxProbes = 9

// send writes a zero, which becomes a leading digit of the next chunk's size: in each of the
// first five calls, and then in intervals that double.
func (p *probe) send(out *wire.Queue) {
	if out.Position() != p.position {
		p.ticks = 0
	}
	p.ticks++
	if late := p.ticks / 5; p.ticks <= 5 || p.ticks%5 == 0 && late&(late-1) == 0 && late < 1<<(maxProbes-4) {
		out.WriteBetween([]byte("0"))
	}
	p.position = out.Position()
}

// receive implements Transport.
func (h *httpClient) receive() {
	if h.request.Message != nil {
		h.input.takeMessage(h.request.Message) // does not fail
		h.input.total.count(true, len(h.request.Message))
		h.input.flushEvents()
		h.request.Message = nil
	}
	err := h.carryBody()
	for scratch := make([]byte, wire.SmallBlock/2); err == nil; { // until the client disconnects
		_, err = h.wire.Read(scratch)
	}
	switch {
	case h.wire.Overdue.Load():
		h.finish(endUnread)
	case h.wire.Lost.Load(), errors.Is(err, net.ErrClosed):
		h.finish(endLost)
	default:
		h.finish(endBadBody)
	}
}

// carryBody writes the request's body to the child. The error is nil at its end.
func (h *httpClient) carryBody() error {
	if h.request.Body == nil {
		return nil
	}
	body := errorReader{Reader: h.request.Body}
	readEach(&body, func(p []byte) {
		h.input.out.Write(p) // an error means that the child has closed its stdin, which it may
		h.input.total.count(false, len(p))
		h.input.total.touch()
		h.waitForChild()
	})
	if !errors.Is(body.err, io.EOF) {
		return body.err
	}
	h.input.total.count(true, 0)
	h.closeStdin()
	return nil
}

// errorReader records the error that ended it.
type errorReader struct {
	io.Reader
	err error
}

// Read implements io.Reader.
func (r *errorReader) Read(p []byte) (n int, err error) {
	n, r.err = r.Reader.Read(p)
	return n, r.err
}

// close implements Transport.
func (h *httpClient) close(e End) (answered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	out, isStream := h.wire.Out, h.request.Format == EventBody
	switch {
	case isStream:
		if !h.begun {
			h.request.Response.Begin()
		}
		var event []byte
		if e.from != notChild && h.after <= 0 && h.sequencer.total.total().Messages == 0 {
			event = append(event, noEventID...)
		}
		out.EndData(appendChunk(nil, string(appendCloseEvent(event, e)), h.request.Chunked))
	case !h.begun:
		out.EndData(nil)
		status, body := h.statusOf(e)
		h.request.Response.Send(status, body, e.fields()...)
	default:
		out.EndData(nil)
	}
	if (isStream || h.begun) && e.from != notChild {
		h.request.Response.End(e.fields()...)
	}
	h.wire.Close()
	return false
}

// statusOf returns the status and the body of a response that ends with e before its first
// byte.
func (h *httpClient) statusOf(e End) (status int, body string) {
	how, _ := h.bridge.exit()
	switch {
	case e.from == childClose, e.from == childExit && how.code == 0:
		return 200, ""
	case e.from == childExit, e.Code == websocket.StatusInternalError:
		return 500, e.Reason
	case e == endBadBody:
		return 400, e.Reason
	}
	return 503, e.Reason
}

// fields returns the header or trailer fields that report how the child ended the response.
func (e End) fields() []Field {
	switch {
	case e.from == childExit:
		return []Field{{"Wspipe-Exit", e.Reason}}
	case e.from == childClose && e.Code != websocket.StatusNormalClosure:
		return []Field{{"Wspipe-Close", strings.TrimSpace(strconv.Itoa(int(e.Code)) + " " + strings.Map(fieldRune, e.Reason))}}
	}
	return nil
}

// fieldRune replaces characters that a field must not contain (RFC 9110, section 5.5).
func fieldRune(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

// Refuse implements Transport.
func (h *httpClient) Refuse(reason string) { h.refuse(endCannotStart(reason)) }

// RefuseResume implements Transport.
func (h *httpClient) RefuseResume(cause error) {
	if errors.Is(cause, ErrReported) {
		h.request.Response.Send(204, "") // ends an EventSource
		h.request.Conn.Close()
		return
	}
	h.refuse(endHistoryLost)
}

// refuse ends the response with e. There is no Client.
func (h *httpClient) refuse(e End) {
	r := &h.request
	if r.Format == EventBody {
		r.Response.Begin()
		r.Conn.Out.Write(appendChunk(nil, string(appendCloseEvent(nil, e)), r.Chunked))
		r.Response.End()
	} else {
		r.Response.Send(500, e.Reason)
	}
	r.Conn.Close()
}
