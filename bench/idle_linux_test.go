package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
)

// benchOf is a benchmark of the binaries at hand that does little.
func benchOf(t *testing.T, scale float64) *bench {
	t.Helper()
	return &bench{
		ctx:    t.Context(),
		wspipe: wspipetest.PlainBinary(t),
		load:   wspipetest.LoadBinary(t),
		dir:    t.TempDir(),
		temp:   t.TempDir(),
		scale:  scale,
		rounds: 1,
	}
}

// valueOf returns the value of the figure of that name.
func valueOf(t *testing.T, figures []figure, name string) float64 {
	t.Helper()
	i := slices.IndexFunc(figures, func(f figure) bool { return f.name == name })
	if i < 0 {
		t.Fatalf("no %q in %+v", name, figures)
	}
	return figures[i].value
}

// TestIdle: a connection's memory is found, some KB, of each contender.
func TestIdle(t *testing.T) {
	t.Parallel()
	for _, c := range idleWorkload().contenders {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := benchOf(t, 0.02)
			if c.name == "websocketd" {
				b.websocketd = wspipetest.Need(t, "websocketd")
			}
			figures, err := c.run(b)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v", figures)
			if kb := valueOf(t, figures, memoryEach(200)); kb < 3 || kb > 80 {
				t.Errorf("a connection takes %v KB", kb)
			}
			if s := valueOf(t, figures, "time to open, connections: 200"); s <= 0 || s > 30 {
				t.Errorf("it took %v s", s)
			}
			if len(figures) != 6 {
				t.Errorf("%d figures", len(figures))
			}
		})
	}
}

// TestIdleNeedsLasting: connections that end are no idle ones.
func TestIdleNeedsLasting(t *testing.T) {
	t.Parallel()
	b := benchOf(t, 1)
	for want, flags := range map[string][]string{"ended": {"--max-runtime=900ms"}, "429": {"--maxforks=3"}} {
		_, err := b.serve(b.wspipe, flags, []string{"cat"}, func(s *server) ([]figure, error) {
			return idling{}.measure(b, s, 10)
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", flags, err, want)
		}
	}
}

// TestIdleTakesWhatItMay: where the limit of open files is low, there are as many
// connections as it allows.
func TestIdleTakesWhatItMay(t *testing.T) {
	t.Parallel()
	b := benchOf(t, 1)
	limited := filepath.Join(b.temp, "limited")
	script := fmt.Sprintf("#!/bin/sh\nulimit -n %d && exec %s \"$@\"\n", spareFiles+50*filesEach, b.wspipe)
	if err := os.WriteFile(limited, []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	figures, err := b.serve(limited, nil, []string{"cat"}, func(s *server) ([]figure, error) {
		return idling{}.measure(b, s, 10_000)
	})
	if err != nil {
		t.Fatal(err)
	}
	valueOf(t, figures, memoryEach(50))
}

// TestMemorySettles: what grows is waited for.
func TestMemorySettles(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(wspipetest.Need(t, "awk"), "BEGIN { while (i < 2000000) a[i++]; getline }")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	got, err := (&bench{scale: 0.5}).settledMemory(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if want := usageNow(t, cmd.Process.Pid).rss; got < want || want < 50<<20 {
		t.Errorf("%d bytes, want %d", got, want)
	}
}
