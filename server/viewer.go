package server

import (
	"context"
	"log/slog"

	"wspipe/bridge"
	"wspipe/process"
)

// viewer is a client of a shared child: a bridge.Viewer or a bridge.MuxClient.
type viewer interface {
	session
	// Run returns once the connection has ended.
	Run() bridge.Summary
}

// view runs the session of a client that shares its child.
func (c *connection) view() {
	viewer, err := c.joinHub()
	if err != nil {
		c.refuse(err)
		return
	}
	c.spec.Env, c.told = nil, nil // the child has it, or that of another client
	sh := c.share
	if mc, ok := viewer.(*bridge.MuxClient); ok { // of which the child's own log may speak
		c.log = c.log.With("client", mc.ID())
	}
	c.log.Log(context.Background(), LevelAccess, "connect", "pid", sh.child.Pid())
	if !c.server.sessions.add(viewer) {
		viewer.Shutdown()
	}
	sum := viewer.Run()
	c.leave()
	c.logEnd(sh.child.Pid(), sum, exitSoFar(sh.child))
	if c.server.cfg.Once {
		<-sh.ended // leave has stopped it
		c.server.sessionEnded(sh.status)
	}
	c.server.sessions.done(viewer)
}

// joinHub makes c a viewer of the child that it shares. If c is the first to come
// here it starts that, with its environment; others wait for what becomes of it.
func (c *connection) joinHub() (viewer viewer, err error) {
	sh, s := c.share, c.server
	sh.starting.Do(func() {
		if sh.child, sh.err = process.Start(c.spec); sh.err != nil {
			s.shares.fail(sh)
			return
		}
		c.spec.Log.Log(context.Background(), LevelAccess, "shared child started", "pid", sh.child.Pid())
		if s.cfg.Share == ShareMux {
			sh.hub = bridge.NewMux(sessionChild{sh.child}, c.hubOptions())
		} else {
			sh.hub = bridge.NewHub(sessionChild{sh.child}, c.hubOptions())
		}
		s.shares.began(sh, sh.hub.Stop, sh.child.Exited())
		viewer = c.newViewer() // before Run, so that it gets the output from the beginning
		// Ends with the child and its viewers; unblocked by share.stop.
		go s.runShared(sh, c.spec.Log, s.sessions.hold())
	})
	if sh.err == nil && viewer == nil {
		viewer = c.newViewer()
	}
	return viewer, sh.err
}

func (c *connection) newViewer() viewer {
	c.share.viewers.Add(1)
	if mux, ok := c.share.hub.(*bridge.Mux); ok {
		return mux.NewClient(c.ws, c.wire, c.told, c.sessionOptions())
	}
	viewer := c.share.hub.(*bridge.Hub).NewViewer(c.ws, c.wire, c.sessionOptions())
	if c.size != (process.WindowSize{}) {
		viewer.Resize(bridge.WindowSize(c.size)) // fails if the child has ended
	}
	return viewer
}

// hubOptions are the flags that a shared child needs.
func (c *connection) hubOptions() bridge.HubOptions {
	cfg := &c.server.cfg
	opt := bridge.HubOptions{
		Options:  c.sessionOptions(),
		Replay:   cfg.Replay,
		Slow:     cfg.Slow,
		ReadOnly: cfg.ReadOnly,
	}
	opt.Log = c.spec.Log
	return opt
}

// runShared carries the messages of a shared child and returns when nothing is
// left of it. Then the server may stop: it calls release.
func (s *Server) runShared(sh *share, log *slog.Logger, release func()) {
	defer release()
	go s.stopShared(sh) // ends with the child; unblocked by share.stop
	code, signal := sh.hub.Run()
	s.shares.retire(sh)
	sh.status = code
	log.Log(context.Background(), LevelAccess, "shared child ended",
		"pid", sh.child.Pid(), exitAttr(code, signal), "viewers", sh.viewers.Load())
	close(sh.ended)
}

// stopShared stops a shared child when the server stops.
func (s *Server) stopShared(sh *share) {
	select {
	case <-sh.child.Exited():
	case <-s.sessions.stopping:
		s.shares.retire(sh)
		sh.hub.Stop()
	}
}

// exitSoFar tells how child ended; nothing if it still runs.
func exitSoFar(child *process.Child) slog.Attr {
	select {
	case <-child.Exited():
		return exitAttr(child.Exit())
	default:
		return slog.Attr{}
	}
}
