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

func TestTimersEndTheSession(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opt  Options
		want End
	}{
		"runtime":          {Options{MaxRuntime: time.Millisecond}, endRuntime},
		"idle":             {Options{IdleTimeout: time.Millisecond}, endIdle},
		"pings are idle":   {Options{IdleTimeout: 3 * time.Second, PingInterval: 500 * time.Millisecond}, endIdle},
		"runtime and idle": {Options{IdleTimeout: time.Hour, MaxRuntime: 20 * time.Millisecond}, endRuntime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, newPuppet(t), test.opt)
			s.answers = true
			s.expectClose(int(test.want.Code), test.want.Reason)
			if sum := s.summary(); sum.End != test.want {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}
