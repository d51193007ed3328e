// Package connect is the client: it joins our stdin and stdout to a WebSocket,
// and ends as the program behind it does. An interactive terminal becomes that
// program's terminal.
package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"wspipe/bridge/channel"
)

// Config says where to connect and how.
type Config struct {
	// URL is the server's, with the scheme ws, wss, http or https, and without a
	// user.
	URL *url.URL
	// Socket is the path of a unix socket to connect to instead of URL's host.
	// Empty means none.
	Socket string
	// Headers go with the opening handshake.
	Headers []Header
	// Subprotocols are offered in this order.
	Subprotocols []string
	// CA is a PEM file with the roots to trust instead of the system's. Empty
	// means those.
	CA string
	// Cert and Key are PEM files by which we say who we are. Empty means that we
	// do not.
	Cert, Key string
	// Insecure takes any certificate.
	Insecure bool

	// Binary sends stdin as binary messages, and adds no newlines to those that
	// come, where the subprotocol does not say what a message is.
	Binary bool
	// PTY is whether our terminal becomes the program's. Nil means that it does if
	// both have one.
	PTY *bool
	// EOFTimeout ends a connection after so long without a message, once stdin
	// has ended. Zero means never.
	EOFTimeout time.Duration
	// Reconnect connects again when a connection is lost.
	Reconnect bool
	// Resume does so, too, but goes on with the same session, and ends if that is
	// lost. With both a lost session is followed by a new one.
	Resume bool

	// Stdin is what is sent. A read from it may go on after Run has returned: one
	// from a terminal cannot be interrupted.
	Stdin *os.File
	// Stdout and Stderr get what the program writes, and Run waits for them.
	Stdout, Stderr io.Writer
	// Notice is told, in a line without newline, what Run does by itself.
	Notice func(string)
}

// Header is a field of the opening handshake.
type Header struct{ Name, Value string }

// StatusFailed is the exit status when the program's is not known, as with ssh(1).
const StatusFailed = 255

// ErrNoTerminal is what Run returns if Config.PTY wants a terminal that we do not
// have.
var ErrNoTerminal = errors.New("--pty needs a terminal as stdin and stdout")

// client is a run of Run.
type client struct {
	Config
	dialer   *dialer
	input    *input
	output   *output
	terminal *terminal
	modes    *modeResetter
	window   *windowWatcher
	resumed  *resumedSession

	mu         sync.Mutex
	current    *clientConn // nil between connections
	result     *result     // how we end, if it is us who want to
	cancelDial context.CancelFunc
	timedOut   chan struct{} // closed when that has taken too long
}

// Run connects and returns when it is over: the exit status, and what there is
// to say about it. It takes over the signals that end a program. Once it has
// returned, the terminal is as it was.
func Run(ctx context.Context, cfg Config) (status int, err error) {
	notice := cfg.Notice
	cfg.Notice = func(text string) { notice(printable(text)) }
	if status, err = run(ctx, cfg); err != nil {
		err = printableError{err}
	}
	return status, err
}

func run(ctx context.Context, cfg Config) (status int, err error) {
	c := &client{Config: cfg, input: newInput(cfg.Stdin), terminal: newTerminal(cfg.Stdin, cfg.Stdout), modes: newModeResetter(cfg.Stdout), timedOut: make(chan struct{})}
	c.output = &output{stdout: c.modes.writer(cfg.Stdout), stderr: c.modes.writer(cfg.Stderr), onFail: c.outputFailed}
	if cfg.Resume {
		c.resumed = newResumedSession()
	}
	defer c.input.stop()
	signals := watchSignals()
	defer signals.stop() // not before the terminal is as it was
	defer c.closeTerminal()
	if err := c.checkTerminal(); err != nil {
		return StatusFailed, err
	}
	if c.dialer, err = newDialer(cfg, c.output.flush); err != nil {
		return StatusFailed, err
	}
	c.window = watchWindow()
	defer c.window.stop()
	attempts, hangUp := context.WithCancel(ctx)
	c.cancelDial = hangUp
	defer hangUp()
	done := make(chan result, 1)
	go func() { // ends with the last connection; unblocked by leave
		defer c.restoreOnPanic()
		done <- keepConnected(attempts, c.Reconnect || c.Resume, c.connectOnce, c.Notice)
	}()
	for enough := ctx.Done(); ; {
		select {
		case e := <-done:
			return c.finalResult(e)
		case <-c.timedOut:
			return c.finalResult(result{})
		case <-enough:
			c.exit(result{status: StatusFailed, err: context.Cause(ctx)})
			enough = nil
		case sig := <-signals.c:
			if c.handleSignal(sig, &signals.interrupts) {
				return c.finalResult(result{})
			}
		case event := <-c.window.c:
			c.window.handle(c, event)
		}
	}
}

// checkTerminal says why there cannot be the terminal that was asked for.
func (c *client) checkTerminal() error {
	if c.PTY == nil || !*c.PTY || c.terminal != nil {
		return nil
	}
	return ErrNoTerminal
}

// finalResult is how Run ends: as we wanted, otherwise with e.
func (c *client) finalResult(e result) (status int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.result != nil {
		e = *c.result
	}
	return e.status, e.err
}

// exitTimeout is how long our end may take, whatever the server does, and whoever
// does not take our output.
const exitTimeout = 2 * closeTimeout

// exit ends the client with e, unless it is ending already. It does not wait.
func (c *client) exit(e result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.result != nil {
		return
	}
	c.result = &e
	time.AfterFunc(exitTimeout, func() { close(c.timedOut) })
	c.cancelDial()
	if c.current != nil {
		c.current.close()
	}
}

// isExiting reports whether leave has been called.
func (c *client) isExiting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result != nil
}

// conn returns the connection that there is, or nil.
func (c *client) conn() *clientConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// setConn says which connection there is now; nil for none.
func (c *client) setConn(s *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = s
	if s != nil && c.result != nil {
		s.close()
	}
}

// connectOnce connects, once, and returns how that ended.
func (c *client) connectOnce(ctx context.Context) result {
	ws, link, err := c.dialer.dial(ctx, c.address(), c.resumed.offer(withPlain(c.Subprotocols)))
	if err != nil {
		return dialResult(err)
	}
	s := newClientConn(c, ws, link)
	c.resumed.connected(s.protocol)
	c.setConn(s)
	e := c.resumed.resolve(s.run(), c.Reconnect)
	c.setConn(nil)
	if c.restoreTerminal(c.resumed.continuesAfter(e)) && e.err != nil {
		io.WriteString(c.Stderr, "\n") // the message is not to go on with the program's line
	}
	return e
}

// address is the URL, the session and, for a program's terminal that is to be as
// large as ours from the start, its size.
func (c *client) address() string {
	u := *c.URL
	add := func(query string) {
		if u.RawQuery != "" && query != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += query
	}
	add(c.resumed.query())
	if size, ok := c.terminal.size(); ok && c.rawWanted(true) && slices.Contains(c.Subprotocols, channel.ProtocolWspipe) {
		add(fmt.Sprintf("%s=%dx%d", channel.SizeParameter, size.Width, size.Height))
	}
	return u.String()
}

// outputFailed ends the client because stdout takes nothing more. If that is so
// because its reader has had enough, there is nothing to say.
func (c *client) outputFailed(err error) {
	if isBrokenPipe(err) {
		c.exit(result{status: 128 + int(signalNumbers["PIPE"])})
		return
	}
	c.exit(result{status: StatusFailed, err: err})
}

// rawWanted reports whether our terminal is to become that of a program which has
// one, or is not known to have none.
func (c *client) rawWanted(pty bool) bool {
	return c.terminal != nil && (c.PTY == nil && pty || c.PTY != nil && *c.PTY)
}

// maxMessage is the longest message that stdin is cut into: what the servers with
// the smallest limits still take, in bytes.
const maxMessage = 32 << 10

// maxPayload is what there is room for in such a message behind its channel.
const maxPayload = maxMessage - 1
