// Package connect is the client: it connects our stdin and stdout to a WebSocket. Its exit
// status is that of the server's child. An interactive terminal becomes the terminal of
// that child.
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

// Config configures a client. URL, Stdin, Stdout, Stderr and Notice are required.
type Config struct {
	// URL is the URL to connect to. Its scheme is ws, wss, http or https, and it has no
	// user.
	URL *url.URL
	// Socket is the path of a unix socket to connect to instead of URL's host.
	// Empty means none.
	Socket string
	// Headers are added to the opening handshake.
	Headers []HeaderField
	// Subprotocols are the subprotocols to offer, in order of preference.
	Subprotocols []string
	// CA is a PEM file with the root certificates to trust. Empty means the system's.
	CA string
	// Cert and Key are PEM files with our client certificate and its key. Empty means
	// none.
	Cert, Key string
	// Insecure accepts any certificate of the server.
	Insecure bool

	// Compress offers permessage-deflate.
	Compress bool

	// Binary sends stdin as binary messages and adds no newline to received messages. It
	// has no effect with a subprotocol that has channels.
	Binary bool
	// PTY reports whether our terminal becomes the child's. Nil means that it does if the
	// child has a terminal and we have one.
	PTY *bool
	// EOFTimeout is how long a connection may be without a message after stdin has ended.
	// Then the client exits. Zero means no limit.
	EOFTimeout time.Duration
	// Reconnect reconnects if a connection is lost.
	Reconnect bool
	// Resume reconnects to the same session if a connection is lost, and exits if the
	// session is lost. With Reconnect too, a new session follows a lost one.
	Resume bool

	// Stdin is the input to send. A read from it may be pending after Run has returned,
	// because a read from a terminal cannot be interrupted.
	Stdin *os.File
	// Stdout and Stderr receive the output of the child. Writes may block.
	Stdout, Stderr io.Writer
	// Notice is called with a line, without its newline, that reports an event during Run,
	// such as a reconnect.
	Notice func(string)
	// Trace, unless nil, is called with each line of the trace of every connection, with its
	// line ending. Each connection then begins with a ping.
	Trace func(string)
}

// HeaderField is a header field of the opening handshake.
type HeaderField struct{ Name, Value string }

// StatusFailed is the exit status if that of the child is unknown, as with ssh(1).
const StatusFailed = 255

// ErrNoTerminal is the error of Run if Config.PTY is true but stdin or stdout is not a
// terminal.
var ErrNoTerminal = errors.New("--pty requires stdin and stdout to be a terminal")

// client is the state of one call of Run.
type client struct {
	Config
	dialer   *dialer
	input    *input
	output   *output
	terminal *localTerminal
	modes    *modeResetter
	window   *windowWatcher
	resumed  *resumedSession

	mu         sync.Mutex
	current    *clientConn // nil between connections
	result     *result     // set by exit; nil before
	cancelDial context.CancelFunc
	timedOut   chan struct{} // closed exitTimeout after exit
}

// Run connects, copies in both directions until the connection has ended, and returns the
// exit status. The error, if any, is a message for the user. Run handles the signals that
// would end the process. It restores the terminal before it returns.
func Run(ctx context.Context, cfg Config) (status int, err error) {
	notice := cfg.Notice
	cfg.Notice = func(text string) { notice(printable(text)) }
	if status, err = run(ctx, cfg); err != nil {
		err = printableError{err}
	}
	return status, err
}

func run(ctx context.Context, cfg Config) (status int, err error) {
	c := &client{Config: cfg, input: newInput(cfg.Stdin), terminal: newLocalTerminal(cfg.Stdin, cfg.Stdout), modes: newModeResetter(cfg.Stdout), timedOut: make(chan struct{})}
	c.output = &output{stdout: c.modes.writer(cfg.Stdout), stderr: c.modes.writer(cfg.Stderr), onFail: c.outputFailed}
	if cfg.Resume {
		c.resumed = newResumedSession()
	}
	defer c.input.stop()
	signals := watchSignals()
	defer signals.stop() // after the terminal has been restored
	defer c.closeTerminal()
	if err := c.checkTerminal(); err != nil {
		return StatusFailed, err
	}
	if c.dialer, err = newDialer(cfg, c.output.flush); err != nil {
		return StatusFailed, err
	}
	c.dialer.tracer = newConnTracer(cfg, c.terminal)
	c.window = watchWindow()
	defer c.window.stop()
	dialCtx, cancelDial := context.WithCancel(ctx)
	c.cancelDial = cancelDial
	defer cancelDial()
	done := make(chan result, 1)
	go func() { // ends with the last connection; unblocked by exit
		defer c.restoreOnPanic()
		done <- keepConnected(dialCtx, c.Reconnect || c.Resume, c.connectOnce, c.Notice)
	}()
	for cancelled := ctx.Done(); ; {
		select {
		case e := <-done:
			return c.finalResult(e)
		case <-c.timedOut:
			return c.finalResult(result{})
		case <-cancelled:
			c.exit(result{status: StatusFailed, err: context.Cause(ctx)})
			cancelled = nil
		case sig := <-signals.c:
			if c.handleSignal(sig, &signals.interrupts) {
				return c.finalResult(result{})
			}
		case event := <-c.window.c:
			c.window.handle(c, event)
		}
	}
}

// checkTerminal returns ErrNoTerminal if Config.PTY requires a terminal and we have none.
func (c *client) checkTerminal() error {
	if c.PTY == nil || !*c.PTY || c.terminal != nil {
		return nil
	}
	return ErrNoTerminal
}

// finalResult returns the results of Run: those passed to exit, or r if exit has not been
// called.
func (c *client) finalResult(r result) (status int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.result != nil {
		r = *c.result
	}
	return r.status, r.err
}

// exitTimeout bounds how long Run takes to return after exit, even if the server does not
// answer or stdout blocks.
const exitTimeout = 2 * closeTimeout

// exit ends the client with the result r, unless exit has been called before. It does not
// wait.
func (c *client) exit(r result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.result != nil {
		return
	}
	c.result = &r
	time.AfterFunc(exitTimeout, func() { close(c.timedOut) })
	c.cancelDial()
	if c.current != nil {
		c.current.close()
	}
}

// isExiting reports whether exit has been called.
func (c *client) isExiting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result != nil
}

// conn returns the current connection, or nil.
func (c *client) conn() *clientConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// setConn sets the current connection, which may be nil.
func (c *client) setConn(s *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = s
	if s != nil && c.result != nil {
		s.close()
	}
}

// connectOnce makes one connection and returns how it ended.
func (c *client) connectOnce(ctx context.Context) result {
	ws, link, err := c.dialer.dial(ctx, c.address(), c.resumed.offer(withPlain(c.Subprotocols)))
	if err != nil {
		return dialResult(err)
	}
	s := newClientConn(c, ws, link)
	c.resumed.connected(s.protocol)
	c.setConn(s)
	r := c.resumed.resolve(s.run(), c.Reconnect)
	c.setConn(nil)
	if c.restoreTerminal(c.resumed.continuesAfter(r)) && r.err != nil {
		io.WriteString(c.Stderr, "\n") // the message must not continue a line of the child
	}
	return r
}

// address returns the URL with the parameters of the session and, if the child's terminal
// should have the size of ours from the start, that size.
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

// outputFailed ends the client because a write to stdout failed. If the reader of stdout
// has closed it, there is no message.
func (c *client) outputFailed(err error) {
	if isBrokenPipe(err) {
		c.exit(result{status: 128 + int(signalNumbers["PIPE"])})
		return
	}
	c.exit(result{status: StatusFailed, err: err})
}

// rawWanted reports whether to make our terminal raw. pty reports whether the child has a
// terminal, or may have one.
func (c *client) rawWanted(pty bool) bool {
	return c.terminal != nil && (c.PTY == nil && pty || c.PTY != nil && *c.PTY)
}

// maxMessage is the longest message that we send, in bytes. The servers with the smallest
// limits accept that.
const maxMessage = 32 << 10

// maxPayload is the longest payload of a message after its channel byte.
const maxPayload = maxMessage - 1
