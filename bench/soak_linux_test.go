package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestSoak: some seconds of it go without an error, come down to what was before, and
// are drawn.
func TestSoak(t *testing.T) {
	t.Parallel()
	b := benchOf(t, 0.01)
	build(t, b.temp, "wspipe/bench/profiled")
	b.profiled = filepath.Join(b.temp, "profiled")
	figures, err := runSoak(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", figures)
	if n := valueOf(t, figures, "errors"); n != 0 {
		t.Errorf("%v errors", n)
	}
	if n := valueOf(t, figures, "connections"); n < 45 {
		t.Errorf("%v connections", n)
	}
	for _, server := range []string{"a child for each: ", "a child for all: "} {
		for name, most := range map[string]float64{"memory, early": 500, "memory, at the end": 500, "goroutines, before": 20, "open files, before": 20} {
			if v := valueOf(t, figures, server+name); v < 1 || v > most {
				t.Errorf("%s%s: %v", server, name, v)
			}
		}
		for _, name := range []string{"goroutines", "open files"} {
			before, after := valueOf(t, figures, server+name+", before"), valueOf(t, figures, server+name+", after")
			if after > before+once {
				t.Errorf("%s%s: %v before, %v after", server, name, before, after)
			}
		}
	}
	picture, err := os.ReadFile(filepath.Join(b.dir, soakPlot))
	if err != nil || bytes.Count(picture, []byte("<polyline")) != 6 {
		t.Errorf("%v\n%s", err, picture)
	}
}

// TestEveryVisit: each kind does what it should at a server that works, and finds
// that one does not.
func TestEveryVisit(t *testing.T) {
	t.Parallel()
	b := benchOf(t, 1)
	resumes := slices.Repeat([]visit{{1, visitor.resume}}, 10) // some come back, some do not
	for i, err := range doAll(t, b, slices.Concat(ownVisits, resumes), []string{"--resume=2s"}, "sh", "-c", soakScript, b.load) {
		if err != nil {
			t.Errorf("visit %d: %v", i, err)
		}
	}
	for i, err := range doAll(t, b, sharedVisits, []string{"--share=broadcast"}, b.load, "print", "-rate=1000", "-lines=1000000") {
		if err != nil {
			t.Errorf("visit %d of a shared child: %v", i, err)
		}
	}
	for i, err := range doAll(t, b, ownVisits, nil, "sh", "-c", "echo 3; echo 1") {
		if lenient := i == 2 || i == 3; err == nil && !lenient { // who breaks off expects nothing
			t.Errorf("visit %d of a child that does nothing right is no error", i)
		}
	}
	numbers := []visit{{1, visitor.flood}, {1, visitor.view}}
	for i, err := range doAll(t, b, numbers, nil, "sh", "-c", "seq 1 5; seq 7 1000001") {
		if err == nil {
			t.Errorf("visit %d does not see that a number is missing", i)
		}
	}
}

// doAll does visits of a server at once, and returns what each finds wrong.
func doAll(t *testing.T, b *bench, visits []visit, flags []string, command ...string) []error {
	t.Helper()
	errs := make([]error, len(visits))
	_, err := b.serve(b.wspipe, flags, command, func(s *server) ([]figure, error) {
		at := &sampled{server: s}
		var all sync.WaitGroup
		for i, visit := range visits {
			all.Go(func() { errs[i] = visit.do(visitorAt(at, uint64(i))) }) // ends by itself
		}
		all.Wait()
		return nil, nil
	})
	if err != nil {
		t.Error(err)
	}
	return errs
}

// visitorAt is a client of both kinds, which is in no hurry for a second.
func visitorAt(s *sampled, seed uint64) visitor {
	over := make(chan struct{})
	time.AfterFunc(time.Second, func() { close(over) })
	return visitor{&soak{own: s, shared: s, over: over}, rand.New(rand.NewPCG(seed, 0))}
}

// TestSoakFindsALeak: what stays open is found.
func TestSoakFindsALeak(t *testing.T) {
	t.Parallel()
	b := benchOf(t, 1)
	profiles, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer profiles.Close()
	total := make(chan string)
	go func() { // ends when profiles is closed
		for {
			conn, err := profiles.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			conn.Read(make([]byte, 1000))
			conn.Write([]byte("HTTP/1.0 200 OK\r\n\r\ngoroutine profile: total " + <-total + "\n"))
			conn.Close()
		}
	}()
	_, err = b.serve(b.wspipe, nil, []string{"cat"}, func(s *server) ([]figure, error) {
		at := &sampled{server: s, profiles: profiles.Addr().String()}
		go func() { total <- "10" }() // ends when it is asked for
		if err := at.begin(); err != nil {
			t.Error(err)
		}
		for goroutines, idle := range map[string]bool{"15": true, "16": false, "x": false} {
			go func() { total <- goroutines }()
			if got := at.isIdle(); got != idle {
				t.Errorf("%s goroutines after 10: %t", goroutines, got)
			}
		}
		conns, err := idling{}.open(b, s, 2)                // one may be as many files as are made once
		seen := until("connections are seen", func() bool { // their children may yet have to start
			go func() { total <- "10" }()
			return !at.isIdle()
		})
		watch(conns).close()
		return nil, errors.Join(err, seen)
	})
	if err != nil {
		t.Error(err)
	}
}

// TestProfiledNeedsAnAddress: without one, or with one that is taken, it says so.
func TestProfiledNeedsAnAddress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build(t, dir, "wspipe/bench/profiled")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, want := range map[string]string{"": "WSPIPE_PPROF is not set", taken.Addr().String(): "in use"} {
		cmd := exec.Command(filepath.Join(dir, "profiled"), "cat")
		cmd.Env = append(os.Environ(), "WSPIPE_PPROF="+address)
		if out, err := cmd.CombinedOutput(); err == nil || !bytes.Contains(out, []byte(want)) {
			t.Errorf("%q: %v %s", address, err, out)
		}
	}
}
