package bridge

import (
	"log/slog"
	"sync"
	"time"

	"wspipe/bridge/wire"
)

// Bridge connects one running child with the clients that attach to it. New makes one.
type Bridge struct {
	child Child
	opt   Options
	stdin *wire.Queue // the child's stdin
	kind  kind

	mu     sync.Mutex
	gone   bool      // the child's process session has ended
	exited bool      // the child has exited, and its output has been carried
	last   exit      // set with exited, or by brokenFraming
	kept   time.Time // see Kept
	ending End       // of clients that attach from now on; zero means none

	tasks    sync.WaitGroup // Run waits for them
	stopOnce sync.Once
}

// kind is a kind of child: which clients get its messages, what history is kept, and what
// ends the child.
type kind interface {
	// awaitOutput calls f, in its own goroutine, once carryOutput has something to do, or
	// earlier.
	awaitOutput(f func())
	// carryOutput carries the child's output to the clients, and returns when both streams
	// have ended.
	carryOutput()
	// attach makes c a client and sets its attachment. For the first client it is called
	// before Run.
	attach(c *Client, opt ClientOptions) error
	// reportExit reports the child's exit to the clients. It returns when no client can
	// attach any more to get the rest of the output.
	reportExit()
	// clients returns the attached clients. mu is held.
	clients() []*Client
	// end ends the child, and the connections of its clients with e. It does not wait.
	end(e End)
	// backlog returns how many bytes are held for clients, without what is queued for
	// their sockets.
	backlog() int
}

// attachment is the part of a client that depends on the kind of child.
type attachment interface {
	// receive carries the client's input to the child until the connection ends.
	receive()
	// start starts sending what is kept for the client, unless carryOutput does that.
	start()
	// detach is called when the end of the connection is decided, before the client gets
	// a close frame. It does not wait.
	detach()
	// closed is called when the connection has ended.
	closed()
	// awaitInput waits until the child has read the input of a client whose connection is
	// lost.
	awaitInput()
	// signal, resize and endInput carry out requests of the client. An error is logged.
	signal(name string) error
	resize(size WindowSize) error
	endInput() error
	// sent counts what the client was sent.
	sent() Traffic
}

// New returns a Bridge for a child that was just started. The caller must call Run.
func New(child Child, opt Options) *Bridge {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	b := &Bridge{child: child, opt: opt, stdin: wire.NewQueue(child.Stdin())}
	switch opt.Kind {
	case Broadcast:
		b.kind = newBroadcast(b)
	case Mux:
		b.kind = newMux(b)
	case Resumable:
		b.kind = newResumable(b)
	default:
		b.kind = &single{Bridge: b}
	}
	return b
}

// AwaitOutput calls f, in a new goroutine, once the child has written something or has exited,
// where that can be awaited without a goroutine, and otherwise at once. Run may wait until
// then: so an idle child takes no stack and no buffer. Call it at most once.
func (b *Bridge) AwaitOutput(f func()) { b.kind.awaitOutput(f) }

// Run carries the child's output. It returns the child's exit, as Child.Exit does, once the
// process session has ended and no client can attach any more to get the rest of the output.
// Clients of a shared child may still be connected if they have not read everything.
func (b *Bridge) Run() (code int, signal string) {
	b.kind.carryOutput()
	code, signal = b.child.Exit()
	b.Stop() // the rest of its process session
	b.mu.Lock()
	b.exited, b.last.code, b.last.signal = true, code, signal
	if !b.last.broken {
		b.last.end = endExit(code, signal, b.opt.ExitCloseCode)
	}
	b.mu.Unlock()
	b.kind.reportExit()
	b.tasks.Wait()
	return code, signal
}

// Attach makes a client that is connected by t. The caller must call Run of the client. The
// error is ErrSessionEnded, ErrHistoryLost or ErrReported, for a Resumable child.
func (b *Bridge) Attach(t Transport, of ClientOptions) (*Client, error) {
	return b.attach(&b.opt, t, of)
}

func (b *Bridge) attach(opt *Options, t Transport, of ClientOptions) (c *Client, err error) {
	c = newClient(b, opt, t, of)
	if err = b.kind.attach(c, of); err != nil {
		return nil, err
	}
	b.mu.Lock()
	ending := b.ending
	if b.gone {
		c.limitUnread()
	}
	b.mu.Unlock()
	if ending != (End{}) {
		c.finish(ending)
	}
	return c, nil
}

// ProcessGone reports that the child's process session has ended. From then on, a client that
// does not read the rest of the output is disconnected after Options.Unread.
func (b *Bridge) ProcessGone() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = true
	for _, c := range b.kind.clients() {
		c.limitUnread()
	}
}

// Shutdown ends the child because the server shuts down. It does not wait.
func (b *Bridge) Shutdown() { b.kind.end(endShutdown) }

// EndByOperator ends the child at the request of an operator. It does not wait.
func (b *Bridge) EndByOperator() { b.kind.end(endOperator) }

// Forget ends a child that has exited, because there is no room for the output that its
// client may still get. It does not wait.
func (b *Bridge) Forget() { b.kind.end(endHistoryLost) }

// finishAll ends the connections of all clients with e, and those of clients that attach
// later.
func (b *Bridge) finishAll(e End) {
	b.mu.Lock()
	b.ending = e
	all := b.kind.clients()
	b.mu.Unlock()
	for _, c := range all {
		c.finish(e)
	}
}

// Backlog returns how many bytes are queued for the child's stdin, or held for a client
// that is not attached or is behind.
func (b *Bridge) Backlog() int { return b.stdin.Waiting() + b.kind.backlog() }

// backlog implements kind.
func (b *Bridge) backlog() int { return 0 }

// Kept returns when the child exited, if its client has not been informed and may attach
// again; otherwise the zero time.
func (b *Bridge) Kept() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept
}

// Stop stops the child. Clients get its exit. It does not wait.
func (b *Bridge) Stop() { b.stop() }

// stop is Stop, and reports whether it is the first call. The child can still read what
// clients have sent before, for Options.InputTimeout.
func (b *Bridge) stop() (first bool) {
	b.stopOnce.Do(func() {
		first = true
		b.tasks.Go(func() { // ends when the child has read its input, or after InputTimeout
			b.stdin.Drain(b.opt.InputTimeout)
			b.stdin.Close()
		})
		b.tasks.Go(func() { // ends with the process session
			b.child.Stop()
			b.stdin.Close() // ends Drain
		})
	})
	return first
}

// brokenFraming stops the child because its output breaks its framing at position. Clients
// get the messages before that, and then the reason.
func (b *Bridge) brokenFraming(cause error, position int64) {
	if !b.stop() { // a child that was stopped within a record does not break its framing
		return
	}
	b.opt.Log.Error("child breaks its framing", "pid", b.child.Pid(), "framing", b.opt.Framing.String(), "cause", cause, "position", position)
	b.mu.Lock()
	b.last = exit{broken: true, end: endBadFraming(b.opt.Framing, cause)}
	b.mu.Unlock()
}

// exit is the end of a child.
type exit struct {
	code   int
	signal string
	broken bool // its output broke its framing
	end    End  // of its clients' connections
}

// exit returns how the child ended. ok is false until it has exited and its output has been
// carried.
func (b *Bridge) exit() (how exit, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, b.exited
}
