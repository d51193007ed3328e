package bridge

import (
	"io"
	"log/slog"
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
	// Deflate says that permessage-deflate was negotiated with the client.
	Deflate bool
	// NoStdin says that the client has no input: a child of its own reads an empty
	// stdin, and what the client sends nevertheless is dropped.
	NoStdin bool
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
	peer
	output   streams
	stopOnce sync.Once
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
	s := &Session{}
	s.init(ws, wire, child, newOutflow(child.Stdin()), opt)
	s.ending, s.inputTaken = s.stopChild, child.Stop
	s.output = newStreams(child, &s.outlet, opt, s.usesChannels(), s.brokenFraming)
	return s
}

// Run carries messages both ways and returns once the child and its group, the
// closing handshake and the connection have ended.
func (s *Session) Run() Summary {
	if s.usesChannels() {
		s.greet()
	}
	if s.opt.NoStdin {
		s.endInput()
	}
	s.tasks.Go(s.sendOutput) // ends at the end of the output; unblocked by Child.Stop and Outflow.Fail
	s.carryInput(s.receiveAll)
	code, signal := s.child.Exit()
	return Summary{End: s.end, ExitCode: code, Signal: signal, In: s.in.total.total(), Out: s.outlet.total.total()}
}

// Shutdown ends the session because the server stops.
func (s *Session) Shutdown() { s.finish(endShutdown) }

// Abort closes the connection without another word, for a client that has not
// answered Shutdown for too long.
func (s *Session) Abort() { s.wire.Abort() }

// sendOutput carries the child's output to the client, and ends the session
// when the client has it all.
func (s *Session) sendOutput() {
	s.output.run(&s.tasks)
	code, signal := s.child.Exit()
	s.stopChild() // whoever of the group is left
	s.wire.Out.ready()
	if s.usesChannels() {
		s.farewell(code, signal)
	}
	s.wire.Out.Wait(0)
	s.finish(endExit(code, signal, s.opt.ExitCloseCode))
}

// brokenFraming ends the session because the child does not keep to its framing,
// from the byte at position of its output on.
func (s *Session) brokenFraming(cause error, position int64) {
	if s.finish(endBadFraming(s.opt.Framing, cause)) { // else the child may have been stopped within a record
		logBroken(s.opt, s.child.Pid(), cause, position)
	}
}

func logBroken(opt Options, pid int, cause error, position int64) {
	opt.Log.Error("child breaks its framing", "pid", pid, "framing", opt.Framing.String(), "cause", cause, "position", position)
}

// stopChild starts to stop the child, once.
func (s *Session) stopChild() {
	s.stopOnce.Do(func() { stopChild(&s.tasks, s.child, s.stdin, s.opt.InputPatience) })
}

// stopChild starts to stop child. What clients have sent before still reaches it
// as long as it takes that.
func stopChild(tasks *sync.WaitGroup, child Child, stdin *Outflow, patience time.Duration) {
	tasks.Go(func() {
		stdin.Drain(patience)
		stdin.Close()
	})
	tasks.Go(func() {
		child.Stop()
		stdin.Close() // ends the draining
	})
}
