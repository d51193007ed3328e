//go:build unix

package server_test

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/listen"
)

// failingListener is a listener whose first calls of Accept fail, each with another error.
type failingListener struct {
	net.Listener
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
	}
	return l.Listener.Accept()
}

func (l *failingListener) Addr() net.Addr {
	if l.Listener == nil {
		return &net.UnixAddr{Name: "here"}
	}
	return l.Listener.Addr()
}

func (l *failingListener) Close() error {
	if l.Listener == nil {
		return nil
	}
	return l.Listener.Close()
}

// acceptErrors returns errors of accept(2) and of net. None of them ends a listener.
func acceptErrors() []error {
	return []error{
		errors.New("something else"), syscall.ENOBUFS, syscall.ENETDOWN, syscall.EPROTO, syscall.EPERM, syscall.ENOMEM, syscall.EMFILE, syscall.EINVAL,
		syscall.ENOSPC, // of epoll_ctl(2)
	}
}

// failAtFirst makes every listener of a server fail with each of acceptErrors.
func failAtFirst(s *server.Server) {
	s.WrapListeners(func(l net.Listener) net.Listener { return &failingListener{l, acceptErrors()} })
}

// TestAcceptErrorsEndNoServer: with any kind of listener.
func TestAcceptErrorsEndNoServer(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	cert, key := ca.issue(t, t.TempDir(), "server", "127.0.0.1")
	path := filepath.Join(shortDir(t), "s")
	_, port, _ := net.SplitHostPort(freePort(t))
	for name, test := range map[string]struct {
		cfg     server.Config
		options *websocket.DialOptions
	}{
		"tcp":      {server.Config{}, nil},
		"tls":      {server.Config{Sockets: listen.Sockets{TLS: &listen.TLS{Cert: cert, Key: key}}}, over(t, ca.client(t))},
		"unix":     {server.Config{Sockets: listen.Sockets{Addresses: []string{}, UnixSocket: path}}, throughUnix(t, path)},
		"redirect": {server.Config{Sockets: listen.Sockets{RedirectPort: atoi(t, port)}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.cfg.Endpoint.Child = sh(`exec cat`)
			s := serve(t, test.cfg, failAtFirst)
			url := s.ws
			if name == "unix" {
				url = "ws://localhost/"
			}
			c := wspipetest.Dial(t, url, test.options)
			c.Send("hello")
			c.Expect("hello")
			if name == "redirect" {
				if resp, _ := askAt(t, "127.0.0.1:"+port, "GET / HTTP/1.1\nHost: localhost\n\n"); resp.StatusCode != http.StatusMovedPermanently {
					t.Errorf("got %s", resp.Status)
				}
			}
			s.log.Await(t, "cannot accept a connection", 1)
		})
	}
}

// TestAcceptErrorsAreLoggedOnceASecond: and Accept is retried at least once a second until the
// listener is closed.
func TestAcceptErrorsAreLoggedOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &wspipetest.Log{}
		failing := &failingListener{errs: slices.Repeat([]error{syscall.ENOBUFS}, 1000)}
		l := listen.Retry(failing, slog.New(slog.NewTextHandler(log, nil)))
		ended := make(chan error)
		go func() { // ends when l is closed
			_, err := l.Accept()
			ended <- err
		}()
		<-time.After(60 * time.Second)
		l.Close()
		if err := <-ended; err != net.ErrClosed {
			t.Errorf("Accept: %v", err)
		}
		logged, tries := strings.Count(log.String(), `msg="cannot accept a connection" address=here error="no buffer space available"`), 1000-len(failing.errs)
		if logged < 55 || logged > 60 || tries < 60 || tries > 70 {
			t.Errorf("tried %d times, logged %d times:\n%s", tries, logged, log)
		}
	})
}
