package server

import (
	"context"
	"errors"
	"log/slog"

	"wspipe/bridge"
	"wspipe/process"
)

// resume runs one connection of a session that the client may come back to.
func (c *connection) resume() {
	a, err := c.attach()
	if errors.Is(err, bridge.ErrHistoryLost) || errors.Is(err, bridge.ErrSessionEnded) {
		c.refuseResume()
		return
	}
	if err != nil {
		c.refuse(err)
		return
	}
	c.spec.Env = nil // the child has it
	rs := c.resumed
	if !c.server.sessions.add(a) {
		a.Shutdown()
	}
	sum := a.Run()
	c.leave()
	c.logEnd(rs.child.Pid(), sum, exitSoFar(rs.child))
	c.server.sessions.done(a)
}

// isLost reports whether c wants to go on with a session that is not there.
func (c *connection) isLost() bool { return c.resumes && c.resumed == nil }

// attach gives c its session. If c is the first to come here it starts the child;
// others wait for what becomes of it.
func (c *connection) attach() (a *bridge.Attachment, err error) {
	if c.isLost() {
		return nil, bridge.ErrHistoryLost
	}
	rs, what := c.resumed, "resume"
	rs.starting.Do(func() {
		what = "connect"
		a = c.startResumable()
	})
	if rs.err != nil {
		return nil, rs.err
	}
	if a == nil {
		if a, err = rs.session.Attach(c.ws, c.wire, c.after, c.sessionOptions()); err != nil {
			return nil, err
		}
	}
	if c.size != (process.WindowSize{}) {
		rs.child.Resize(c.size) // it has no terminal, or its own size, if this fails
	}
	c.log.Log(context.Background(), LevelAccess, what, "pid", rs.child.Pid())
	return a, nil
}

// startResumable starts the child of c's session, and gives c that. It notes why
// there is none.
func (c *connection) startResumable() *bridge.Attachment {
	rs, s := c.resumed, c.server
	if rs.child, rs.err = process.Start(c.spec); rs.err != nil {
		s.resumables.fail(rs)
		return nil
	}
	opt := bridge.ResumeOptions{
		Options:  c.sessionOptions(),
		Channels: c.usesChannels(),
		Buffer:   s.cfg.ResumeBuffer,
		Grace:    s.cfg.Resume,
		Ended:    func() { s.resumables.forget(rs) },
	}
	opt.Log = c.spec.Log
	rs.session = bridge.NewResumable(sessionChild{rs.child}, opt)
	a, _ := rs.session.Attach(c.ws, c.wire, -1, c.sessionOptions()) // which nothing stands against yet
	s.resumables.began(rs)
	// Ends when nobody can come back; unblocked by Resumable.Stop.
	go s.runResumable(rs, c.spec.Log, s.sessions.hold())
	return a
}

// runResumable carries the messages of a session and returns when nothing is left
// of it. Then the server may stop: it calls release.
func (s *Server) runResumable(rs *resumable, log *slog.Logger, release func()) {
	defer release()
	over := make(chan struct{})
	go func() { // ends with the session
		select {
		case <-over:
		case <-s.sessions.stopping:
			rs.session.Stop()
		}
	}()
	code, signal := rs.session.Run()
	close(over)
	log.Log(context.Background(), LevelAccess, "session ended", "pid", rs.child.Pid(), exitAttr(code, signal))
}

// refuseResume tells the client that it cannot go on from where it was.
func (c *connection) refuseResume() {
	c.server.giveBack()
	c.log.Warn("cannot resume", "cause", "the session has ended, or its messages are no longer held", "after", c.after)
	bridge.RefuseResume(c.ws)
	<-c.wire.Closed()
	c.leave()
	c.server.sessions.done(nil)
}
