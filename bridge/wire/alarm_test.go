package wire

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"wspipe/cmd/wspipetest"
)

func TestAlarmRepeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var calls []time.Duration
		a := StartAlarm(time.Second, func() time.Duration {
			calls = append(calls, time.Since(start))
			return []time.Duration{2 * time.Second, 3 * time.Second, 0}[len(calls)-1]
		})
		<-time.After(time.Hour)
		a.Stop()
		if want := []time.Duration{time.Second, 3 * time.Second, 6 * time.Second}; !slices.Equal(calls, want) {
			t.Errorf("f was called at %v, want %v", calls, want)
		}
	})
}

func TestAlarmStop(t *testing.T) {
	t.Parallel()
	called := make(chan bool, 1)
	calls := 0 // without a lock: Stop must wait for the function
	a := StartAlarm(time.Millisecond, func() time.Duration {
		if calls++; calls == 1 {
			called <- true
		}
		return time.Nanosecond
	})
	wspipetest.Wait(t, "the alarm", called)
	a.Stop()
	calls = 0
	a.timer.Reset(0) // as if the timer had fired just before Stop
	b := StartAlarm(time.Hour, func() time.Duration { t.Error("called after Stop"); return 0 })
	b.Stop()
	b.timer.Reset(0)
}
