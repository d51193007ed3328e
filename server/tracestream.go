package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/bridge/trace"
	"wspipe/bridge/wire"
	"wspipe/server/access"
)

// tracePath is the path of the streams of traces, for the console.
const tracePath = ownPrefix + "trace"

// traceProtocol is the subprotocol of a stream of traces, for pages that offer their token as
// another one.
const traceProtocol = "trace.wspipe"

const (
	// maxTraceStreams bounds the streams of traces of all users.
	maxTraceStreams = 100
	// maxTraceQueue bounds the lines that wait for a slow page, in bytes. Up to twice as many,
	// the last line of each connection is queued.
	maxTraceQueue = 256 << 10
	// traceKeepAlive is the interval of the kernel's probes of a stream.
	traceKeepAlive = 30 * time.Second
)

// traceKey identifies a stream of traces. A page chooses the ID, at random, and adds it to the
// URLs of the connections that it wants to be traced.
type traceKey struct{ identity, id string }

// traceStreams are the streams of traces that pages receive.
type traceStreams struct {
	mu      sync.Mutex
	streams map[traceKey]*traceStream
}

// find returns the stream with the ID id of the same user, or nil.
func (l *traceStreams) find(client *access.Client, id string) *traceStream {
	if id == "" {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.streams[traceKey{client.Identity, id}]
}

// add adds a stream, which replaces another one with the same key. It returns nil if there are
// too many.
func (l *traceStreams) add(key traceKey) *traceStream {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.streams[key]
	if before == nil && len(l.streams) >= maxTraceStreams {
		return nil
	}
	if before != nil {
		before.end()
	}
	if l.streams == nil {
		l.streams = make(map[traceKey]*traceStream)
	}
	t := &traceStream{wake: make(chan struct{}, 1), ended: make(chan struct{})}
	l.streams[key] = t
	return t
}

// remove undoes add.
func (l *traceStreams) remove(key traceKey, t *traceStream) {
	t.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams[key] == t {
		delete(l.streams, key)
	}
}

// removeTraceID removes the ID of a stream of traces from the query and the headers of r and
// returns it. It is empty if there is none or several.
func removeTraceID(r *http.Request) string {
	query, ids := access.WithoutParameter(r.URL.RawQuery, channel.TraceParameter)
	if len(ids) == 0 {
		return ""
	}
	r.URL.RawQuery = query
	access.CleanHeader(r.Header, traceInHeader, ids...)
	if len(ids) > 1 || !sessionID.MatchString(ids[0]) {
		return ""
	}
	return ids[0]
}

// traceInHeader matches the ID of a stream of traces in a header value.
var traceInHeader = access.SecretParameters(channel.TraceParameter)

// serveTrace serves a stream of traces until its page or the server ends it.
func (s *Server) serveTrace(w http.ResponseWriter, r *http.Request, client *access.Client, _ admission) *access.Refusal {
	id := removeTraceID(r)
	if id == "" {
		return badParameter(channel.TraceParameter, "one value of 22 to 128 letters, digits, dashes or underscores; use 128 random bits")
	}
	key := traceKey{client.Identity, id}
	t := s.traces.add(key) // before the response, because the page then makes its connections
	if t == nil {
		return &access.Refusal{Status: http.StatusTooManyRequests, Rule: "trace", Why: "too many streams of traces"}
	}
	defer s.traces.remove(key, t)
	h := &hijacker{ResponseWriter: w}
	if hasToken(r.Header.Values("Sec-WebSocket-Protocol"), traceProtocol) {
		h.subprotocol = traceProtocol
	}
	ws, err := h.accept(r, false)
	if err != nil { // the library has written a response
		return nil
	}
	h.wire.KeepAlive(traceKeepAlive)
	t.send(ws, h.wire, s.tracker.stopping)
	<-h.wire.Closed()
	return nil
}

// traceStream is the stream of the traces of a page's connections.
type traceStream struct {
	wake  chan struct{} // holds a token if there are lines
	ended chan struct{} // closed by end
	once  sync.Once

	mu          sync.Mutex
	connections int
	queue       [][]byte // lines to send
	size        int      // of queue, in bytes
	lost        int      // lines after those in queue
	ends        [][]byte // the last lines of connections, after the lost ones
}

// end makes send return.
func (t *traceStream) end() { t.once.Do(func() { close(t.ended) }) }

// isEnded reports whether nobody receives the stream any more.
func (t *traceStream) isEnded() bool {
	select {
	case <-t.ended:
		return true
	default:
		return false
	}
}

// traceLine is a line of the stream, in JSON.
type traceLine struct {
	// Conn is the number of the connection in the stream, from 1.
	Conn int `json:"conn"`
	trace.Event
	// Line is the line as wspipe connect --trace prints it.
	Line string `json:"line"`
}

// connection returns a function that has a connection traced, given the header of the response
// to its opening handshake r. t may be nil.
func (t *traceStream) connection(r *http.Request) func(*wire.Conn, http.Header) {
	if t == nil {
		return nil
	}
	return func(conn *wire.Conn, response http.Header) {
		t.mu.Lock()
		t.connections++
		number := t.connections
		t.mu.Unlock()
		tracer := trace.New(time.Now(), func(e trace.Event) { t.add(number, e) })
		tracer.Feed(trace.FromClient, head(r.Method+" "+r.RequestURI+" "+r.Proto+"\r\nHost: "+r.Host, r.Header))
		tracer.Feed(trace.FromServer, head("HTTP/1.1 101 Switching Protocols", response))
		feed := func(from trace.Direction) func([]byte) {
			return func(p []byte) {
				if t.isEnded() {
					conn.SetTap(nil)
					return
				}
				tracer.Feed(from, p)
			}
		}
		conn.SetTap(&wire.Tap{Received: feed(trace.FromClient), Sent: feed(trace.FromServer)})
		go func() { // ends with the connection
			<-conn.Closed()
			tracer.End()
		}()
	}
}

// head returns the head of a request or a response that begins with first.
func head(first string, fields http.Header) []byte {
	b := bytes.NewBufferString(first + "\r\n")
	fields.Write(b) // to a buffer without errors
	b.WriteString("\r\n")
	return b.Bytes()
}

// add queues the line for an event, or counts it as lost. The last line of a connection is not lost.
func (t *traceStream) add(number int, e trace.Event) {
	line, err := json.Marshal(traceLine{number, e, e.String()})
	if err != nil {
		panic("trace: " + err.Error()) // has strings and numbers only
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch full := t.lost > 0 || t.size+len(line) > maxTraceQueue; { // until take reports it
	case full && e.Dir == "=" && e.Text == trace.Ended && t.size+len(line) <= 2*maxTraceQueue:
		t.ends, t.size = append(t.ends, line), t.size+len(line)
	case full:
		t.lost++
		return
	default:
		t.queue, t.size = append(t.queue, line), t.size+len(line)
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// take returns the queued lines and, if more were lost, {"lost":N} before the last lines of
// connections.
func (t *traceStream) take() (lines [][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines = t.queue
	if t.lost > 0 {
		lines = append(lines, fmt.Appendf(nil, `{"lost":%d}`, t.lost))
	}
	lines = append(lines, t.ends...)
	t.queue, t.size, t.lost, t.ends = nil, 0, 0, nil
	return lines
}

// send sends each line as a text message until the page closes ws, another page replaces it, or
// the server stops.
func (t *traceStream) send(ws *websocket.Conn, conn *wire.Conn, stopping <-chan struct{}) {
	ctx := ws.CloseRead(context.Background())
	var over atomic.Bool
	go func() { // ends when one of these does; unblocked by end
		select {
		case <-ctx.Done():
		case <-stopping:
		case <-t.ended:
		}
		over.Store(true)
		t.end()
		conn.Out.Wake()
	}()
	for !over.Load() {
		for _, line := range t.take() {
			if ws.Write(ctx, websocket.MessageText, line) != nil || conn.Out.WaitUnless(wire.MaxUnsent, &over) != nil {
				break
			}
		}
		select {
		case <-t.wake:
		case <-t.ended:
			over.Store(true)
		}
	}
	select {
	case <-stopping:
		ws.Close(websocket.StatusGoingAway, "server shutting down")
	default:
		ws.Close(websocket.StatusNormalClosure, "")
	}
}
