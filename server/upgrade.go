package server

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/coder/websocket"

	"wspipe/bridge"
	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/server/access"
)

// isUpgrade reports whether r is an opening handshake (RFC 6455, section 4.2.1).
func isUpgrade(r *http.Request) bool {
	return hasToken(r.Header.Values("Connection"), "upgrade") && hasToken(r.Header.Values("Upgrade"), "websocket")
}

// lacksUpgrade reports whether r is an opening handshake whose Upgrade or Connection header was
// removed by a proxy.
func lacksUpgrade(r *http.Request) bool {
	return len(r.Header.Values("Sec-WebSocket-Key")) > 0 && !isUpgrade(r)
}

// The refusals of handshakes that a proxy has changed.
var (
	upgradeRemoved = &access.Refusal{Status: http.StatusUpgradeRequired, Rule: "handshake", Why: "the WebSocket handshake is missing its Upgrade or Connection header; " +
		"a proxy removed it (nginx needs proxy_set_header for both, and proxy_http_version 1.1)"}
	oldVersion = &access.Refusal{Status: http.StatusUpgradeRequired, Rule: "handshake", Why: "the WebSocket handshake uses HTTP/1.0 instead of HTTP/1.1; " +
		"a proxy downgraded it (nginx needs proxy_http_version 1.1)"}
)

func hasToken(values []string, token string) bool {
	return slices.ContainsFunc(access.HeaderList(values), func(t string) bool { return strings.EqualFold(t, token) })
}

// offered returns the subprotocols that r offers.
func offered(r *http.Request) []string {
	return access.HeaderList(r.Header.Values("Sec-WebSocket-Protocol"))
}

// chooseSubprotocol returns the preferred one of the subprotocols that r offers, or "". They are
// case-sensitive: a browser fails the connection if the response has another spelling.
func (e *Endpoint) chooseSubprotocol(r *http.Request) string {
	names := offered(r)
	for _, known := range e.subprotocols() {
		if slices.Contains(names, known) {
			return known
		}
	}
	return ""
}

// accepted is a client that an endpoint has accepted.
type accepted struct {
	transport   bridge.Transport
	closed      <-chan struct{} // closed when its connection is
	subprotocol string          // of a WebSocket
	response    *httpResponse   // of a plain request, or nil
}

// usesChannels reports whether the subprotocol has channels.
func (a *accepted) usesChannels() bool { return slices.Contains(channel.Protocols, a.subprotocol) }

// upgrade completes the opening handshake for an endpoint, and has the connection traced unless
// traced is nil. After an error it has written an error response.
func upgrade(w http.ResponseWriter, r *http.Request, endpoint *Endpoint, traced *traceStream) (accepted, error) {
	h := &hijacker{ResponseWriter: w, subprotocol: endpoint.chooseSubprotocol(r), traced: traced.connection(r)}
	ws, err := h.accept(r, endpoint.Compress)
	if err != nil {
		return accepted{}, err
	}
	deflate := w.Header().Get("Sec-WebSocket-Extensions") != ""
	return accepted{transport: bridge.NewWebSocket(ws, h.wire, deflate), closed: h.wire.Closed(), subprotocol: ws.Subprotocol()}, nil
}

// accept completes the opening handshake r.
func (h *hijacker) accept(r *http.Request, compress bool) (*websocket.Conn, error) {
	opt := &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the origin has been checked
		OnPingReceived:     func(context.Context, []byte) bool { return h.wire.MayAnswer() },
	}
	if compress {
		opt.CompressionMode = websocket.CompressionNoContextTakeover
	}
	ws, err := websocket.Accept(h, r, opt)
	if err == nil {
		connOf(r).exempt()
	}
	h.ResponseWriter, h.traced = nil, nil // ws references h, and must not keep the request in memory
	return ws, err
}

// hijacker inserts a wire.Conn below the WebSocket, and adds the subprotocol to the response,
// because the library would ignore case.
type hijacker struct {
	http.ResponseWriter
	subprotocol string // empty for none
	wire        *wire.Conn
	traced      func(*wire.Conn, http.Header) // called with the response's header, or nil
}

// WriteHeader implements http.ResponseWriter.
func (h *hijacker) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols && h.subprotocol != "" {
		h.Header().Set("Sec-WebSocket-Protocol", h.subprotocol)
	}
	h.ResponseWriter.WriteHeader(status)
}

// The sizes of the library's buffers, in bytes. wire.Conn has larger ones when needed.
const (
	readBuffer  = 512
	writeBuffer = 256 // for a control frame or a short line
)

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	var err error
	if h.wire, err = takeOver(h.ResponseWriter); err != nil {
		return nil, nil, err
	}
	if h.traced != nil {
		h.traced(h.wire, h.Header())
	}
	return h.wire, bufio.NewReadWriter(bufio.NewReaderSize(h.wire, readBuffer), bufio.NewWriterSize(h.wire, writeBuffer)), nil
}

// takeOver takes the connection of w from net/http.
func takeOver(w http.ResponseWriter) (*wire.Conn, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	return wire.NewConn(conn, slices.Clone(early)), nil
}
