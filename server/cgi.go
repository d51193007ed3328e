package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/textproto"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"wspipe/bridge"
	"wspipe/bridge/wire"
	"wspipe/process"
	"wspipe/server/access"
)

// cgiRun is one request to a CGI program (RFC 3875). It does not use net/http/cgi, which can
// neither stop the whole process session nor stop a program without output when the client
// disconnects or the server stops.
type cgiRun struct {
	server     *Server
	maxRuntime time.Duration // see Endpoint.MaxRuntime
	child      *process.Child
	log        *slog.Logger
	w          http.ResponseWriter
	r          *http.Request

	body     *requestBody
	closing  bool          // the connection is closed after the response
	answered chan struct{} // closed when serve has returned
}

// runCGI returns a handler that runs the CGI program p.
func (s *Server) runCGI(p *program) handler {
	return func(w http.ResponseWriter, r *http.Request, client *access.Client, granted admission) *access.Refusal {
		release := onSecondCall(granted.release) // called at the end of the program and of the response
		c, why := s.startCGI(w, r, client, p, release)
		if why != nil {
			granted.release()
			s.tracker.done(nil)
			return why
		}
		go c.watch() // ends with the child; unblocked by tracker.stopping
		why = c.serve()
		connOf(r).waitAcked()
		release()
		return why
	}
}

func (s *Server) startCGI(w http.ResponseWriter, r *http.Request, client *access.Client, p *program, release func()) (*cgiRun, *access.Refusal) {
	body, why := newRequestBody(w, r, s.cfg.Timeouts.Body)
	if why != nil {
		return nil, why
	}
	id := newID()
	log := s.log.With("session", id, "remote", client.String())
	env := s.environment(r, client, p, id)
	env.set("SCRIPT_FILENAME", p.path)
	env = override(env, contentVariables(r))
	spec := s.spec(p, env, nil, release, log)
	spec.Args, spec.Terminal = nil, process.NoTerminal // the endpoint's are for COMMAND
	if spec.Dir == "" {
		spec.Dir = filepath.Dir(p.path) // RFC 3875, section 7.2
	}
	child, err := s.startChild(spec)
	if err != nil {
		s.logStartFailure(log, err)
		return nil, &access.Refusal{Status: http.StatusInternalServerError, Why: "cannot start: " + startReason(err)}
	}
	return &cgiRun{server: s, maxRuntime: p.endpoint.MaxRuntime, child: child, log: log, w: w, r: r, body: body, answered: make(chan struct{})}, nil
}

// contentVariables returns the variables that describe the body of r.
func contentVariables(r *http.Request) []string {
	length := ""
	if r.ContentLength > 0 {
		length = strconv.FormatInt(r.ContentLength, 10)
	}
	return []string{"CONTENT_LENGTH=" + length, "CONTENT_TYPE=" + r.Header.Get("Content-Type")}
}

// serve copies the request body to the program and its output to the client. It stops the
// program if the client disconnects.
func (c *cgiRun) serve() *access.Refusal {
	go bridge.LogStderr(c.child.Stderr(), c.child.Pid(), c.log) // ends at the end of stderr; unblocked by Child.Stop
	defer close(c.answered)
	stillThere := context.AfterFunc(c.r.Context(), c.child.Stop)

	conn := http.NewResponseController(c.w)
	conn.EnableFullDuplex() // a program may respond before it has read the body
	sent := make(chan struct{})
	go func() { // ends with the body; unblocked by the end of stdin and by the deadline
		defer close(sent)
		io.Copy(c.child.Stdin(), c.body)
		if why := c.body.failure(); why != nil {
			c.log.Warn(why.Why, "pid", c.child.Pid())
			c.child.Stop()
		}
		c.child.Stdin().Close()
	}()
	why := c.respond(conn)
	stillThere() // the program may continue after its response
	if c.closing {
		c.body.stop()
	}
	select {
	case <-sent:
	default: // the program has not read the rest
		c.child.Stdin().Close()
		<-sent
	}
	return why
}

// respond sends the response of the program, without buffering.
func (c *cgiRun) respond(conn *http.ResponseController) *access.Refusal {
	limited := &io.LimitedReader{R: c.child.Stdout(), N: maxHeader}
	out := bufio.NewReader(limited)
	status, err := readCGIHeader(out, c.w.Header())
	limited.N = 1<<63 - 1
	if err == nil && !c.body.whole {
		out.Peek(1) // most programs read the whole body before they write more than a header
	}
	if c.closing = !c.body.whole; c.closing {
		// Otherwise net/http would read the rest of the body as a request.
		c.w.Header().Set("Connection", "close")
	}
	if err != nil || c.body.failure() != nil {
		go c.child.Stop()           // ends with the process session
		go io.Copy(io.Discard, out) // ends with the output; unblocked by Child.Stop
		if why := c.body.failure(); why != nil {
			return why
		}
		c.log.Error("cgi program sent no valid response", "pid", c.child.Pid(), "error", err)
		code := http.StatusInternalServerError
		if errors.Is(err, errInvalidField) {
			code = http.StatusBadGateway
		}
		return &access.Refusal{Status: code, Why: "the CGI program sent no valid response"}
	}
	c.w.WriteHeader(status)
	body := io.Reader(out)
	if n, err := strconv.ParseUint(c.w.Header().Get("Content-Length"), 10, 63); err == nil {
		body = io.LimitReader(out, int64(n)) // programs often write a newline too many
	}
	err = conn.Flush()
	if err == nil {
		_, err = io.Copy(flusher{c.w, conn}, body)
	}
	if err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		go c.child.Stop() // ends with the process session
	}
	io.Copy(io.Discard, out)
	if c.body.failure() != nil {
		connOf(c.r).Close() // otherwise net/http would end the response as if it were complete
	}
	return nil
}

// flusher flushes after each Write.
type flusher struct {
	io.Writer
	conn *http.ResponseController
}

// Write implements io.Writer.
func (f flusher) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err == nil {
		err = f.conn.Flush()
	}
	return n, err
}

// watch waits until the program exits, which may be long after it has closed its output. It
// stops the program if the client disconnects, the server stops or maxRuntime is over.
func (c *cgiRun) watch() {
	c.await()
	c.child.Stop()
	if code, signal := c.child.Exit(); code != 0 {
		c.log.Warn("cgi program failed", "pid", c.child.Pid(), "exit", code, "signal", signal)
	}
	c.server.registry.childExited(c.child)
	c.server.tracker.done(nil)
}

// clientCheck is how often await checks whether the client has disconnected while the program
// does not read the body.
const clientCheck = time.Second

// await waits until the program must be stopped or has exited.
func (c *cgiRun) await() {
	expired := make(<-chan time.Time)
	if d := c.maxRuntime; d > 0 {
		expired = time.After(d)
	}
	check := time.NewTicker(clientCheck)
	defer check.Stop()
	for {
		select {
		case <-c.child.Exited():
			select { // descendants may write more output
			case <-c.answered:
			case <-c.server.tracker.stopping: // the client may never read it
			}
			return
		case <-c.server.tracker.stopping:
			return
		case <-expired:
			c.log.Warn("cgi program timed out", "pid", c.child.Pid())
			return
		case <-check.C:
			if c.isUnread() && wire.HungUp(connOf(c.r).Conn) {
				return
			}
		}
	}
}

// isUnread reports whether a part of the request body may be unread. Otherwise net/http
// detects a disconnect.
func (c *cgiRun) isUnread() bool {
	select {
	case <-c.answered:
		return false
	default:
		return !c.body.whole
	}
}

// readCGIHeader reads the header of a CGI response into h and returns the status (RFC 3875,
// section 6).
func readCGIHeader(out *bufio.Reader, h http.Header) (status int, err error) {
	fields, err := textproto.NewReader(out).ReadMIMEHeader()
	if err != nil {
		return 0, fmt.Errorf("read header: %w", err)
	}
	if err := checkSingle(fields); err != nil {
		return 0, err
	}
	status = http.StatusOK
	switch {
	case fields.Get("Status") != "":
		code, _, _ := strings.Cut(fields.Get("Status"), " ")
		status, err = strconv.Atoi(code)
		if err != nil || status < 200 || status > 599 {
			return 0, fmt.Errorf("read header: bad status %q", fields.Get("Status"))
		}
	case fields.Get("Location") != "":
		status = http.StatusFound
	case fields.Get("Content-Type") == "":
		return 0, errors.New("read header: no Content-Type, Location or Status")
	}
	for _, ours := range []string{"Status", "Connection", "Keep-Alive", "Transfer-Encoding", "Trailer", "Upgrade"} {
		fields.Del(ours) // section 6.3.4
	}
	for name, values := range fields {
		h[name] = append(h[name], values...)
	}
	return status, nil
}

// errInvalidField reports an invalid field in the header of a program.
var errInvalidField = errors.New("invalid field")

// checkSingle removes duplicates of fields that may occur only once. It returns an error if
// they differ or if the Content-Length is invalid, because a client and a proxy could use
// different ones (RFC 9112, section 6.3).
func checkSingle(fields textproto.MIMEHeader) error {
	for _, name := range []string{"Status", "Location", "Content-Type", "Content-Length"} {
		values := fields[name]
		if len(values) == 0 {
			continue
		}
		if slices.ContainsFunc(values, func(value string) bool { return value != values[0] }) {
			return fmt.Errorf("read header: %w: conflicting %s fields", errInvalidField, name)
		}
		fields[name] = values[:1]
	}
	length := fields["Content-Length"]
	if len(length) == 0 {
		return nil
	}
	if _, err := strconv.ParseUint(length[0], 10, 63); err != nil {
		return fmt.Errorf("read header: %w: Content-Length %q", errInvalidField, length[0])
	}
	return nil
}

// onSecondCall returns a function whose second call calls f.
func onSecondCall(f func()) func() {
	var calls atomic.Int32
	return func() {
		if calls.Add(1) == 2 {
			f()
		}
	}
}
