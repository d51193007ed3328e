//go:build linux

package bridge

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkRoundTrip is a message that goes to a child and back alone. Client, session and child
// share one processor. Otherwise most of the time is the wake-up of a processor, which varies
// from run to run.
func BenchmarkRoundTrip(b *testing.B) {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		b.Fatal(err)
	}
	for cpu := range len(one) * strconv.IntSize {
		if all.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	pin(b, &one)
	defer pin(b, &all)
	benchmarkPath(b, "64", roundTripPath)
}

// pin restricts our threads, and processes that they start, to the processors of set.
func pin(b *testing.B, set *unix.CPUSet) {
	b.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		b.Fatal(err)
	}
	for _, thread := range threads {
		tid, err := strconv.Atoi(thread.Name())
		if err != nil {
			b.Fatal(err)
		}
		if err := unix.SchedSetaffinity(tid, set); err != nil && err != unix.ESRCH {
			b.Fatal(err)
		}
	}
}
