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
	Child
	out    *io.PipeReader
	print  *io.PipeWriter
	exited chan struct{}
	since  time.Time
}

func (s *still) Pid() int                   { return 1 }
func (s *still) Stdin() io.WriteCloser      { _, w := io.Pipe(); return w }
func (s *still) Stdout() io.Reader          { return s.out }
func (s *still) Stderr() io.Reader          { return io.MultiReader() }
func (s *still) Exit() (code int, _ string) { <-s.exited; return 0, "" }

func (s *still) Stop() {
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

// visitIn attaches a client that disconnects after d without a close frame.
func (s *still) visitIn(t *testing.T, r *resumable, d time.Duration) Summary {
	t.Helper()
	near, far := net.Pipe()
	conn := wire.NewConn(near, nil)
	go io.Copy(io.Discard, far) // ends when far is closed
	a, err := r.Attach(NewWebSocket(accept(t, conn, link{}), conn, false), ClientOptions{After: -1})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(d, func() { far.Close() })
	return a.Run()
}

// TestTimesOfSessions: a session ends a grace period of a minute after the last client has disconnected, or after
// the child's exit. MaxRuntime counts from the start.
func TestTimesOfSessions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		maxRuntime time.Duration
		visits     []time.Duration
		pause      time.Duration // between visits
		exit       time.Duration // zero means never
		ends       time.Duration
		before     resumeState // just before that
	}{
		"no client":                        {0, nil, 0, 0, time.Minute, detached},
		"one client":                       {0, []time.Duration{time.Hour}, 0, 0, time.Hour + time.Minute, detached},
		"after the last visit":             {0, []time.Duration{time.Second, time.Second, time.Second}, time.Minute - 1, 0, 3*(time.Second+time.Minute) - 2, detached},
		"exit while detached":              {0, []time.Duration{time.Second}, 0, 51 * time.Second, 111 * time.Second, kept},
		"exit, close frame is not replied": {0, []time.Duration{time.Hour}, 0, time.Second, time.Second + 5*time.Second + time.Minute, kept},
		"max runtime":                      {100 * time.Second, []time.Duration{50 * time.Second, time.Hour}, 0, 0, 100 * time.Second, attached},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				child := &still{exited: make(chan struct{}), since: time.Now()}
				child.out, child.print = io.Pipe()
				before, took := make(chan resumeState, 1), make(chan time.Duration, 1)
				b := New(child, Options{Kind: Resumable, Buffer: 1 << 20, Grace: time.Minute, MaxRuntime: test.maxRuntime,
					Ended: func() { took <- time.Since(child.since) }})
				r := b.kind.(*resumable)
				go b.Run() // ends with the session
				if test.exit > 0 {
					time.AfterFunc(test.exit, child.exit)
				}
				time.AfterFunc(test.ends-1, func() { before <- r.stateNow() })
				for i, d := range test.visits {
					if i > 0 {
						<-time.After(test.pause)
					}
					child.visitIn(t, r, d)
				}
				if d := <-took; d.Round(time.Microsecond) != test.ends.Round(time.Microsecond) {
					t.Errorf("it ended after %v, want %v", d, test.ends)
				}
				if s := <-before; s != test.before {
					t.Errorf("just before: %s, want %s", stateNames[s], stateNames[test.before])
				}
				synctest.Wait()
			})
		})
	}
}
