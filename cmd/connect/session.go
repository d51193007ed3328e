package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"wspipe/bridge/channel"

	"github.com/coder/websocket"
)

// session is one connection.
type session struct {
	*client
	ws       *websocket.Conn
	link     *link
	began    time.Time
	protocol string
	channels bool // the first byte of each message is its channel

	closing   sync.Once
	over      chan struct{}  // closed when no message comes any more
	first     sync.Once      // the hello of ProtocolWspipe, or that it is missing
	greeted   chan struct{}  // closed at the hello
	mute      bool           // the hello is missing
	others    sync.WaitGroup // the goroutines beside run's
	control   atomic.Bool    // signals can be sent
	resizable atomic.Bool    // so can window sizes
	raw       atomic.Bool    // what is typed comes key by key
	eof       atomic.Bool    // stdin has ended, and that has been sent
	silence   *time.Timer    // EOFTimeout; nil without

	// The reader's:
	told *end // how the program ended, once the server has said so

	// The sender's:
	escapes escapes
	message []byte         // what is sent, behind its channel
	line    io.WriteCloser // a long line that is being sent, or nil
}

func newSession(c *client, ws *websocket.Conn, l *link) *session {
	s := &session{client: c, ws: ws, link: l, began: time.Now(), protocol: ws.Subprotocol(), over: make(chan struct{}), greeted: make(chan struct{})}
	if s.protocol == channel.ProtocolPlain {
		s.protocol = ""
	}
	s.channels = slices.Contains(channel.Protocols, s.protocol)
	s.message = make([]byte, 1, maxMessage)
	return s
}

// run returns when nothing of the connection is left.
func (s *session) run() end {
	if s.EOFTimeout > 0 {
		s.silence = time.AfterFunc(math.MaxInt64, s.silent)
		defer s.silence.Stop()
	}
	s.beside(s.beat) // ends when the connection is over
	if s.resuming != nil {
		s.beside(s.watch) // ends when the connection is over
	}
	if s.protocol == channel.ProtocolWspipe {
		s.beside(s.awaitHello) // ends when the connection is over
	} else {
		s.begin(false)
	}
	err := s.readMessages()
	s.output.flush()
	close(s.over)
	s.ws.CloseNow() // the close frames have been exchanged, or there will be none
	s.link.await()
	s.closing.Do(func() {}) // nor is there anything left to close
	s.others.Wait()
	frame, ok := errors.AsType[websocket.CloseError](err)
	if ok && !utf8.ValidString(frame.Reason) {
		ok, err = false, errBadReason
	}
	var e end
	if s.mute {
		e = end{status: StatusFailed, err: ErrNoHello, retry: true}
	} else if ok {
		e = ofClose(frame, s.told, s.channels)
	} else if e = ofLoss(err); s.told != nil {
		e = *s.told
	}
	e.lasted = time.Since(s.began)
	return e
}

// errBadReason makes a close frame an invalid one (RFC 6455, section 8.1): the
// connection is lost.
var errBadReason = errors.New("close reason is not UTF-8")

// beside runs f in a goroutine, which run waits for.
func (s *session) beside(f func()) {
	s.others.Go(func() {
		defer s.rescue()
		f()
	})
}

// begin starts what is sent. pty says that the program is known to have a
// terminal.
func (s *session) begin(pty bool) {
	if s.wantsRaw(pty) {
		s.windows.watchStop()
		if err := s.terminal.makeRaw(); err != nil {
			s.leave(end{status: StatusFailed, err: err})
			return
		}
		s.raw.Store(true)
		s.resizable.Store(s.channels)
		s.sendSize()
		s.redraw()
	}
	s.input.start(s.rescue)
	s.beside(s.send) // ends with stdin or the connection
}

// close ends the connection from our side. It does not wait.
func (s *session) close() {
	s.closing.Do(func() {
		s.beside(func() { // ends within closeTime
			defer time.AfterFunc(closeTime, s.link.Abort).Stop()
			s.ws.Close(websocket.StatusNormalClosure, "")
		})
	})
}

// readMessages hands out what comes, until nothing does any more.
func (s *session) readMessages() error {
	for {
		typ, r, err := s.ws.Reader(context.Background())
		if err != nil {
			return err
		}
		if s.eof.Load() && s.silence != nil {
			s.silence.Reset(s.EOFTimeout)
		}
		switch {
		case s.channels:
			err = s.fromChannel(r)
		case typ == websocket.MessageText && !s.Binary && !s.raw.Load():
			err = s.output.copyToStdout(s.resuming.fresh(r, true), "\n")
		default:
			err = s.output.copyToStdout(s.resuming.fresh(r, true), "")
		}
		if err != nil {
			return err
		}
	}
}

// fromChannel hands out a message behind its channel.
func (s *session) fromChannel(r io.Reader) error {
	var number [1]byte
	if _, err := io.ReadFull(r, number[:]); err == io.EOF {
		return nil // a message without even a channel says nothing
	} else if err != nil {
		return err
	}
	switch number[0] {
	case channel.Stdout:
		return s.output.copyToStdout(s.resuming.fresh(r, false), "")
	case channel.Stderr:
		return s.output.copyToStderr(s.resuming.fresh(r, false))
	case channel.Error, channel.Control:
		text, err := io.ReadAll(io.LimitReader(r, maxControl))
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err == nil {
			s.heed(number[0], text)
		}
		return err
	}
	_, err := io.Copy(io.Discard, r) // of a later protocol
	return err
}

// maxControl is how much is taken of a message to us, in bytes.
const maxControl = 64 << 10

// heed takes a message that is for us. What it does not understand it ignores.
func (s *session) heed(number byte, text []byte) {
	if number == channel.Error {
		if e, ok := ofStatus(text); ok && s.told == nil {
			s.told = &e
		}
		return
	}
	var message channel.ControlMessage
	if s.protocol != channel.ProtocolWspipe || json.Unmarshal(text, &message) != nil {
		return
	}
	if e, ok := ofControl(message); ok {
		s.told = &e
	}
	if message.Type == channel.TypeHello {
		s.first.Do(func() {
			close(s.greeted)
			s.control.Store(true)
			s.hello(message)
		})
	}
}

// helloTime is how long the hello of ProtocolWspipe may take.
const helloTime = 5 * time.Second

// ErrNoHello says that the server does not implement the subprotocol that it has
// selected. Nothing of stdin has been read.
var ErrNoHello = fmt.Errorf("the server selected the subprotocol %s, but sent no hello within %v", channel.ProtocolWspipe, helloTime)

// awaitHello ends the connection if the hello is missing. It counts several ticks,
// so that a client that was stopped reads before it gives up.
func (s *session) awaitHello() {
	const ticks = 5
	tick := time.NewTicker(helloTime / ticks)
	defer tick.Stop()
	for range ticks {
		select {
		case <-tick.C:
		case <-s.greeted:
			return
		case <-s.over:
			return
		}
	}
	s.first.Do(func() {
		s.mute = true
		s.close()
	})
}

// hello begins a session about which the server has said whether its program has
// a terminal.
func (s *session) hello(message channel.ControlMessage) {
	if s.resuming.isAnother(message.Session) {
		s.screen.leave(false)
	}
	if !s.resuming.greet(message.Session, s.Reconnect) {
		s.leave(end{status: StatusFailed, err: fmt.Errorf("%w: the server has started another program", ErrSessionLost)})
		return
	}
	pty := message.PTY != nil && *message.PTY
	if !pty && s.PTY != nil && *s.PTY {
		s.leave(end{status: StatusFailed, err: errors.New("the server's program has no terminal; it gets one from wspipe --pty there")})
		return
	}
	s.begin(pty)
}

// silent ends a connection that has been silent for so long since stdin ended.
// While nobody takes our output we do not know that.
func (s *session) silent() {
	select {
	case <-s.over:
		return
	default:
	}
	if s.output.stuckFor() > 0 {
		s.silence.Reset(s.EOFTimeout)
		return
	}
	s.leave(end{})
}

// beatInterval is how long a write of ours to stdout may be stuck before we give
// a sign of life, and again.
const beatInterval = 10 * time.Second

// beat shows the server that we live while nobody takes our output, so that we
// read nothing and answer no pings. Answers are not waited for.
func (s *session) beat() {
	tick := time.NewTicker(beatInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.over:
			return
		}
		if s.output.stuckFor() >= beatInterval {
			s.ping()
		}
	}
}

// How often a server that is silent is asked for a sign of life, where a session
// can go on over another connection, and how long none of its host may come.
const (
	watchInterval = 5 * time.Second
	watchPatience = 15 * time.Second
)

// watch gives up a connection whose other end has vanished: the kernel alone would
// do that after many minutes. A host that is there answers, also for a server
// that does not read.
func (s *session) watch() {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for before := int64(0); ; {
		select {
		case <-tick.C:
		case <-s.over:
			return
		}
		reads := s.link.reads.Load()
		switch {
		case reads != before:
			before = reads
		case s.link.HostGone(watchPatience):
			s.link.giveUp()
		default:
			s.ping()
		}
	}
}

// ping makes the server, or at least its host, say something. That is not waited
// for.
func (s *session) ping() {
	if !s.link.MayAnswer() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.ws.Ping(ctx)
}

// sendControl sends v, in JSON, on a channel, unless the server takes nothing.
func (s *session) sendControl(number byte, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("message on channel %d: %v", number, err)) // v is one of bridge's
	}
	if s.link.MayAnswer() {
		s.ws.Write(context.Background(), websocket.MessageBinary, append([]byte{number}, text...))
	}
}

// sendSignal sends the program a signal, and reports whether it can.
func (s *session) sendSignal(name string) bool {
	if !s.control.Load() {
		return false
	}
	s.sendControl(channel.Control, channel.ControlMessage{Type: channel.TypeSignal, Signal: name})
	return true
}

// redraw makes a program draw again whose modes have been reset meanwhile.
func (s *session) redraw() {
	if s.raw.Load() && s.screen.wasReset() {
		s.sendSignal("WINCH")
	}
}

// sendSize tells the size of our window.
func (s *session) sendSize() {
	if size, ok := s.terminal.size(); ok && s.resizable.Load() {
		s.sendControl(channel.Resize, size)
	}
}
