package bridge

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// ResumeOptions are what a session that can be resumed is told by flags.
type ResumeOptions struct {
	// Options are those of the child and of each connection. MaxRuntime counts
	// from the child's start, IdleTimeout from each connection's.
	Options
	// Channels says that the child's streams go to clients of ChannelProtocols, and
	// to no others.
	Channels bool
	// Buffer is how much is held for a client that comes back, in bytes, about.
	Buffer int
	// Grace is how long the child, or what it has left, waits for its client.
	Grace time.Duration
	// Ended, if set, is called when nobody can come back any more. It must not
	// wait.
	Ended func()
}

// Resumable is a child whose client may lose its connection and come back. It has
// at most one Attachment at a time.
type Resumable struct {
	child   Child
	opt     ResumeOptions
	stdin   *Outflow
	outlet  outlet
	output  streams
	journal *journal

	mu      sync.Mutex
	state   resumeState
	client  *Attachment // who is attached, or was the last
	waiting time.Time   // detached or kept since
	timer   *time.Timer // calls expire
	exited  time.Time   // when the child had ended, with
	code    int
	signal  string
	last    End // what the client is to be told of that

	over     chan struct{} // closed in state ended
	tasks    sync.WaitGroup
	stopOnce sync.Once
}

// NewResumable takes a child that was just started. Run does the work and must be
// called; the client must Attach within Grace.
func NewResumable(child Child, opt ResumeOptions) *Resumable {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	r := &Resumable{child: child, opt: opt, stdin: newOutflow(child.Stdin()), journal: newJournal(opt.Buffer), over: make(chan struct{})}
	r.outlet = outlet{flow: r.journal, targets: []sink{r.journal}}
	r.output = newStreams(child, &r.outlet, opt.Options, opt.Channels, r.brokenFraming)
	for _, o := range []*outbound{r.output.stdout, r.output.stderr} {
		if o != nil {
			o.hurry = r.journal.full
		}
	}
	if opt.Terminal {
		r.journal.behind = min(r.journal.behind, maxUnsent)
	}
	if opt.NoStdin {
		endInput(r.stdin, opt.Terminal, true)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(opt.Grace, r.expire)
	r.enter(detached)
	return r
}

// Run returns once the child and its group have ended and nobody can come back
// for what it has left.
func (r *Resumable) Run() (code int, signal string) {
	if d := r.opt.MaxRuntime; d > 0 {
		defer time.AfterFunc(d, func() { r.end(endRuntime) }).Stop()
	}
	r.output.run(&r.tasks)
	code, signal = r.child.Exit()
	r.stopChild() // whoever of the group is left
	r.mu.Lock()
	r.code, r.signal, r.exited = code, signal, time.Now()
	if r.last == (End{}) {
		r.last = endExit(code, signal, r.opt.ExitCloseCode)
	}
	r.enter(resumeStates[r.state][exits])
	r.mu.Unlock()
	r.journal.finish()
	<-r.over
	r.tasks.Wait()
	return code, signal
}

// Stop ends the session because the server stops. It does not wait.
func (r *Resumable) Stop() { r.end(endShutdown) }

// Forget ends the session because there is no room for what its child has left. It
// does not wait.
func (r *Resumable) Forget() { r.end(endNoMore) }

// Exited reports whether the child has ended and the client does not know yet, and
// since when.
func (r *Resumable) Exited() (since time.Time, yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.exited, r.state == ending || r.state == kept
}

// end ends the session, and the connection with e if there is one.
func (r *Resumable) end(e End) {
	r.mu.Lock()
	client := r.client
	r.enter(resumeStates[r.state][isEnded])
	r.mu.Unlock()
	if client != nil {
		client.finish(e)
	}
}

// brokenFraming stops the child because it does not keep to its framing. The client
// is told when it has what came before.
func (r *Resumable) brokenFraming(cause error, position int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == ended { // it may have been stopped within a record
		return
	}
	logBroken(r.opt.Options, r.child.Pid(), cause, position)
	r.last = endBadFraming(r.opt.Framing, cause)
	r.stopChild()
}

// expire ends a session whose client has been away for too long. It may have come,
// and even gone again, while expire waited for mu.
func (r *Resumable) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.waits() && time.Since(r.waiting) >= r.opt.Grace {
		r.opt.Log.Info("session expired", "after", r.opt.Grace.String())
		r.enter(resumeStates[r.state][expires])
	}
}

// happens is what a's connection makes happen, unless another has taken its place.
func (r *Resumable) happens(a *Attachment, e resumeEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client == a {
		r.enter(resumeStates[r.state][e])
	}
}

// enter does what belongs to a state. mu is held.
func (r *Resumable) enter(s resumeState) {
	if s == unchanged {
		return
	}
	r.state = s
	switch {
	case s.waits():
		r.waiting = time.Now()
		r.timer.Reset(r.opt.Grace)
	case s == ended:
		r.timer.Stop()
		r.journal.fail()
		r.stopChild()
		close(r.over)
		if r.opt.Ended != nil {
			r.opt.Ended()
		}
	default:
		r.timer.Stop()
	}
}

// stopChild starts to stop the child, once.
func (r *Resumable) stopChild() {
	r.stopOnce.Do(func() { stopChild(&r.tasks, r.child, r.stdin, r.opt.InputPatience) })
}

// exit returns how the child ended, if it has and all that it wrote is held, and
// what the client is to be told of that.
func (r *Resumable) exit() (code int, signal string, last End) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.code, r.signal, r.last
}

// Why a client cannot have a session.
var (
	// ErrSessionEnded says that there is no session any more.
	ErrSessionEnded = errors.New("session has ended")
	// ErrHistoryLost says that what the client wants to go on from is not held, or
	// not in the form that its subprotocol needs.
	ErrHistoryLost = errors.New("history lost")
)

// Attach gives the session to a client, on wire and the WebSocket on it, and takes
// it from whoever has it. The client gets the messages behind the first after
// that it has counted; if after is negative all that are held, which it then
// counts anew. The Attachment's Run does the work and must be called.
func (r *Resumable) Attach(ws *websocket.Conn, wire *Wire, after int64, opt Options) (*Attachment, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	a := &Attachment{session: r}
	a.init(ws, wire, r.child, r.stdin, opt)
	a.in.whole = true // another connection's input may follow
	a.ending, a.inputTaken = a.tellSession, func() {}
	if a.usesChannels() != r.opt.Channels {
		return nil, ErrHistoryLost
	}
	wire.boundSendBuffer(r.opt.Buffer / sendBufferPart)
	r.mu.Lock()
	if r.state == ended {
		r.mu.Unlock()
		return nil, ErrSessionEnded
	}
	var err error
	if a.reader, err = r.journal.attach(wire, after); err != nil {
		r.mu.Unlock()
		return nil, err
	}
	before := r.client
	r.client = a
	r.enter(resumeStates[r.state][comes])
	r.mu.Unlock()
	if before != nil {
		before.in.ended.Store(true) // its input would come behind that of a
		before.finish(endTaken)
	}
	if r.opt.Terminal && before != nil && after < 0 {
		r.child.Signal("WINCH") // what is held need not be all that the screen shows
	}
	return a, nil
}
