// Package server serves HTTP and WebSocket requests: routes, admission, the environment of
// children, and shutdown.
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
	// keepAlive is how long an HTTP connection may be without a request.
	keepAlive = time.Minute
	// maxHeader is the longest request header, in bytes. It becomes part of the child's
	// environment, whose size is limited (execve(2)).
	maxHeader = 64 << 10
)

// Server serves programs to WebSocket clients. Listen returns one.
type Server struct {
	cfg       Config
	log       *slog.Logger
	listeners *listen.Listeners
	policy    *access.Policy
	slots     *slots
	tracker   *tracker
	children  *children
	lost      lostSessions
	traces    traceStreams
	registry  *registry    // nil without Config.AdminSocket
	admin     net.Listener // nil without
	lookups   *net.Resolver

	dir   *programDir // of Config.Dir, or nil
	cgi   *programDir // of Config.CGIDir, or nil
	files *staticDir  // of Config.StaticDir, or nil

	routeTable atomic.Pointer[routeTable]

	busy          busyConns
	stopListening func()

	// For Config.Once:
	taken    atomic.Bool // the connection has been admitted
	finished chan int    // receives its exit status
}

// Listen returns a Server that listens on the sockets of cfg. The caller must call Serve, which
// closes them.
func Listen(cfg Config) (*Server, error) {
	s := &Server{
		cfg:      cfg,
		log:      cfg.Log,
		slots:    newSlots(cfg.MaxChildren, cfg.MaxPerIP),
		finished: make(chan int, 1),
		// Lookups of the C library's resolver cannot be cancelled.
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
	if err = s.checkExposure(cfg.Routes); err == nil {
		err = s.openAdmin()
	}
	if err != nil {
		s.stopListening()
		return nil, err
	}
	s.tracker = newTracker(s.cfg.ExitWhenIdle)
	return s, nil
}

// openDirs checks the directories of the configuration.
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
	if s.cfg.RecordDir != "" && err == nil {
		s.cfg.RecordDir, err = checkDir(s.cfg.RecordDir)
	}
	if s.cfg.StaticDir != "" && err == nil {
		if s.files, err = openStaticDir(s.cfg.StaticDir, programs...); err == nil {
			s.files.hidden = s.hiddenFiles
			if s.cfg.RecordDir != "" {
				s.files.recordings = &programDir{path: s.cfg.RecordDir}
			}
		}
	}
	return err
}

// URLs returns the WebSocket URL of each listener, see listen.Listeners.URLs.
func (s *Server) URLs() []string { return s.listeners.URLs() }

// Serve serves until ctx is done, or until Config.Once or Config.ExitWhenIdle ends it. Then it
// closes every WebSocket with 1001, stops all children and waits for them. Other responses have
// Timeouts.Shutdown to finish. It returns the exit status for the process: with Config.Once that of the child
// (128+n for a signal), otherwise 0 after a clean stop and 1 with an error.
func (s *Server) Serve(ctx context.Context) (status int, err error) {
	ballast()
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
	stopAdmin := s.serveAdmin()
	s.notify(daemon.SdNotifyReady)
	status, err = s.wait(ctx, failed)
	s.notify(daemon.SdNotifyStopping)
	s.stopListening()
	s.tracker.shutdown(s.cfg.Timeouts.Shutdown, s.busy.close)
	for _, hs := range servers {
		hs.Close() // the remaining connections have no request
	}
	serving.Wait()
	stopAdmin() // last, because an operator may check what the shutdown waits for
	return status, err
}

func (s *Server) newHTTPServer(h http.Handler) *http.Server {
	hs := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: s.cfg.Timeouts.Header, // and as long for a TLS handshake
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          newErrorLog(s.log),
		Protocols:         new(http.Protocols),
		ConnContext:       s.withConn,
		// Our handler must also admit OPTIONS *.
		DisableGeneralOptionsHandler: true,
	}
	hs.Protocols.SetHTTP1(true) // a WebSocket over HTTP/2 would be RFC 8441
	return hs
}

// wait waits until the server must stop, and reloads on request.
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
			if !s.cfg.Once { // with Once, we have closed the listeners
				return 1, err
			}
		}
	}
}

// takeOnce reports whether another connection is admitted. With Config.Once it returns true only
// once, unless releaseOnce is called.
func (s *Server) takeOnce() bool { return !s.cfg.Once || !s.taken.Swap(true) }

// onceTaken reports whether takeOnce would return false.
func (s *Server) onceTaken() bool { return s.cfg.Once && s.taken.Load() }

// releaseOnce undoes takeOnce for a connection that failed.
func (s *Server) releaseOnce() { s.taken.Store(false) }

// sessionBegan stops listening with Config.Once.
func (s *Server) sessionBegan() {
	if s.cfg.Once {
		s.stopListening()
	}
}

// sessionEnded ends Serve with Config.Once.
func (s *Server) sessionEnded(status int) {
	if s.cfg.Once {
		s.finished <- status
	}
}
