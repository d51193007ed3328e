package server

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
)

// The ballast delays collections, except with GOMEMLIMIT.
func TestBallast(t *testing.T) {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		t.Skipf("GOMEMLIMIT is %d", limit)
	}
	ballast()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.NextGC < 2*ballastSize {
		t.Errorf("the next collection is at %d bytes, want at least %d", m.NextGC, 2*ballastSize)
	}
}
