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

// clientConn is one connection.
type clientConn struct {
	*client
	ws       *websocket.Conn
	netConn  *netConn
	started  time.Time
	protocol string
	channels bool // the first byte of each message is its channel

	closeOnce     sync.Once
	done          chan struct{}  // closed when reading has ended
	helloOnce     sync.Once      // decides between helloReceived and helloMissing
	helloReceived chan struct{}  // closed when the hello is received
	helloMissing  bool           // no hello within helloTimeout
	goroutines    sync.WaitGroup // those of spawn
	canSignal     atomic.Bool    // the server accepts signals
	canResize     atomic.Bool    // the server accepts window sizes
	raw           atomic.Bool    // stdin is a raw terminal
	eofSent       atomic.Bool    // stdin has ended, and sendEOF was called
	eofTimer      *time.Timer    // of EOFTimeout; nil if that is 0

	// Used by the reader:
	reported *result // the child's exit, as the server has reported it, or nil

	// Used by the sender:
	escapeFilter escapeFilter
	message      []byte         // a buffer for a channel byte and a payload
	line         io.WriteCloser // a long line that is partly sent, or nil
}

func newClientConn(c *client, ws *websocket.Conn, l *netConn) *clientConn {
	s := &clientConn{client: c, ws: ws, netConn: l, started: time.Now(), protocol: ws.Subprotocol(), done: make(chan struct{}), helloReceived: make(chan struct{})}
	if s.protocol == channel.ProtocolPlain {
		s.protocol = ""
	}
	s.channels = slices.Contains(channel.Protocols, s.protocol)
	s.message = make([]byte, 1, maxMessage)
	return s
}

// run copies messages both ways. It returns when the connection is closed and all its
// goroutines have ended.
func (s *clientConn) run() result {
	if s.EOFTimeout > 0 {
		s.eofTimer = time.AfterFunc(math.MaxInt64, s.eofTimedOut)
		defer s.eofTimer.Stop()
	}
	s.spawn(s.keepAlive) // ends when the connection is over
	if s.Trace != nil {
		s.spawn(s.ping) // ends with the pong or after its timeout
	}
	if s.resumed != nil {
		s.spawn(s.detectLoss) // ends when the connection is over
	}
	if s.protocol == channel.ProtocolWspipe {
		s.spawn(s.awaitHello) // ends when the connection is over
	} else {
		s.start(false)
	}
	err := s.readMessages()
	s.output.flush()
	close(s.done)
	s.ws.CloseNow() // after the close frames, or without
	s.netConn.waitClosed()
	s.closeOnce.Do(func() {}) // close starts no goroutine from now on
	s.goroutines.Wait()
	frame, ok := errors.AsType[websocket.CloseError](err)
	if ok && !utf8.ValidString(frame.Reason) {
		ok, err = false, errBadReason
	}
	var e result
	if s.helloMissing {
		e = result{status: StatusFailed, err: ErrNoHello, retry: true}
	} else if ok {
		e = closeResult(frame, s.reported, s.channels)
	} else if e = lossResult(err); s.reported != nil {
		e = *s.reported
	}
	e.duration = time.Since(s.started)
	return e
}

// errBadReason reports a close frame that is invalid by RFC 6455 section 8.1. It counts as
// a lost connection.
var errBadReason = errors.New("close reason is not UTF-8")

// spawn runs f in a goroutine for which run waits.
func (s *clientConn) spawn(f func()) {
	s.goroutines.Go(func() {
		defer s.restoreOnPanic()
		f()
	})
}

// start starts sending stdin. pty reports whether the child has a terminal.
func (s *clientConn) start(pty bool) {
	if s.rawWanted(pty) {
		s.window.catchSuspend()
		if err := s.terminal.makeRaw(); err != nil {
			s.exit(result{status: StatusFailed, err: err})
			return
		}
		s.raw.Store(true)
		s.canResize.Store(s.channels)
		s.sendSize()
		s.redraw()
	}
	s.input.start(s.restoreOnPanic)
	s.spawn(s.sendStdin) // ends with stdin or the connection
}

// close starts the closing handshake. It does not wait.
func (s *clientConn) close() {
	s.closeOnce.Do(func() {
		s.spawn(func() { // ends within closeTimeout
			defer time.AfterFunc(closeTimeout, s.netConn.Abort).Stop()
			s.ws.Close(websocket.StatusNormalClosure, "")
		})
	})
}

// readMessages handles received messages until reading fails.
func (s *clientConn) readMessages() error {
	for {
		typ, r, err := s.ws.Reader(context.Background())
		if err != nil {
			return err
		}
		if s.eofSent.Load() && s.eofTimer != nil {
			s.eofTimer.Reset(s.EOFTimeout)
		}
		switch {
		case s.channels:
			err = s.readChannel(r)
		case typ == websocket.MessageText && !s.Binary && !s.raw.Load():
			err = s.output.copyToStdout(s.resumed.skipReceived(r, true), "\n")
		default:
			err = s.output.copyToStdout(s.resumed.skipReceived(r, true), "")
		}
		if err != nil {
			return err
		}
	}
}

// readChannel handles a message with a channel byte.
func (s *clientConn) readChannel(r io.Reader) error {
	var number [1]byte
	if _, err := io.ReadFull(r, number[:]); err == io.EOF {
		return nil // ignore an empty message
	} else if err != nil {
		return err
	}
	switch number[0] {
	case channel.Stdout:
		return s.output.copyToStdout(s.resumed.skipReceived(r, false), "")
	case channel.Stderr:
		return s.output.copyToStderr(s.resumed.skipReceived(r, false))
	case channel.Error, channel.Control:
		text, err := io.ReadAll(io.LimitReader(r, maxControl))
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err == nil {
			s.handleControl(number[0], text)
		}
		return err
	}
	_, err := io.Copy(io.Discard, r) // an unknown channel
	return err
}

// maxControl is how much of a control message is read, in bytes.
const maxControl = 64 << 10

// handleControl handles a message on one of the control channels. It ignores unknown ones.
func (s *clientConn) handleControl(number byte, text []byte) {
	if number == channel.Error {
		if e, ok := parseStatus(text); ok && s.reported == nil {
			s.reported = &e
		}
		return
	}
	var message channel.ControlMessage
	if s.protocol != channel.ProtocolWspipe || json.Unmarshal(text, &message) != nil {
		return
	}
	if e, ok := parseExitMessage(message); ok {
		s.reported = &e
	}
	if message.Type == channel.TypeHello {
		s.helloOnce.Do(func() {
			close(s.helloReceived)
			s.canSignal.Store(true)
			s.handleHello(message)
		})
	}
}

// helloTimeout bounds the wait for the hello of ProtocolWspipe.
const helloTimeout = 5 * time.Second

// ErrNoHello reports that the server has selected a subprotocol that it does not implement.
// Nothing has been read from stdin.
var ErrNoHello = fmt.Errorf("the server selected the subprotocol %s, but sent no hello within %v", channel.ProtocolWspipe, helloTimeout)

// awaitHello closes the connection if no hello arrives. It counts several ticks, so that a
// client that was stopped meanwhile reads first.
func (s *clientConn) awaitHello() {
	const ticks = 5
	tick := time.NewTicker(helloTimeout / ticks)
	defer tick.Stop()
	for range ticks {
		select {
		case <-tick.C:
		case <-s.helloReceived:
			return
		case <-s.done:
			return
		}
	}
	s.helloOnce.Do(func() {
		s.helloMissing = true
		s.close()
	})
}

// handleHello starts sending when the hello is received.
func (s *clientConn) handleHello(message channel.ControlMessage) {
	if s.resumed.isNewSession(message.Session) {
		s.modes.reset(false)
	}
	if !s.resumed.acceptName(message.Session, s.Reconnect) {
		s.exit(result{status: StatusFailed, err: fmt.Errorf("%w: the server has started another program", ErrSessionLost)})
		return
	}
	pty := message.PTY != nil && *message.PTY
	if !pty && s.PTY != nil && *s.PTY {
		s.exit(result{status: StatusFailed, err: errors.New("the server's program has no terminal; start the server with wspipe --pty")})
		return
	}
	s.start(pty)
}

// eofTimedOut exits when EOFTimeout has expired. While a write to stdout is blocked, we do
// not read and cannot know whether the server is silent.
func (s *clientConn) eofTimedOut() {
	select {
	case <-s.done:
		return
	default:
	}
	if s.output.blockedFor() > 0 {
		s.eofTimer.Reset(s.EOFTimeout)
		return
	}
	s.exit(result{})
}

// sendControl sends v as JSON on a channel, unless the server does not read.
func (s *clientConn) sendControl(number byte, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("message on channel %d: %v", number, err)) // v is a type of package channel
	}
	if s.netConn.MayAnswer() {
		s.ws.Write(context.Background(), websocket.MessageBinary, append([]byte{number}, text...))
	}
}

// sendSignal sends a signal to the child and reports whether the server accepts signals.
func (s *clientConn) sendSignal(name string) bool {
	if !s.canSignal.Load() {
		return false
	}
	s.sendControl(channel.Control, channel.ControlMessage{Type: channel.TypeSignal, Signal: name})
	return true
}

// redraw makes the child redraw its screen if the modes of our terminal were reset.
func (s *clientConn) redraw() {
	if s.raw.Load() && s.modes.wasReset() {
		s.sendSignal("WINCH")
	}
}

// sendSize sends the size of our terminal.
func (s *clientConn) sendSize() {
	if size, ok := s.terminal.size(); ok && s.canResize.Load() {
		s.sendControl(channel.Resize, size)
	}
}
