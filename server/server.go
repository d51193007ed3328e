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
	listeners []net.Listener
	origins   *originRule
	slots     *slots
	sessions  *sessions

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
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.origins, err = newOriginRule(cfg.Origins, cfg.Hosts); err != nil {
		return nil, err
	}
	if s.listeners, err = listen(cfg); err != nil {
		return nil, err
	}
	s.stopListening = sync.OnceFunc(func() { closeAll(s.listeners) })
	return s, nil
}

// URLs returns the WebSocket address of each listener, such as ws://127.0.0.1:8080/.
func (s *Server) URLs() []string {
	var urls []string
	for _, l := range s.listeners {
		urls = append(urls, "ws://"+l.Addr().String()+"/")
	}
	return urls
}

// Serve serves until ctx is done, or until Config.Once or
// Config.ExitWhenIdle ends it, then closes every session with 1001, stops all
// children and waits for them. It returns the exit status for the process:
// with Config.Once the child's (128+n for a signal), else 0 after a clean stop.
func (s *Server) Serve(ctx context.Context) (status int, err error) {
	s.sessions = newSessions(s.cfg.ExitWhenIdle)
	hs := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, len(s.listeners))
	var serving sync.WaitGroup
	for _, l := range s.listeners {
		serving.Go(func() { failed <- hs.Serve(l) }) // ends when l is closed
	}
	status, err = s.wait(ctx, failed)
	s.stopListening()
	s.sessions.shutdown(closePatience)
	hs.Close() // what is left are idle keep-alive connections
	serving.Wait()
	return status, err
}

// wait waits for a reason to stop.
func (s *Server) wait(ctx context.Context, failed <-chan error) (status int, err error) {
	for {
		select {
		case <-ctx.Done():
			s.log.Info("stopping", "cause", context.Cause(ctx))
			return 0, nil
		case <-s.sessions.idle:
			s.log.Info("stopping", "cause", "no client for "+s.cfg.ExitWhenIdle.String())
			return 0, nil
		case status := <-s.finished:
			return status, nil
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
