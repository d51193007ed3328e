// Package trace explains the bytes of a WebSocket connection as they pass: the lines of the
// opening handshake and the frames of RFC 6455 in both directions. It only listens, and
// reports what it sees even if it is invalid. The secrets of a handshake are left out.
package trace

import (
	"sync"
	"time"
)

// Direction is who sent some bytes.
type Direction byte

// The two ends of a connection.
const (
	FromClient Direction = iota
	FromServer
)

// Tracer follows one connection. Its methods may be called concurrently. Its memory is
// bounded, whatever passes.
type Tracer struct {
	start time.Time
	emit  func(Event)

	mu      sync.Mutex
	streams [2]stream
	handshake
	over    bool      // what follows is no WebSocket
	begun   Direction // who sent the first close frame
	closing bool      // begun is set
	pings   [2][]ping // without a pong, the oldest first
}

// ping is a ping frame that has no pong yet.
type ping struct {
	payload string
	at      time.Time
}

// maxPings bounds the pings that are remembered in each direction.
const maxPings = 16

// New returns a Tracer that passes each event to emit, which must not call the Tracer. Times
// are relative to start.
func New(start time.Time, emit func(Event)) *Tracer {
	t := &Tracer{start: start, emit: emit}
	for d := range t.streams {
		t.streams[d].direction = Direction(d)
	}
	return t
}

// Feed reports the next bytes in one direction, beginning with the opening handshake. It
// does not retain p.
func (t *Tracer) Feed(from Direction, p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.streams[from]
	for len(p) > 0 && !t.over {
		if s.frames {
			p = t.parseFrame(s, p)
		} else {
			p = t.parseLine(s, p)
		}
	}
}

// Ended is the text of a connection's last event.
const Ended = "the connection has ended"

// End reports that the connection has ended. Later calls do nothing.
func (t *Tracer) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	for d := range t.streams {
		s := &t.streams[d]
		switch {
		case s.frames && s.inFrame():
			t.frameCut(s)
		case !s.frames && len(s.line) > 0:
			t.headLine(s)
		}
	}
	t.note(Ended)
	t.over = true
}

// note reports an explanation.
func (t *Tracer) note(text string) { t.send(Event{Dir: "=", Text: text}) }

func (t *Tracer) send(e Event) {
	e.Text = shorten(e.Text)
	e.Seconds = time.Since(t.start).Seconds()
	t.emit(e)
}

// sign returns the first character of a line about bytes of d.
func (d Direction) sign() string {
	if d == FromClient {
		return ">"
	}
	return "<"
}

// name returns the name of the end that d is from.
func (d Direction) name() string {
	if d == FromClient {
		return "client"
	}
	return "server"
}

// stream is one direction of a connection.
type stream struct {
	direction Direction

	// In the opening handshake:
	line     []byte // the beginning of the current line
	lines    int    // complete lines of the current head
	lastName string // of the last header field, for a continuation line

	frames bool // the opening handshake is complete
	frame  frameState
	text   bool // the current message is text
	deflate
}
