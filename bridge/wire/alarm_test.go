package wire

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"wspipe/cmd/wspipetest"
)

func TestAlarmRingsUntilItIsToldNotTo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var rings []time.Duration
		a := StartAlarm(time.Second, func() time.Duration {
			rings = append(rings, time.Since(start))
			return []time.Duration{2 * time.Second, 3 * time.Second, 0}[len(rings)-1]
		})
		<-time.After(time.Hour)
		a.Stop()
		if want := []time.Duration{time.Second, 3 * time.Second, 6 * time.Second}; !slices.Equal(rings, want) {
			t.Errorf("rang at %v, want %v", rings, want)
		}
	})
}

func TestAlarmIsSilentOnceStopReturns(t *testing.T) {
	t.Parallel()
	rang := make(chan bool, 1)
	rings := 0 // without a lock: stop is to wait for whoever counts
	a := StartAlarm(time.Millisecond, func() time.Duration {
		if rings++; rings == 1 {
			rang <- true
		}
		return time.Nanosecond
	})
	wspipetest.Wait(t, "the alarm", rang)
	a.Stop()
	rings = 0
	a.timer.Reset(0) // as if it had gone off just before
	b := StartAlarm(time.Hour, func() time.Duration { t.Error("rang after stop"); return 0 })
	b.Stop()
	b.timer.Reset(0)
}
