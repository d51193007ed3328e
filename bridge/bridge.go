package bridge

import (
	"log/slog"
	"sync"
	"time"

	"wspipe/bridge/wire"
)

// Bridge joins one running child and the clients that attach to it.
type Bridge struct {
	child Child
	opt   Options
	stdin *wire.Queue // of the child
	kind  kind

	mu     sync.Mutex
	gone   bool      // the child's process session has ended
	exited bool      // the child has ended, and all of its output was carried
	last   exit      // how
	kept   time.Time // see Kept
	ending End       // of clients that attach from now on; the zero value is none

	tasks    sync.WaitGroup // what Run waits for
	stopOnce sync.Once
}

// kind is what sets the kinds of child apart: who gets its messages, what is kept
// of them, and what ends it.
type kind interface {
	// carryOutput carries the child's output to the clients, and returns at its end.
	carryOutput()
	// attach makes c a client and sets its attachment. It is called before Run for the
	// first client.
	attach(c *Client, opt ClientOptions) error
	// tellExit tells the clients that the child has ended. It returns when nobody
	// can attach any more for what the child has left.
	reportExit()
	// clients returns the clients that are attached. mu is held.
	clients() []*Client
	// end ends the child, and the connections of its clients with e. It does not wait.
	end(e End)
	// backlog returns how many bytes are held for clients besides what waits for their
	// sockets.
	backlog() int
}

// attachment is a client's part in a kind of child.
type attachment interface {
	// receive carries what the client sends to the child until the connection ends.
	receive()
	// start begins to carry to the client what is kept for it, if that is not what
	// carryOutput does.
	start()
	// detach is called once it is clear how the connection ends, and before the
	// client is told. It does not wait.
	detach()
	// closed is called when nothing is left of the connection.
	closed()
	// awaitInput waits until the child has what a client sent whose connection is
	// lost.
	awaitInput()
	// signal, resize and endInput do what the client asks of the child.
	signal(name string) error
	resize(size WindowSize) error
	endInput() error
}

// New takes a child that was just started. Run does the work and must be called.
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

// Run returns once the child and its process session have ended, and nobody can
// attach any more for what it has left. Shared clients that do not read what they
// were sent may be connected still.
func (b *Bridge) Run() (code int, signal string) {
	b.kind.carryOutput()
	code, signal = b.child.Exit()
	b.Stop() // what is left of its process session
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

// Attach makes a client that is connected by t. Run of the client does the work and
// must be called. The error is ErrSessionEnded or ErrHistoryLost, of a Resumable.
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

// ProcessGone tells that the child's process session has ended, though clients may
// hold up what it has written: from now on not without progress.
func (b *Bridge) ProcessGone() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = true
	for _, c := range b.kind.clients() {
		c.limitUnread()
	}
}

// Shutdown ends the child because the server stops. It does not wait.
func (b *Bridge) Shutdown() { b.kind.end(endShutdown) }

// EndByOperator ends the child because an operator says so. It does not wait.
func (b *Bridge) EndByOperator() { b.kind.end(endOperator) }

// Forget ends the child because there is no room for what it has left for a client
// that may come back. It does not wait.
func (b *Bridge) Forget() { b.kind.end(endHistoryLost) }

// finishAll ends the connections of all clients, and of those that are about to attach,
// with e.
func (b *Bridge) finishAll(e End) {
	b.mu.Lock()
	b.ending = e
	all := b.kind.clients()
	b.mu.Unlock()
	for _, c := range all {
		c.finish(e)
	}
}

// Backlog returns how many bytes wait for the child's stdin, or are held for a client
// that is not attached, or is behind.
func (b *Bridge) Backlog() int { return b.stdin.Waiting() + b.kind.backlog() }

// backlog implements kind.
func (b *Bridge) backlog() int { return 0 }

// Kept returns since when the child has ended, if its client does not know that yet
// and may come back; else the zero time.
func (b *Bridge) Kept() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept
}

// Stop stops the child; clients are told how it ended. It does not wait.
func (b *Bridge) Stop() { b.stop() }

// stop is Stop, and reports whether it is the first. What clients have sent before
// still reaches the child as long as it takes that.
func (b *Bridge) stop() (first bool) {
	b.stopOnce.Do(func() {
		first = true
		b.tasks.Go(func() { // ends when the child takes no more, or after InputPatience
			b.stdin.Drain(b.opt.InputPatience)
			b.stdin.Close()
		})
		b.tasks.Go(func() { // ends with the process session
			b.child.Stop()
			b.stdin.Close() // ends the draining
		})
	})
	return first
}

// brokenFraming stops the child because it does not keep to its framing, from the
// byte at position of its output on. Clients are told when they have what came
// before.
func (b *Bridge) brokenFraming(cause error, position int64) {
	if !b.stop() { // it may have been stopped within a record
		return
	}
	b.opt.Log.Error("child breaks its framing", "pid", b.child.Pid(), "framing", b.opt.Framing.String(), "cause", cause, "position", position)
	b.mu.Lock()
	b.last = exit{broken: true, end: endBadFraming(b.opt.Framing, cause)}
	b.mu.Unlock()
}

// exit is how a child ended.
type exit struct {
	code   int
	signal string
	broken bool // it did not keep to its framing
	end    End  // what clients are told
}

// exit returns how the child ended; ok is false if it has not, or not all of its
// output was carried.
func (b *Bridge) exit() (how exit, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, b.exited
}
