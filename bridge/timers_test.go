//go:build unix

package bridge

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAlarmRingsUntilItIsToldNotTo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var rings []time.Duration
		a := startAlarm(time.Second, func() time.Duration {
			rings = append(rings, time.Since(start))
			return []time.Duration{2 * time.Second, 3 * time.Second, 0}[len(rings)-1]
		})
		<-time.After(time.Hour)
		a.stop()
		if want := []time.Duration{time.Second, 3 * time.Second, 6 * time.Second}; !slices.Equal(rings, want) {
			t.Errorf("rang at %v, want %v", rings, want)
		}
	})
}

func TestAlarmIsSilentOnceStopReturns(t *testing.T) {
	t.Parallel()
	rang := make(chan bool, 1)
	rings := 0 // without a lock: stop is to wait for whoever counts
	a := startAlarm(time.Millisecond, func() time.Duration {
		if rings++; rings == 1 {
			rang <- true
		}
		return time.Nanosecond
	})
	wait(t, "the alarm", rang)
	a.stop()
	rings = 0
	a.timer.Reset(0) // as if it had gone off just before
	b := startAlarm(time.Hour, func() time.Duration { t.Error("rang after stop"); return 0 })
	b.stop()
	b.timer.Reset(0)
}

func TestIdleIsNoMessageEitherWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Client{opt: &Options{IdleTimeout: 10 * time.Second}}
		for _, touched := range []*traffic{&s.in.total, &s.outlet.total} {
			s.in.total.touch()
			s.outlet.total.touch()
			<-time.After(6 * time.Second)
			if next := s.checkIdle(); next != 4*time.Second {
				t.Errorf("after 6s: look again in %v", next)
			}
			touched.touch()
			<-time.After(7 * time.Second)
			if next := s.checkIdle(); next != 3*time.Second {
				t.Errorf("7s after a message: look again in %v", next)
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
