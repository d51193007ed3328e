//go:build unix

package bridge

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"wspipe/bridge/wire"
)

// still is a child for a synctest bubble, where a kernel's pipe would stop the clock.
type still struct {
	told
	out    *io.PipeReader
	print  *io.PipeWriter
	exited chan struct{}
	stop   chan time.Duration // time of the call of Stop
	since  time.Time
}

func newStill() *still {
	s := &still{told: make(told, 10), exited: make(chan struct{}), stop: make(chan time.Duration, 1), since: time.Now()}
	s.out, s.print = io.Pipe()
	return s
}

func (s *still) Pid() int              { return 1 }
func (s *still) Stdin() io.WriteCloser { return nowhere{} }
func (s *still) Stdout() io.Reader     { return s.out }
func (s *still) Stderr() io.Reader     { return eof{} }

func (s *still) Exit() (code int, signal string) {
	<-s.exited
	return 0, ""
}

func (s *still) Stop() {
	s.stop <- time.Since(s.since)
	select {
	case <-s.exited:
	default:
		s.exit()
	}
}

func (s *still) exit() {
	close(s.exited)
	s.print.Close()
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) Close() error                { return nil }

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// bubble runs f with a session of a still child, with a grace period of a minute.
func bubble(t *testing.T, opt Options, f func(t *testing.T, r *resumable, child *still)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		child := newStill()
		opt.Kind, opt.Buffer, opt.Grace = Resumable, 1<<20, time.Minute
		r := New(child, opt).kind.(*resumable)
		ended := make(chan bool)
		go func() { // ends with the session
			r.Run()
			close(ended)
		}()
		f(t, r, child)
		r.Shutdown()
		<-ended
	})
}

// visitIn attaches a client that disconnects after d without a close frame.
func visitIn(t *testing.T, r *resumable, d time.Duration) Summary {
	t.Helper()
	near, far := net.Pipe()
	conn := wire.NewConn(near, nil)
	go io.Copy(io.Discard, far) // ends when far is closed
	ws := accept(t, conn, link{})
	a, err := r.Attach(NewWebSocket(ws, conn, false), ClientOptions{After: -1})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(d, func() { far.Close() })
	return a.Run()
}

func (s *still) expectStop(t *testing.T, want time.Duration) {
	t.Helper()
	if at := <-s.stop; at.Round(time.Microsecond) != want.Round(time.Microsecond) {
		t.Errorf("the child is stopped after %v, want %v", at, want)
	}
}

func TestSessionExpires(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, r *resumable, child *still) {
		visitIn(t, r, time.Hour)
		child.expectStop(t, time.Hour+time.Minute)
	})
}

func TestSessionExpiresAfterTheLastVisit(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, r *resumable, child *still) {
		for range 5 {
			visitIn(t, r, time.Second)
			<-time.After(time.Minute - 1)
		}
		if s := r.stateNow(); s != detached {
			t.Errorf("just before: %s", stateNames[s])
		}
		child.expectStop(t, 5*(time.Second+time.Minute)-4)
	})
}

func TestSessionWithoutAClientExpires(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, r *resumable, child *still) {
		child.expectStop(t, time.Minute)
	})
}

// The grace period begins again with the child's exit.
func TestKeptSessionExpires(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, r *resumable, child *still) {
		visitIn(t, r, time.Second)
		<-time.After(50 * time.Second)
		child.exit()
		<-time.After(time.Minute - 1)
		if s := r.stateNow(); s != kept {
			t.Errorf("just before: %s", stateNames[s])
		}
		<-time.After(1)
		synctest.Wait()
		if s := r.stateNow(); s != ended {
			t.Errorf("then: %s", stateNames[s])
		}
	})
}

// A client that does not reply to the close frame may not have received the exit.
func TestSessionIsKeptWithoutAReply(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, r *resumable, child *still) {
		time.AfterFunc(time.Second, child.exit)
		if sum := visitIn(t, r, time.Hour); sum.Reason != "exit 0" {
			t.Errorf("summary %+v", sum)
		}
		if s := r.stateNow(); s != kept {
			t.Errorf("%s", stateNames[s])
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if s := r.stateNow(); s != ended {
			t.Errorf("a minute later: %s", stateNames[s])
		}
	})
}

func TestMaxRuntimeLimitsTheChild(t *testing.T) {
	bubble(t, Options{MaxRuntime: 100 * time.Second}, func(t *testing.T, r *resumable, child *still) {
		visitIn(t, r, 50*time.Second)
		if sum := visitIn(t, r, time.Hour); sum.End != endRuntime {
			t.Errorf("summary %+v", sum)
		}
		child.expectStop(t, 100*time.Second)
	})
}
