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
	done          chan struct{}  // closed when no message comes any more
	helloOnce     sync.Once      // the hello of ProtocolWspipe, or that it is missing
	helloReceived chan struct{}  // closed at the hello
	helloMissing  bool           // the hello is missing
	goroutines    sync.WaitGroup // the goroutines beside run's
	canSignal     atomic.Bool    // signals can be sent
	canResize     atomic.Bool    // so can window sizes
	raw           atomic.Bool    // what is typed comes key by key
	eofSent       atomic.Bool    // stdin has ended, and that has been sent
	eofTimer      *time.Timer    // EOFTimeout; nil without

	// The reader's:
	reported *result // how the program ended, once the server has said so

	// The sender's:
	escapeFilter escapeFilter
	message      []byte         // what is sent, behind its channel
	line         io.WriteCloser // a long line that is being sent, or nil
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

// run returns when nothing of the connection is left.
func (s *clientConn) run() result {
	if s.EOFTimeout > 0 {
		s.eofTimer = time.AfterFunc(math.MaxInt64, s.eofTimedOut)
		defer s.eofTimer.Stop()
	}
	s.spawn(s.keepAlive) // ends when the connection is over
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
	s.ws.CloseNow() // the close frames have been exchanged, or there will be none
	s.netConn.waitClosed()
	s.closeOnce.Do(func() {}) // nor is there anything left to close
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

// errBadReason makes a close frame an invalid one (RFC 6455, section 8.1): the
// connection is lost.
var errBadReason = errors.New("close reason is not UTF-8")

// spawn runs f in a goroutine, which run waits for.
func (s *clientConn) spawn(f func()) {
	s.goroutines.Go(func() {
		defer s.restoreOnPanic()
		f()
	})
}

// start starts what is sent. pty says that the program is known to have a
// terminal.
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

// close ends the connection from our side. It does not wait.
func (s *clientConn) close() {
	s.closeOnce.Do(func() {
		s.spawn(func() { // ends within closeTimeout
			defer time.AfterFunc(closeTimeout, s.netConn.Abort).Stop()
			s.ws.Close(websocket.StatusNormalClosure, "")
		})
	})
}

// readMessages hands out what comes, until nothing does any more.
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

// readChannel hands out a message behind its channel.
func (s *clientConn) readChannel(r io.Reader) error {
	var number [1]byte
	if _, err := io.ReadFull(r, number[:]); err == io.EOF {
		return nil // a message without even a channel says nothing
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
	_, err := io.Copy(io.Discard, r) // of a later protocol
	return err
}

// maxControl is how much is taken of a message to us, in bytes.
const maxControl = 64 << 10

// handleControl takes a message that is for us. What it does not understand it ignores.
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

// helloTimeout is how long the hello of ProtocolWspipe may take.
const helloTimeout = 5 * time.Second

// ErrNoHello says that the server does not implement the subprotocol that it has
// selected. Nothing of stdin has been read.
var ErrNoHello = fmt.Errorf("the server selected the subprotocol %s, but sent no hello within %v", channel.ProtocolWspipe, helloTimeout)

// awaitHello ends the connection if the hello is missing. It counts several ticks,
// so that a client that was stopped reads before it gives up.
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

// handleHello begins a session about which the server has said whether its program has
// a terminal.
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
		s.exit(result{status: StatusFailed, err: errors.New("the server's program has no terminal; it gets one from wspipe --pty there")})
		return
	}
	s.start(pty)
}

// eofTimedOut ends a connection that has been silent for so long since stdin ended.
// While nobody takes our output we do not know that.
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

// sendControl sends v, in JSON, on a channel, unless the server takes nothing.
func (s *clientConn) sendControl(number byte, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("message on channel %d: %v", number, err)) // v is one of bridge's
	}
	if s.netConn.MayAnswer() {
		s.ws.Write(context.Background(), websocket.MessageBinary, append([]byte{number}, text...))
	}
}

// sendSignal sends the program a signal, and reports whether it can.
func (s *clientConn) sendSignal(name string) bool {
	if !s.canSignal.Load() {
		return false
	}
	s.sendControl(channel.Control, channel.ControlMessage{Type: channel.TypeSignal, Signal: name})
	return true
}

// redraw makes a program draw again whose modes have been reset meanwhile.
func (s *clientConn) redraw() {
	if s.raw.Load() && s.modes.wasReset() {
		s.sendSignal("WINCH")
	}
}

// sendSize tells the size of our window.
func (s *clientConn) sendSize() {
	if size, ok := s.terminal.size(); ok && s.canResize.Load() {
		s.sendControl(channel.Resize, size)
	}
}
