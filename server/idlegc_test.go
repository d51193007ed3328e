package server

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// TestIdleGC: garbage is collected after many changes and an idle time. It is not parallel because
// collections concern the whole process.
func TestIdleGC(t *testing.T) {
	collections := func() uint32 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NumForcedGC
	}
	synctest.Test(t, func(t *testing.T) {
		var tidy idleGC
		pass := func(changes int, d time.Duration) {
			for range changes {
				tidy.changed()
			}
			time.Sleep(d)
			synctest.Wait()
		}
		expect := func(what string, want uint32) {
			t.Helper()
			if got := collections(); got != want {
				t.Errorf("%s: %d collections, want %d", what, got, want)
			}
		}
		before := collections()
		pass(idleGCThreshold-1, time.Hour)
		expect("little to do", before)
		for range 20 {
			pass(10, idleGCDelay/2)
		}
		expect("busy", before)
		pass(0, 2*idleGCDelay)
		expect("quiet", before+1)
		pass(idleGCThreshold-1, time.Hour)
		expect("little to do again", before+1)
		pass(1, 2*idleGCDelay)
		expect("quiet again", before+2)
	})
}
