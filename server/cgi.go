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
	"time"

	"wspipe/bridge"
	"wspipe/bridge/wire"
	"wspipe/process"
	"wspipe/server/access"
)

// cgiRun is one request that a CGI program answers (RFC 3875). net/http/cgi is
// not used because it can neither stop a program's whole group nor stop one
// that waits while its client goes or the server stops.
type cgiRun struct {
	server     *Server
	maxRuntime time.Duration // see Endpoint.MaxRuntime
	child      *process.Child
	log        *slog.Logger
	w          http.ResponseWriter
	r          *http.Request

	body     *requestBody
	closing  bool          // the connection takes no other request
	answered chan struct{} // closed when the client has all that there is
}

// runCGI returns what answers a request with the program p.
func (s *Server) runCGI(p *program) handler {
	return func(w http.ResponseWriter, r *http.Request, client *access.Client, granted admission) *access.Refusal {
		leave := onSecondCall(granted.leave) // when the program has gone, and its response is taken
		c, why := s.startCGI(w, r, client, p, leave)
		if why != nil {
			granted.leave()
			s.tracker.done(nil)
			return why
		}
		go c.watch() // ends with the child; unblocked by sessions.stopping
		why = c.serve()
		connOf(r).waitAcked()
		leave()
		return why
	}
}

func (s *Server) startCGI(w http.ResponseWriter, r *http.Request, client *access.Client, p *program, leave func()) (*cgiRun, *access.Refusal) {
	body, why := newRequestBody(w, r, s.cfg.Timeouts.Body)
	if why != nil {
		return nil, why
	}
	id := newID()
	log := s.log.With("session", id, "remote", client.String())
	env := s.environment(r, client, p, id)
	env.set("SCRIPT_FILENAME", p.path)
	env = override(env, contentVariables(r))
	spec := s.spec(p, env, leave, log)
	spec.Args, spec.Terminal = nil, process.NoTerminal // those are COMMAND's
	if spec.Dir == "" {
		spec.Dir = filepath.Dir(p.path) // RFC 3875, section 7.2
	}
	child, err := process.Start(spec)
	if err != nil {
		s.logStartFailure(log, err)
		return nil, &access.Refusal{Status: http.StatusInternalServerError, Why: "cannot start: " + startReason(err)}
	}
	return &cgiRun{server: s, maxRuntime: p.endpoint.MaxRuntime, child: child, log: log, w: w, r: r, body: body, answered: make(chan struct{})}, nil
}

// contentVariables tell a program what the body of r is.
func contentVariables(r *http.Request) []string {
	length := ""
	if r.ContentLength > 0 {
		length = strconv.FormatInt(r.ContentLength, 10)
	}
	return []string{"CONTENT_LENGTH=" + length, "CONTENT_TYPE=" + r.Header.Get("Content-Type")}
}

// serve carries the request's body to the program and its output to the client.
// If the client goes, the program is stopped.
func (c *cgiRun) serve() *access.Refusal {
	go bridge.LogStderr(c.child.Stderr(), c.child.Pid(), c.log) // ends at the end of stderr; unblocked by Child.Stop
	defer close(c.answered)
	stillThere := context.AfterFunc(c.r.Context(), c.child.Stop)

	conn := http.NewResponseController(c.w)
	conn.EnableFullDuplex() // a program may answer before it has read all
	sent := make(chan struct{})
	go func() { // ends with the body; unblocked by the end of stdin and by the deadline
		defer close(sent)
		io.Copy(c.child.Stdin(), c.body)
		if c.body.hasTimedOut() {
			c.log.Warn("timed out reading the request body", "pid", c.child.Pid())
			c.child.Stop()
		}
		c.child.Stdin().Close()
	}()
	why := c.respond(conn)
	stillThere() // from here on a program may finish alone
	if c.closing {
		c.body.stop()
	}
	select {
	case <-sent:
	default: // nobody wants the rest
		c.child.Stdin().Close()
		<-sent
	}
	return why
}

// respond passes the program's answer on, each piece as it comes.
func (c *cgiRun) respond(conn *http.ResponseController) *access.Refusal {
	limited := &io.LimitedReader{R: c.child.Stdout(), N: maxHeader}
	out := bufio.NewReader(limited)
	status, err := readCGIHeader(out, c.w.Header())
	limited.N = 1<<63 - 1
	if err == nil && !c.body.whole {
		out.Peek(1) // most programs read all before they write more than a header
	}
	if c.closing = !c.body.whole; c.closing {
		// Or net/http would take what is left of the body for a request.
		c.w.Header().Set("Connection", "close")
	}
	if err != nil || c.body.hasTimedOut() {
		go c.child.Stop()           // ends with the group
		go io.Copy(io.Discard, out) // ends with the output; unblocked by Child.Stop
		if c.body.hasTimedOut() {
			return bodyTimedOut
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
		body = io.LimitReader(out, int64(n)) // a line end is easily one byte too many
	}
	err = conn.Flush()
	if err == nil {
		_, err = io.Copy(flusher{c.w, conn}, body)
	}
	if err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		go c.child.Stop() // ends with the group
	}
	io.Copy(io.Discard, out)
	if c.body.hasTimedOut() {
		connOf(c.r).Close() // or net/http would end the response as if it were whole
	}
	return nil
}

// flusher sends each piece at once.
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

// watch waits for the end of the program, which may close its output and run
// on, and stops it when its client has gone, the server stops or its time is over.
func (c *cgiRun) watch() {
	c.await()
	c.child.Stop()
	if code, signal := c.child.Exit(); code != 0 {
		c.log.Warn("cgi program failed", "pid", c.child.Pid(), "exit", code, "signal", signal)
	}
	c.server.tracker.done(nil)
}

// clientCheck is how often watch looks whether the client is still there while
// nobody reads what it sends.
const clientCheck = time.Second

// await waits for a reason to stop the program.
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
			select { // descendants may have something to add
			case <-c.answered:
			case <-c.server.tracker.stopping: // the client may never take it
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

// isUnread reports whether there may be something of the request's body that
// nobody reads. While there is nothing, net/http notices who hangs up.
func (c *cgiRun) isUnread() bool {
	select {
	case <-c.answered:
		return false
	default:
		return !c.body.whole
	}
}

// readCGIHeader reads the header of a CGI program's answer into h and returns
// the status that it asks for (RFC 3875, section 6).
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

// errInvalidField says that a field in a program's header is unusable.
var errInvalidField = errors.New("invalid field")

// checkSingle makes one field of those that a program has repeated and that a
// header may have only once. It fails if they differ, or if the length is none: a
// client and a proxy might each go by another one (RFC 9112, section 6.3).
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
