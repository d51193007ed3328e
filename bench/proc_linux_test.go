package main

import (
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// processorTime is what getrusage(2) says that we have taken.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// TestUsageOfOurselves: what the kernel tells grows by what we take.
func TestUsageOfOurselves(t *testing.T) {
	before, used := usageNow(t, os.Getpid()), processorTime(t)
	if before.threads < 2 || before.rss < 1<<20 || before.rss > 1<<32 {
		t.Errorf("%+v", before)
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	memory := make([]byte, 64<<20)
	for processorTime(t)-used < 100*time.Millisecond {
		for i := range memory {
			memory[i]++
		}
	}
	after := usageNow(t, os.Getpid())
	runtime.KeepAlive(memory)
	if d, told := after.processor()-before.processor(), processorTime(t)-used; (d - told).Abs() > 50*time.Millisecond {
		t.Errorf("%v of work took %v", told, d)
	}
	if grown := after.rss - before.rss; grown < 60<<20 || grown > 600<<20 {
		t.Errorf("64 MiB more are %d bytes", grown)
	}
	if after.descriptors != before.descriptors+1 {
		t.Errorf("%d descriptors, and with one more %d", before.descriptors, after.descriptors)
	}
}

func TestUsageOfNobody(t *testing.T) {
	t.Parallel()
	if u, err := usageOf(1 << 30); err == nil {
		t.Errorf("no error, but %+v", u)
	}
	if n, err := mayOpen(1 << 30); err == nil {
		t.Errorf("no error, but %d files", n)
	}
}

func TestTimesIn(t *testing.T) {
	t.Parallel()
	const stat = "1234 (a (b) 1 2) S 1 1234 1234 0 -1 4194560 1041 0 0 0 123 45 6 7 20 0 1 0 100 2000 300 18446744073709551615"
	if user, system := timesIn(stat); user != 1230*time.Millisecond || system != 450*time.Millisecond {
		t.Errorf("%v and %v", user, system)
	}
	for _, stat := range []string{"", "1 (x) S 1 2"} {
		if user, system := timesIn(stat); user != 0 || system != 0 {
			t.Errorf("%q: %v and %v", stat, user, system)
		}
	}
}

func usageNow(t *testing.T, pid int) usage {
	t.Helper()
	u, err := usageOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
