// Package server is everything between a listening socket and a session:
// listeners, who may come in, routes, the child's environment, shutdown.
package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"wspipe/server/access"
	"wspipe/server/listen"
)

const (
	// headerTimeout bounds how long a client may take for a request's header.
	headerTimeout = 10 * time.Second
	// keepAlive is how long an HTTP connection may stay without a request.
	keepAlive = time.Minute
	// maxHeader is the longest request header, in bytes. All of it becomes
	// the child's environment, which has its bounds too (execve(2)).
	maxHeader = 64 << 10
	// closePatience is how long clients may take to close when the server stops.
	closePatience = 5 * time.Second
)

// Server serves a program to WebSocket clients. Listen makes one.
type Server struct {
	cfg       Config
	log       *slog.Logger
	listeners *listen.Listeners
	policy    *access.Policy
	slots     *slots
	tracker   *tracker
	children  *children
	lookups   *net.Resolver

	dir   *programDir // of Config.Dir, or nil
	cgi   *programDir // of Config.CGIDir, or nil
	files *staticDir  // of Config.StaticDir, or nil

	routeTable atomic.Pointer[routeTable]

	stopListening func()

	// For Config.Once:
	taken    atomic.Bool // the one connection is there
	finished chan int    // gets its exit status
}

// Listen binds every address of cfg. Serve closes them again.
func Listen(cfg Config) (*Server, error) {
	s := &Server{
		cfg:      cfg,
		log:      cfg.Log,
		slots:    newSlots(cfg.MaxChildren, cfg.MaxPerIP),
		finished: make(chan int, 1),
		// Not the C library's, whose lookups could not be given up.
		lookups: &net.Resolver{PreferGo: true, Dial: dialNameServer},
	}
	s.cfg.Timeouts = cfg.Timeouts.orDefault()
	s.children = newChildren(s.slots, cfg.Once)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	rules := cfg.Rules
	rules.ClientCertificate = cfg.TLS != nil && cfg.TLS.ClientCA != ""
	if s.policy, err = access.NewPolicy(rules, s.log); err != nil {
		return nil, err
	}
	s.setRoutes(cfg.Routes)
	if err = s.openDirs(); err != nil {
		return nil, err
	}
	if s.listeners, err = listen.Open(cfg.Sockets, s.log); err != nil {
		return nil, err
	}
	s.stopListening = sync.OnceFunc(s.listeners.Close)
	if err = s.checkExposure(cfg.Routes); err != nil {
		s.stopListening()
		return nil, err
	}
	return s, nil
}

// openDirs looks for the directories of cfg.
func (s *Server) openDirs() (err error) {
	var programs []*programDir
	open := func(to **programDir, path string) {
		if path == "" || err != nil {
			return
		}
		if *to, err = openProgramDir(path, &s.cfg.Endpoint); err == nil {
			programs = append(programs, *to)
		}
	}
	open(&s.dir, s.cfg.Dir)
	open(&s.cgi, s.cfg.CGIDir)
	if s.cfg.StaticDir != "" && err == nil {
		if s.files, err = openStaticDir(s.cfg.StaticDir, programs...); err == nil {
			s.files.hidden = s.hiddenFiles
		}
	}
	return err
}

// URLs returns the WebSocket address of each listener, such as
// ws://127.0.0.1:8080/, wss:// with TLS, and unix:/path for a unix socket.
func (s *Server) URLs() []string { return s.listeners.URLs() }

// Serve serves until ctx is done, or until Config.Once or
// Config.ExitWhenIdle ends it, then closes every session with 1001, stops all
// children and waits for them; other answers may be finished meanwhile, for a
// few seconds. It returns the exit status for the process: with Config.Once the
// child's (128+n for a signal), else 0 after a clean stop.
func (s *Server) Serve(ctx context.Context) (status int, err error) {
	s.tracker = newTracker(s.cfg.ExitWhenIdle)
	var servers []*http.Server
	var serving sync.WaitGroup
	failed := make(chan error, len(s.listeners.Serving)+len(s.listeners.Redirecting))
	start := func(l net.Listener, h http.Handler) {
		hs := s.newHTTPServer(h)
		servers = append(servers, hs)
		l = listen.Retry(l, s.log)
		serving.Go(func() { failed <- hs.Serve(l) }) // ends when l is closed
	}
	for _, l := range s.listeners.Serving {
		start(l, s)
	}
	for _, l := range s.listeners.Redirecting {
		start(l, &redirector{s, l.To})
	}
	closeConnections := func() {
		for _, hs := range servers {
			hs.Close()
		}
	}
	s.notify(daemon.SdNotifyReady)
	status, err = s.wait(ctx, failed)
	s.notify(daemon.SdNotifyStopping)
	s.stopListening()
	s.tracker.shutdown(closePatience, closeConnections)
	closeConnections() // those that are left wait for a request
	serving.Wait()
	return status, err
}

func (s *Server) newHTTPServer(h http.Handler) *http.Server {
	hs := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout, // and as long for a TLS handshake
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          newErrorLog(s.log),
		Protocols:         new(http.Protocols),
		ConnContext:       s.withConn,
		// OPTIONS * is for our gate, too.
		DisableGeneralOptionsHandler: true,
	}
	hs.Protocols.SetHTTP1(true) // a WebSocket over HTTP/2 would be RFC 8441
	return hs
}

// wait waits for a reason to stop.
func (s *Server) wait(ctx context.Context, failed <-chan error) (status int, err error) {
	for {
		select {
		case <-ctx.Done():
			s.log.Info("stopping", "cause", context.Cause(ctx))
			return 0, nil
		case <-s.tracker.idle:
			s.log.Info("stopping", "cause", "no client for "+s.cfg.ExitWhenIdle.String())
			return 0, nil
		case status := <-s.finished:
			return status, nil
		case <-s.cfg.Reload:
			s.reload()
		case err := <-failed:
			if !s.cfg.Once { // which closes the listeners by itself
				return 1, err
			}
		}
	}
}

// takeOnly reports whether another connection may come in: with Config.Once,
// only one.
func (s *Server) takeOnly() bool { return !s.cfg.Once || !s.taken.Swap(true) }

// hasOnly reports whether takeOnly would let nobody in now.
func (s *Server) hasOnly() bool { return s.cfg.Once && s.taken.Load() }

// giveBack undoes takeOnly for a connection that came to nothing.
func (s *Server) giveBack() { s.taken.Store(false) }

// sessionBegan and sessionEnded serve Config.Once.
func (s *Server) sessionBegan() {
	if s.cfg.Once {
		s.stopListening()
	}
}

func (s *Server) sessionEnded(status int) {
	if s.cfg.Once {
		s.finished <- status
	}
}
