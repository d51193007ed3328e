package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"wspipe/bridge"
	"wspipe/process"
	"wspipe/server/access"
	"wspipe/server/param"
)

// connection is an accepted WebSocket and the child to which it attaches.
type connection struct {
	accepted
	admission
	server   *Server
	endpoint *Endpoint
	id       string // of the session
	spec     process.Spec
	size     process.WindowSize // of the client's window, zero if unknown
	noStdin  bool               // the child gets an empty stdin
	muxEnv   environ            // of ShareMux: the environment in the open event
	log      *slog.Logger
	started  time.Time

	// Used to start the child, nil afterwards:
	program *program
	client  *access.Client
}

// newConnection returns the connection for r, an opening handshake for the program p.
func (s *Server) newConnection(r *http.Request, client *access.Client, p *program, on accepted, granted admission) *connection {
	c := &connection{accepted: on, admission: granted, server: s, endpoint: p.endpoint, id: newID(), started: time.Now(), program: p, client: client}
	if c.child != nil {
		c.id = c.child.id
	}
	unique := c.id
	if c.endpoint.Share == ShareMux { // its child distinguishes requests
		unique = newID()
	}
	c.log = s.log.With("session", c.id, "remote", client.String())
	if client.User != "" {
		c.log = c.log.With("user", client.User)
	}
	if size := removeSize(r); c.endpoint.Child.Terminal == process.FullTerminal && !c.endpoint.readOnly() {
		c.size = size
	}
	c.noStdin = lacksStdin(r.URL.RawQuery, c.subprotocol)
	env := s.environment(r, client, p, unique)
	if sub := c.subprotocol; sub != "" {
		env.set("WEBSOCKET_PROTOCOL", sub)
	}
	if c.response != nil {
		env = override(env, contentVariables(r))
	}
	if c.endpoint.Share == ShareMux {
		c.muxEnv = openEventEnvironment(env, p)
	}
	if c.endpoint.Share == ShareMux || c.endpoint.hasRooms() {
		env = s.sharedEnvironment(p)
	}
	env.describeTerminal(c.endpoint.Child.Terminal)
	c.spec = s.spec(p, env, granted.values, func() { s.children.processSessionEnded(c.child) }, c.childLog(p))
	if c.size != (process.WindowSize{}) {
		c.spec.Size = c.size
	}
	return c
}

// childLog returns the log for the child. The child of several clients does not log under the
// session of one.
func (c *connection) childLog(p *program) *slog.Logger {
	switch {
	case c.isShared():
		log := c.server.log.With("session", c.id, "endpoint", p.url())
		if c.endpoint.hasRooms() {
			log = log.With("room", p.room)
		}
		return log
	case c.resumes:
		return c.server.log.With("session", c.id)
	}
	return c.log
}

// isShared reports whether the child is shared.
func (c *connection) isShared() bool { return c.endpoint.isShared() }

// spec returns the Spec for p with the environment env and the values of its parameters.
func (s *Server) spec(p *program, env environ, values param.Values, release func(), log *slog.Logger) process.Spec {
	spec := p.endpoint.Child
	spec.Path = p.path
	spec.Args = values.Expand(spec.Args)
	spec.Env = override(override(env, cleanEnvironment(values.Environment())), p.endpoint.SetEnv)
	spec.OnSessionEnd = release
	spec.Log = log
	return spec
}

// newID returns 128 random bits.
func newID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// serve runs the connection, and returns when it has ended. Unless the child is shared or in a
// session, the child has ended then, too.
func (c *connection) serve() {
	client, what, err := c.attach()
	switch {
	case errors.Is(err, bridge.ErrHistoryLost), errors.Is(err, bridge.ErrSessionEnded), errors.Is(err, bridge.ErrReported):
		c.refuseResume(err)
		return
	case err != nil:
		c.refuse(err)
		return
	}
	pid := c.child.process.Pid()
	c.log.Log(context.Background(), LevelAccess, what, "pid", pid)
	if !c.server.tracker.addClient(client) {
		client.Shutdown()
	}
	sum := client.Run()
	c.server.registry.detached(c.child, client)
	if !c.isShared() && !c.resumes {
		<-c.child.ended // the child ends with its client
	}
	c.release()
	if c.response != nil {
		c.response.record(statusClientGone)
	}
	c.logEnd(pid, sum, exitSoFar(c.child.process))
	if c.server.cfg.Once {
		<-c.child.ended // release has stopped it
		c.server.sessionEnded(c.child.status)
	}
	c.child.recording.Disconnect(int(sum.Code), sum.Reason)
	c.server.tracker.done(client)
}

// attach attaches c to its child. The first client starts the child, with its environment;
// others wait for that. what is the log message.
func (c *connection) attach() (client *bridge.Client, what string, err error) {
	ch, what := c.child, "connect"
	if ch == nil {
		return nil, "", bridge.ErrHistoryLost
	}
	ch.startOnce.Do(func() { client = c.start() })
	switch {
	case ch.err != nil:
		return nil, "", ch.err
	case client == nil:
		if c.resumes {
			what = "resume"
		}
		if client, err = ch.bridge.Attach(c.transport, c.clientOptions()); err != nil {
			return nil, "", err
		}
	}
	number := ch.attached.Add(1)
	switch id := client.MuxID(); {
	case id != "": // the child may use it in its stderr
		c.log = c.log.With("client", id)
	case c.isShared(): // other clients have the same session
		c.log = c.log.With("client", number)
	}
	c.server.registry.attached(ch, client)
	ch.recording.Connect(c.client.String())
	if c.size != (process.WindowSize{}) {
		client.Resize(bridge.WindowSize(c.size)) // fails if the child has exited
	}
	c.spec, c.muxEnv, c.program, c.client = process.Spec{}, nil, nil, nil // no longer needed
	return client, what, nil
}

// start starts the child of c and attaches c as its first client. If the start fails, it sets
// child.err.
func (c *connection) start() (client *bridge.Client) {
	ch, s := c.child, c.server
	s.children.starting(ch)
	if ch.process, ch.err = s.startChild(c.spec); ch.err != nil {
		s.children.fail(ch)
		return nil
	}
	log := c.spec.Log
	if c.isShared() {
		log.Log(context.Background(), LevelAccess, "shared child started", "pid", ch.process.Pid())
	}
	opt := c.bridgeOptions(log)
	if c.resumes {
		opt.Kind, opt.Channels = bridge.Resumable, c.usesChannels()
		opt.Ended = func() { s.children.retire(ch) }
	}
	ch.recording = c.startRecording()
	ch.bridge = bridge.New(s.childFor(ch), opt)
	// Before Attach, which sends the ID to the client.
	s.registry.started(ch, c.program.url(), c.client.User, c.client.String())
	if c.transport != nil { // otherwise the child only gets input
		first := c.clientOptions()
		first.After = -1
		client, _ = ch.bridge.Attach(c.transport, first) // before Run, so that it gets the output from the beginning
	}
	s.children.started(ch, ch.bridge.Stop, ch.process.Exited())
	if !s.tracker.addChild(ch) {
		ch.bridge.Shutdown()
	}
	shared, resumes := c.isShared(), c.resumes
	ch.bridge.AwaitOutput(func() { s.runChild(ch, log, shared, resumes) }) // ends with the child and its history; unblocked by Bridge.Shutdown
	return client
}

// runChild runs the bridge of a child. It returns when the child has ended and its output has
// been delivered or discarded.
func (s *Server) runChild(ch *child, log *slog.Logger, shared, resumes bool) {
	defer s.tracker.removeChild(ch)
	code, signal := ch.bridge.Run()
	s.children.retire(ch)
	s.registry.over(ch)
	ch.status = code
	switch {
	case shared:
		log.Log(context.Background(), LevelAccess, "shared child ended",
			"pid", ch.process.Pid(), exitAttr(code, signal), "clients", ch.attached.Load())
	case resumes:
		log.Log(context.Background(), LevelAccess, "session ended", "pid", ch.process.Pid(), exitAttr(code, signal))
	}
	close(ch.ended)
	ch.recording.Exit(exitReason(code, signal))
}

// startReason returns the reason for clients why process.Start has failed.
func startReason(err error) string {
	if e, ok := errors.AsType[*process.StartError](err); ok {
		return e.Reason
	}
	return "system error"
}

// logStartFailure logs the error of process.Start, with a hint.
func (s *Server) logStartFailure(log *slog.Logger, err error) {
	if s.cfg.StartHint != nil {
		if hint := s.cfg.StartHint(err); hint != "" {
			log = log.With("hint", hint)
		}
	}
	log.Error("cannot start", "error", err)
}

// refuseResume closes the connection of a client whose session is lost.
func (c *connection) refuseResume(cause error) {
	c.server.releaseOnce()
	if !errors.Is(cause, bridge.ErrReported) {
		c.server.registry.refused("session")
		if c.response != nil {
			c.lost()
		}
		c.log.Warn("cannot resume", "cause", "the session has ended or its messages were discarded", "after", c.after)
	}
	c.transport.RefuseResume(cause)
	<-c.closed
	c.release()
	c.server.tracker.done(nil)
}

// refuse closes the connection of a client whose child could not start.
func (c *connection) refuse(err error) {
	c.server.logStartFailure(c.log, err)
	c.transport.Refuse(startReason(err))
	<-c.closed
	c.release()
	c.server.sessionEnded(1)
	c.server.tracker.done(nil)
}

// statusClientGone is the status in the log if the client disconnected before the response had
// one, as in nginx.
const statusClientGone = 499

// exitAttr returns the log attribute for the exit of a child.
func exitAttr(code int, signal string) slog.Attr {
	if signal != "" {
		return slog.String("signal", signal)
	}
	return slog.Int("exit", code)
}

// logEnd logs the end of the connection. exit is the exit of the child, or the zero Attr.
func (c *connection) logEnd(pid int, sum bridge.Summary, exit slog.Attr) {
	c.log.Log(context.Background(), LevelAccess, "disconnect",
		"pid", pid, "code", int(sum.Code), "reason", sum.Reason, exit, "duration", time.Since(c.started).Round(time.Millisecond),
		"messages_in", sum.In.Messages, "bytes_in", sum.In.Bytes, "messages_out", sum.Out.Messages, "bytes_out", sum.Out.Bytes)
}

// exitSoFar returns the log attribute for the exit of child, or the zero Attr if it still runs.
func exitSoFar(child *process.Child) slog.Attr {
	select {
	case <-child.Exited():
		return exitAttr(child.Exit())
	default:
		return slog.Attr{}
	}
}

// bridgeOptions returns the options for the child, whose stderr goes to log.
func (c *connection) bridgeOptions(log *slog.Logger) bridge.Options {
	e := c.endpoint
	kinds := map[Share]bridge.Kind{ShareNone: bridge.Single, ShareBroadcast: bridge.Broadcast, ShareMux: bridge.Mux}
	return bridge.Options{
		Kind:          kinds[e.Share],
		Framing:       e.Framing,
		Terminal:      e.Child.Terminal == process.FullTerminal,
		MaxMessage:    e.MaxMessage,
		PingInterval:  e.PingInterval,
		MaxRuntime:    e.MaxRuntime,
		IdleTimeout:   e.IdleTimeout,
		InputTimeout:  process.FirstWait(e.Child.Grace),
		Unread:        c.server.cfg.Timeouts.Unread,
		ExitCloseCode: e.ExitCloseCode,
		Replay:        e.Replay,
		ReadOnly:      e.ReadOnly,
		Slow:          e.Slow,
		Buffer:        e.ResumeBuffer,
		Grace:         e.Resume,
		Log:           log,
	}
}

// clientOptions returns the options for this client.
func (c *connection) clientOptions() bridge.ClientOptions {
	return bridge.ClientOptions{ID: c.id, After: c.after, NoStdin: c.noStdin, Env: c.muxEnv, Log: c.log}
}

// sessionChild implements bridge.Child.
type sessionChild struct{ *process.Child }

// Stdout implements bridge.Child.
func (c sessionChild) Stdout() io.Reader { return c.Child.Stdout() }

// Stderr implements bridge.Child.
func (c sessionChild) Stderr() io.Reader { return c.Child.Stderr() }

// Resize implements bridge.Child.
func (c sessionChild) Resize(size bridge.WindowSize) error {
	return c.Child.Resize(process.WindowSize(size))
}
