package bridge

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Child is what a session needs of a running program.
type Child interface {
	// Pid names the child in the log.
	Pid() int
	// Stdin takes the child's input. If it is a syscall.Conn, bytes that the
	// kernel takes at once need no goroutine.
	Stdin() io.WriteCloser
	// Stdout and Stderr end when all that the child wrote has been read.
	Stdout() io.Reader
	Stderr() io.Reader
	// Signal sends it the signal of that name, such as INT.
	Signal(name string) error
	// Resize sets the size of its terminal, if it has one.
	Resize(size WindowSize) error
	// Exit waits for the child's end: its status, or 128+n and the name of
	// signal n.
	Exit() (code int, signal string)
	// Stop ends the child and all its descendants and returns when they are
	// gone. The session closes Stdin by itself.
	Stop()
}

// WindowSize is the size of a terminal, in characters.
type WindowSize struct{ Rows, Cols uint16 }

// Options are what a session is told by flags. The zero value bounds nothing.
type Options struct {
	// ID names the session to the client.
	ID string
	// Framing maps the child's bytes to messages, unless the client has chosen one
	// of ChannelProtocols.
	Framing Framing
	// Terminal says that the child's stdin and stdout are a terminal: closing Stdin
	// hangs that up, and there is no stderr.
	Terminal bool
	// MaxMessage is the longest message taken, in bytes; zero or less: any.
	MaxMessage int64
	// PingInterval is the time between pings; zero or less: none.
	PingInterval time.Duration
	// MaxRuntime and IdleTimeout end the session; zero: never.
	MaxRuntime, IdleTimeout time.Duration
	// InputPatience is how long a child may still take what a client sent
	// before it went; negative: for ever.
	InputPatience time.Duration
	// ExitCloseCode tells a failed child by close code 4000 + status.
	ExitCloseCode bool
	// Log gets the child's stderr. Nil discards it.
	Log *slog.Logger
}

// Session runs one connection and one child to their joint end.
type Session struct {
	ws    *websocket.Conn
	wire  *Wire
	child Child
	opt   Options
	stdin *Outflow
	in    inbound

	protocol string // the channel protocol in use, or empty
	outlet   outlet
	stdout   *outbound
	stderr   *outbound // nil if the client does not get it

	tasks       sync.WaitGroup // whatever Run waits for
	ignoredOnce sync.Once
	stopOnce    sync.Once
	endOnce     sync.Once
	end         End // set by finish
}

// Summary tells how a session went.
type Summary struct {
	End
	// ExitCode and Signal are the child's, as Child.Exit gives them.
	ExitCode int
	Signal   string
	// In went from the client to the child, Out from the child to the client.
	In, Out Traffic
}

// NewSession joins a connection, as wire and the WebSocket on it, and a child.
// Run does the work and must be called.
func NewSession(ws *websocket.Conn, wire *Wire, child Child, opt Options) *Session {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Session{ws: ws, wire: wire, child: child, opt: opt, stdin: newOutflow(child.Stdin())}
	s.protocol = channelProtocol(ws)
	s.outlet = outlet{ws: ws, wire: wire}
	s.in = inbound{ws: ws, out: s.stdin, limit: opt.MaxMessage, wait: s.waitForChild}
	if s.usesChannels() {
		s.carryChannels()
	} else {
		s.carryMessages()
	}
	s.in.total.touch()
	s.outlet.total.touch()
	wire.onIdle = s.in.handOn
	ws.SetReadLimit(-1) // inbound has the limit, and its own words for it
	return s
}

// carryMessages sets s up for a client that speaks plain messages.
func (s *Session) carryMessages() {
	f := framings[s.opt.Framing]
	s.in.codec, s.in.whole = f.codec(), f.whole
	s.stdout = &outbound{outlet: &s.outlet, codec: s.in.codec, typ: f.typ, broken: s.brokenFraming}
	if s.opt.Framing == JSON {
		s.stdout.stream = "stdout"
		s.stderr = &outbound{outlet: &s.outlet, codec: f.codec(), typ: f.typ, stream: "stderr"}
	}
}

// carryChannels sets s up for a client that has streams apart.
func (s *Session) carryChannels() {
	size := maxStreamMessage
	if s.opt.MaxMessage > 0 {
		size = int(min(int64(size), s.opt.MaxMessage))
	}
	c := chunks(max(1, size-lead))
	s.in.codec, s.in.obey = c, s.obey
	s.stdout = &outbound{outlet: &s.outlet, codec: c, typ: websocket.MessageBinary, channel: ChannelStdout}
	if !s.opt.Terminal {
		s.stderr = &outbound{outlet: &s.outlet, codec: c, typ: websocket.MessageBinary, channel: ChannelStderr}
	}
}

// Run carries messages both ways and returns once the child and its group, the
// closing handshake and the connection have ended.
func (s *Session) Run() Summary {
	if s.usesChannels() {
		s.greet()
	}
	s.tasks.Go(s.sendOutput) // ends at the end of the output; unblocked by Child.Stop and Outflow.Fail
	stopTimers := s.startTimers()
	s.receiveAll() // unblocked by whatever closes the connection
	if s.end.by == byLoss {
		s.wire.Abort()
	}
	s.tasks.Wait()
	s.ws.CloseNow()
	stopTimers()
	<-s.wire.Closed()
	code, signal := s.child.Exit()
	return Summary{End: s.end, ExitCode: code, Signal: signal, In: s.in.total.total(), Out: s.outlet.total.total()}
}

// usesChannels reports whether the client has the child's streams apart.
func (s *Session) usesChannels() bool { return s.protocol != "" }

// Shutdown ends the session because the server stops.
func (s *Session) Shutdown() { s.finish(endShutdown) }

// Abort closes the connection without another word, for a client that has not
// answered Shutdown for too long.
func (s *Session) Abort() { s.wire.Abort() }

// receiveAll carries the client's messages to the child until the connection
// ends or a message breaks the rules.
func (s *Session) receiveAll() {
	for {
		if err := s.in.receive(); err != nil {
			s.finish(s.endOf(err))
			return
		}
		s.waitForChild()
	}
}

// waitForChild holds the client up while more than maxWaiting bytes wait for
// the child, and watches meanwhile whether the client is still there.
func (s *Session) waitForChild() {
	if s.stdin.Waiting() <= maxWaiting {
		return
	}
	stop := s.wire.watchHangup(func() { s.finish(endLost) })
	s.stdin.Wait(maxWaiting / 2)
	stop()
}

// endOf tells what end a failed receive means.
func (s *Session) endOf(err error) End {
	closed, byPeer := errors.AsType[websocket.CloseError](err)
	switch {
	case errors.Is(err, errNotUTF8):
		return endNotUTF8
	case errors.Is(err, errTooBig):
		return endTooBig(s.opt.MaxMessage)
	case errors.Is(err, errControlTooBig):
		return endControl
	case byPeer:
		s.wire.peerDone()
		return End{Code: closed.Code, Reason: closed.Reason, by: byClient}
	case s.wire.lost.Load(), errors.Is(err, net.ErrClosed):
		return endLost
	}
	return endProtocol
}

// sendOutput carries the child's output to the client, and ends the session
// when the client has it all.
func (s *Session) sendOutput() {
	var sent sync.WaitGroup
	if s.stderr != nil {
		sent.Go(s.sendStderr) // ends and is unblocked as this
	} else {
		s.tasks.Go(s.logStderr) // ends at the end of stderr; unblocked by Child.Stop
	}
	s.stdout.run(s.child.Stdout())
	sent.Wait()
	code, signal := s.child.Exit()
	s.stopChild() // whoever of the group is left
	if s.usesChannels() {
		s.farewell(code, signal)
	}
	s.wire.Out.Wait(0)
	s.finish(endExit(code, signal, s.opt.ExitCloseCode))
}

func (s *Session) logStderr() { LogStderr(s.child.Stderr(), s.child.Pid(), s.opt.Log) }

// sendStderr carries stderr to the client and to the log.
func (s *Session) sendStderr() {
	log := lineLog{log: s.opt.Log, pid: s.child.Pid()}
	s.stderr.run(io.TeeReader(s.child.Stderr(), &log))
	log.end()
}

// brokenFraming ends the session because the child does not keep to its framing,
// from the byte at position of its output on.
func (s *Session) brokenFraming(cause error, position int64) {
	if s.finish(endBadFraming(s.opt.Framing, cause)) { // else the child may have been stopped within a record
		s.opt.Log.Error("child breaks its framing", "pid", s.child.Pid(), "framing", s.opt.Framing.String(), "cause", cause, "position", position)
	}
}

// finish ends the session with e, unless something else has ended it before, and
// reports whether it did. Only the caller that comes first may come before Run
// waits for the tasks.
func (s *Session) finish(e End) (first bool) {
	s.endOnce.Do(func() {
		first = true
		s.end = e
		if s.usesChannels() { // before the child is stopped, or its end would be told
			s.outlet.settle(onChannel(ChannelStatus, failure(e.Reason))) // unless farewell has said all
		}
		s.stopChild()
		s.tasks.Go(s.closeConn)
	})
	return first
}

// stopChild starts to stop the child, once. What the client has sent before
// still reaches the child as long as that takes it.
func (s *Session) stopChild() {
	s.stopOnce.Do(func() {
		s.tasks.Go(func() {
			s.stdin.Drain(s.opt.InputPatience)
			s.stdin.Close()
		})
		s.tasks.Go(func() {
			s.child.Stop()
			s.stdin.Close() // ends the draining
		})
	})
}

// silencePatience is how long a client that answers no ping may still take to
// answer a close frame.
const silencePatience = time.Second

// closeConn ends the connection in the way that s.end asks for.
func (s *Session) closeConn() {
	switch s.end.by {
	case byUs:
		s.in.ended.Store(true)
		s.ws.Close(s.end.Code, cutReason(s.end.Reason))
	case bySilence:
		s.in.ended.Store(true)
		// Whoever answers no ping will not answer a close frame either.
		defer time.AfterFunc(silencePatience, s.wire.Abort).Stop()
		s.ws.Close(s.end.Code, s.end.Reason)
	case byClient:
		s.ws.CloseNow()
	case byLoss:
		// What has come in before may still be read and handed to the child.
		s.wire.Out.Fail(net.ErrClosed)
		s.child.Stop()
		s.wire.Abort()
	}
}
