package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"wspipe/bridge"
	"wspipe/process"
)

// connection is one accepted client and what is to run for it.
type connection struct {
	socket
	seat
	server  *Server
	id      string // of the session
	leave   func() // frees its slot
	spec    process.Spec
	size    process.WindowSize // of the client's window, zero if it has not told
	noStdin bool               // the client has no input for the child
	told    environ            // what the child of a bridge.Mux is told of the client
	log     *slog.Logger
	started time.Time
}

// newConnection prepares the program p for r, whose slot leave frees: when the
// child's group is gone, or the client if it shares the child.
func (s *Server) newConnection(r *http.Request, v *visitor, p *program, on socket, leave func()) *connection {
	c := &connection{socket: on, server: s, id: newID(), seat: p.seat, leave: leave, started: time.Now()}
	if c.resumed != nil {
		c.id = c.resumed.id
	}
	c.log = s.log.With("session", c.id, "remote", v.String())
	if v.user != "" {
		c.log = c.log.With("user", v.user)
	}
	if size := takeSize(r); s.cfg.Child.Terminal == process.FullTerminal && !s.readOnly() {
		c.size = size
	}
	c.noStdin = lacksStdin(r.URL.RawQuery, c.ws.Subprotocol())
	env := s.environment(r, v, p, c.id)
	if sub := c.ws.Subprotocol(); sub != "" {
		env.set("WEBSOCKET_PROTOCOL", sub)
	}
	if s.cfg.Share == ShareMux {
		env, c.told = s.splitEnvironment(env, p)
	}
	env.describeTerminal(s.cfg.Child.Terminal)
	c.spec = s.spec(p, env, leave, c.log)
	if c.share != nil { // the child's end and its log are no single client's
		c.spec.OnGone, c.spec.Log = c.share.free, s.log.With("endpoint", p.name)
	}
	if c.resumed != nil { // it outlives each of its connections
		c.spec.OnGone, c.spec.Log = c.resumed.free, s.log.With("session", c.id)
	}
	if c.size != (process.WindowSize{}) {
		c.spec.Size = c.size
	}
	return c
}

// spec returns how to start p for one request.
func (s *Server) spec(p *program, env environ, leave func(), log *slog.Logger) process.Spec {
	spec := s.cfg.Child
	spec.Path = p.path
	spec.Env = override(env, s.cfg.SetEnv)
	spec.OnGone = leave
	spec.Log = log
	return spec
}

// newID returns 128 random bits.
func newID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// serve runs the session from the child's start to its end.
func (c *connection) serve() {
	switch {
	case c.share != nil:
		c.view()
		return
	case c.resumes:
		c.resume()
		return
	}
	child, err := process.Start(c.spec)
	if err != nil {
		c.refuse(err)
		return
	}
	c.spec.Env = nil // the child has it
	c.log.Log(context.Background(), LevelAccess, "connect", "pid", child.Pid())
	session := bridge.NewSession(c.ws, c.wire, sessionChild{child}, c.sessionOptions())
	if !c.server.sessions.add(session) {
		session.Shutdown()
	}
	sum := session.Run()
	c.logEnd(child.Pid(), sum, exitAttr(sum.ExitCode, sum.Signal))
	c.server.sessionEnded(sum.ExitCode)
	c.server.sessions.done(session)
}

// startReason tells a client why process.Start has failed.
func startReason(err error) string {
	if e, ok := errors.AsType[*process.StartError](err); ok {
		return e.Reason
	}
	return "system error"
}

// logStartFailure logs why process.Start has failed, and what to do about it.
func (s *Server) logStartFailure(log *slog.Logger, err error) {
	if s.cfg.StartHint != nil {
		if hint := s.cfg.StartHint(err); hint != "" {
			log = log.With("hint", hint)
		}
	}
	log.Error("cannot start", "error", err)
}

// refuse tells the client that there is no child.
func (c *connection) refuse(err error) {
	c.server.logStartFailure(c.log, err)
	c.leave()
	bridge.Refuse(c.ws, startReason(err))
	<-c.wire.Closed()
	c.server.sessionEnded(1)
	c.server.sessions.done(nil)
}

// exitAttr tells how a child ended.
func exitAttr(code int, signal string) slog.Attr {
	if signal != "" {
		return slog.String("signal", signal)
	}
	return slog.Int("exit", code)
}

// logEnd tells how the session went, and by exit how the child ended, if it has.
func (c *connection) logEnd(pid int, sum bridge.Summary, exit slog.Attr) {
	c.log.Log(context.Background(), LevelAccess, "disconnect",
		"pid", pid, "code", int(sum.Code), "reason", sum.Reason, exit, "duration", time.Since(c.started).Round(time.Millisecond),
		"messages_in", sum.In.Messages, "bytes_in", sum.In.Bytes, "messages_out", sum.Out.Messages, "bytes_out", sum.Out.Bytes)
}

// sessionOptions are the flags that a session needs.
func (c *connection) sessionOptions() bridge.Options {
	cfg := &c.server.cfg
	return bridge.Options{
		ID:            c.id,
		Framing:       cfg.Framing,
		Terminal:      cfg.Child.Terminal == process.FullTerminal,
		Deflate:       c.deflate,
		NoStdin:       c.noStdin,
		MaxMessage:    cfg.MaxMessage,
		PingInterval:  cfg.PingInterval,
		MaxRuntime:    cfg.MaxRuntime,
		IdleTimeout:   cfg.IdleTimeout,
		InputPatience: process.FirstWait(cfg.Child.Grace),
		ExitCloseCode: cfg.ExitCloseCode,
		Log:           c.log,
	}
}

// sessionChild is a child as bridge knows it.
type sessionChild struct{ *process.Child }

// Resize implements bridge.Child.
func (c sessionChild) Resize(size bridge.WindowSize) error {
	return c.Child.Resize(process.WindowSize(size))
}
