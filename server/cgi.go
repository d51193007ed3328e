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
	"strconv"
	"strings"
	"time"

	"wspipe/bridge"
	"wspipe/process"
)

// cgiRun is one request that a CGI program answers (RFC 3875). net/http/cgi is
// not used because it can neither stop a program's whole group nor stop one
// that waits while its client goes or the server stops.
type cgiRun struct {
	server *Server
	child  *process.Child
	log    *slog.Logger
	w      http.ResponseWriter
	r      *http.Request

	answered chan struct{} // closed when the client has all that there is
}

// runCGI returns what answers a request with the program p.
func (s *Server) runCGI(p *program) func(http.ResponseWriter, *http.Request, *visitor, func()) *refusal {
	return func(w http.ResponseWriter, r *http.Request, v *visitor, leave func()) *refusal {
		id := newID()
		log := s.log.With("session", id, "remote", v.String())
		env := s.environment(r, v, p, id)
		env.set("SCRIPT_FILENAME", p.path)
		if r.ContentLength > 0 {
			env.set("CONTENT_LENGTH", strconv.FormatInt(r.ContentLength, 10))
		}
		env.set("CONTENT_TYPE", r.Header.Get("Content-Type"))
		spec := s.spec(p, env, leave, log)
		spec.Args = nil // those are COMMAND's
		if spec.Dir == "" {
			spec.Dir = filepath.Dir(p.path) // RFC 3875, section 7.2
		}
		child, err := process.Start(spec)
		if err != nil {
			leave()
			s.sessions.done(nil)
			log.Error("cannot start", "error", err)
			return &refusal{status: http.StatusInternalServerError, why: "cannot start: " + startReason(err)}
		}
		c := &cgiRun{server: s, child: child, log: log, w: w, r: r, answered: make(chan struct{})}
		go c.watch() // ends with the child; unblocked by sessions.stopping
		return c.serve()
	}
}

// serve carries the request's body to the program and its output to the client.
// If the client goes, the program is stopped.
func (c *cgiRun) serve() *refusal {
	go bridge.LogStderr(c.child.Stderr(), c.child.Pid(), c.log) // ends at the end of stderr; unblocked by Child.Stop
	defer close(c.answered)
	defer context.AfterFunc(c.r.Context(), c.child.Stop)()

	conn := http.NewResponseController(c.w)
	conn.EnableFullDuplex() // a program may answer before it has read all
	sent := make(chan struct{})
	go func() { // ends with the body; unblocked by the end of stdin and by the deadline
		defer close(sent)
		io.Copy(c.child.Stdin(), c.r.Body)
		c.child.Stdin().Close()
	}()
	why := c.respond(conn)
	select {
	case <-sent:
	default: // nobody wants the rest
		c.child.Stdin().Close()
		conn.SetReadDeadline(time.Now())
		<-sent
	}
	return why
}

// respond passes the program's answer on, each piece as it comes.
func (c *cgiRun) respond(conn *http.ResponseController) *refusal {
	limited := &io.LimitedReader{R: c.child.Stdout(), N: maxHeader}
	out := bufio.NewReader(limited)
	status, err := readCGIHeader(out, c.w.Header())
	if err != nil {
		go io.Copy(io.Discard, c.child.Stdout()) // ends with the output; unblocked by Child.Stop
		c.log.Error("cgi program has given no answer", "pid", c.child.Pid(), "error", err)
		return &refusal{status: http.StatusInternalServerError, why: "the program has given no proper answer"}
	}
	limited.N = 1<<63 - 1
	c.w.WriteHeader(status)
	buf := make([]byte, 32<<10)
	for {
		n, err := out.Read(buf)
		if _, failed := c.w.Write(buf[:n]); failed != nil || conn.Flush() != nil {
			if !errors.Is(failed, http.ErrBodyNotAllowed) {
				go c.child.Stop() // ends with the group
			}
			io.Copy(io.Discard, out)
			return nil
		}
		if err != nil {
			return nil
		}
	}
}

// watch waits for the end of the program, which may close its output and run
// on, and stops it when the server stops or its time is over.
func (c *cgiRun) watch() {
	expired := make(<-chan time.Time)
	if d := c.server.cfg.MaxRuntime; d > 0 {
		expired = time.After(d)
	}
	select {
	case <-c.child.Exited():
		<-c.answered // descendants may have something to add
	case <-c.server.sessions.stopping:
	case <-expired:
		c.log.Warn("cgi program has run for too long", "pid", c.child.Pid())
	}
	c.child.Stop()
	if code, signal := c.child.Exit(); code != 0 {
		c.log.Warn("cgi program failed", "pid", c.child.Pid(), "exit", code, "signal", signal)
	}
	c.server.sessions.done(nil)
}

// readCGIHeader reads the header of a CGI program's answer into h and returns
// the status that it asks for (RFC 3875, section 6).
func readCGIHeader(out *bufio.Reader, h http.Header) (status int, err error) {
	fields, err := textproto.NewReader(out).ReadMIMEHeader()
	if err != nil {
		return 0, fmt.Errorf("read header: %w", err)
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
