package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"wspipe/bridge"
	"wspipe/bridge/wire"
	"wspipe/server/access"
)

// httpResponse is the response to a plain client. It bypasses net/http and writes to the queue
// of the connection, so that the output of a shared child is encoded once for all clients.
type httpResponse struct {
	conn    *wire.Conn
	proto   string
	chunked bool
	header  http.Header      // of a response with a body from the child
	added   [2][]Header      // see Config.Headers
	log     func(status int) // logs the request; nil afterwards
}

// acceptPlain hijacks the connection of r, a plain request to p. message, if not nil, is its
// body, which has been read already.
func (s *Server) acceptPlain(w http.ResponseWriter, r *http.Request, from *access.Client, p *program, message []byte) (accepted, error) {
	format := bridge.TextBody
	switch {
	case wantsEvents(r):
		format = bridge.EventBody
	case p.endpoint.Framing.HoldsWhole():
		format = bridge.RawBody
	}
	conn, err := takeOver(w)
	if err != nil {
		return accepted{}, err
	}
	on := connOf(r)
	on.exempt()
	on.takenOver = true
	conn.KeepAlive(p.endpoint.PingInterval)
	response := &httpResponse{
		conn: conn, proto: "HTTP/1.0", chunked: r.ProtoAtLeast(1, 1), header: p.endpoint.streamHeader(r, format),
		added: [2][]Header{s.cfg.Headers, s.cfg.HeadersHTTP},
		log:   func(status int) { s.logRequest(r, route{program: p}, from, status, nil) },
	}
	request := bridge.HTTPRequest{Conn: conn, Response: response, Format: format, Message: message}
	if r.ProtoAtLeast(1, 1) {
		response.proto, request.Chunked = "HTTP/1.1", true
	}
	if hasInput(r) && message == nil {
		request.Body = bodyOf(r, conn)
	}
	return accepted{transport: bridge.NewHTTPRequest(request), closed: conn.Closed(), response: response}, nil
}

// bodyOf returns the body of r, whose connection has been hijacked.
func bodyOf(r *http.Request, conn *wire.Conn) io.Reader {
	if r.ContentLength != 0 && hasToken(r.Header.Values("Expect"), "100-continue") {
		conn.Out.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	}
	if r.ContentLength >= 0 {
		return io.LimitReader(conn, r.ContentLength)
	}
	return &chunkedBody{r: bufio.NewReaderSize(conn, readBuffer)}
}

// streamHeader returns the header of the response to r with the output of a child of e.
func (e *Endpoint) streamHeader(r *http.Request, format bridge.BodyFormat) http.Header {
	h := http.Header{
		"Content-Type":           {e.contentType()},
		"Cache-Control":          {"no-store"},
		"X-Accel-Buffering":      {"no"}, // nginx
		"X-Content-Type-Options": {"nosniff"},
	}
	if format == bridge.EventBody {
		h.Set("Content-Type", "text/event-stream")
	}
	allowOrigin(h, r)
	return h
}

// allowOrigin lets the page that r comes from read the response, as it may read what a
// WebSocket sends: its origin has been admitted.
func allowOrigin(h http.Header, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "Wspipe-Exit, Wspipe-Close")
		h.Set("Vary", "Origin")
	}
}

// Begin implements bridge.Response.
func (h *httpResponse) Begin() {
	if h.chunked {
		h.header.Set("Transfer-Encoding", "chunked")
		h.header.Set("Trailer", "Wspipe-Exit, Wspipe-Close")
	}
	h.write(http.StatusOK, h.header, "")
}

// End implements bridge.Response. HTTP/1.0 has no trailers.
func (h *httpResponse) End(trailers ...bridge.Field) {
	if !h.chunked {
		return
	}
	last := []byte("0\r\n")
	for _, f := range trailers {
		last = fmt.Appendf(last, "%s: %s\r\n", f.Name, f.Value)
	}
	h.conn.Out.Write(append(last, "\r\n"...))
}

// Send implements bridge.Response.
func (h *httpResponse) Send(status int, body string, fields ...bridge.Field) {
	header := h.header
	if status != http.StatusOK {
		header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	if status == http.StatusNoContent {
		header.Del("Content-Type")
	} else {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	for _, f := range fields {
		header.Set(f.Name, f.Value)
	}
	h.write(status, header, body)
}

// write sends the header and a body.
func (h *httpResponse) write(status int, header http.Header, body string) {
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	setHeaders(header, h.added[0], h.added[1])
	header.Set("Connection", "close")
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %d %s\r\n", h.proto, status, http.StatusText(status))
	header.Write(&b) // does not fail
	b.WriteString("\r\n" + body)
	h.conn.Out.Write(b.Bytes())
	h.header = nil
	h.record(status)
}

// record logs the request, unless that was done, and drops the reference to it.
func (h *httpResponse) record(status int) {
	if h.log != nil {
		h.log(status)
		h.log = nil
	}
}

// contentType returns the content type of responses with the messages of e.
func (e *Endpoint) contentType() string {
	switch name := e.Framing.String(); {
	case name == "json":
		return "application/x-ndjson"
	case e.Framing.Binary(), e.Framing.HoldsWhole():
		return "application/octet-stream"
	}
	return "text/plain; charset=utf-8"
}
