//go:build unix

package bridge

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestCheckIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Client{opt: &Options{IdleTimeout: 10 * time.Second}}
		for _, touched := range []*trafficCounter{&s.input.total, &s.sequencer.total} {
			s.input.total.touch()
			s.sequencer.total.touch()
			<-time.After(6 * time.Second)
			if next := s.checkIdle(); next != 4*time.Second {
				t.Errorf("after 6s: check again in %v", next)
			}
			touched.touch()
			<-time.After(7 * time.Second)
			if next := s.checkIdle(); next != 3*time.Second {
				t.Errorf("7s after a message: check again in %v", next)
			}
		}
	})
}

// TestPingsAreNoMessages: they do not postpone the idle timeout.
func TestPingsAreNoMessages(t *testing.T) {
	t.Parallel()
	s := start(t, link{}, newPuppet(t), Options{IdleTimeout: 300 * time.Millisecond, PingInterval: 50 * time.Millisecond})
	s.pongs = true
	s.expectClose(4002, "idle timeout")
}
