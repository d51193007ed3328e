//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// soakTime is how long there is load.
	soakTime = 10 * time.Minute
	// soakPlot is the picture of it, beside the report.
	soakPlot = "soak.svg"
	// ownVisitors and sharedVisitors are how many clients there are at a time of
	// each server.
	ownVisitors, sharedVisitors = 30, 15
)

func soakWorkload() workload {
	return workload{
		name: "soak",
		what: "Ten minutes of clients that come and go: they echo, flood, break off, stop reading, give up in the handshake, lose their session and come back. " +
			"One server has a child for each of them, 30 at a time, another one for all, 15 at a time. Nothing of it may stay.",
		rounds:     1,
		contenders: []contender{{"wspipe", runSoak}},
		plot:       soakPlot,
	}
}

// soak is a run of mixed load.
type soak struct {
	own, shared *sampled        // with a child for each client, with one for all
	over        <-chan struct{} // closed when the load ends
	connections atomic.Int64

	mu     sync.Mutex
	faults []error // of visits
}

func runSoak(b *bench) ([]figure, error) {
	k := &soak{}
	own := []string{"sh", "-c", soakScript, b.load}
	shared := []string{b.load, "print", "-rate=500", "-lines=100000000", "-width=1000"}
	return b.serveProfiled("a child for each", []string{"--resume=2s"}, own, func(s *sampled) ([]figure, error) {
		k.own = s
		return b.serveProfiled("a child for all", []string{"--share=broadcast", "--replay=50"}, shared, func(s *sampled) ([]figure, error) {
			k.shared = s
			return k.run(b)
		})
	})
}

// serveProfiled is serve for a wspipe that tells how many goroutines it has.
func (b *bench) serveProfiled(name string, flags, command []string, use func(*sampled) ([]figure, error)) ([]figure, error) {
	profiles, err := freeAddress()
	if err != nil {
		return nil, err
	}
	os.Setenv("WSPIPE_PPROF", profiles) // the server has it from us
	return b.serve(b.profiled, flags, command, func(s *server) ([]figure, error) {
		return use(&sampled{server: s, name: name, profiles: profiles})
	})
}

// run measures the servers without load, under load, and without again. They must
// come down to what they were.
func (k *soak) run(b *bench) ([]figure, error) {
	servers := []*sampled{k.own, k.shared}
	if err := errors.Join(k.own.begin(), k.shared.begin()); err != nil {
		return nil, err
	}
	began := time.Now()
	stop := make(chan struct{})
	var sampling sync.WaitGroup
	for _, s := range servers {
		sampling.Go(func() { // ends when stop is closed
			for wait := time.Tick(max(sampleTime, b.length(time.Second))); ; {
				select {
				case <-stop:
					return
				case <-wait:
					k.note(s.take(time.Since(began)))
				}
			}
		})
	}
	time.Sleep(b.length(soakTime / 100)) // to be seen on the plot
	loadBegan := time.Since(began)
	k.load(b)
	loadEnded := time.Since(began)
	var left error
	for _, s := range servers {
		left = errors.Join(left, s.awaitIdle())
	}
	time.Sleep(b.length(soakTime / 100))
	close(stop)
	sampling.Wait()
	for _, s := range servers {
		left = errors.Join(left, s.take(time.Since(began)))
	}
	figures := k.figures(loadBegan, loadEnded)
	return figures, errors.Join(left, k.plot(filepath.Join(b.dir, soakPlot), loadBegan, loadEnded), b.ctx.Err())
}

// load lets clients come and go.
func (k *soak) load(b *bench) {
	ctx, cancel := context.WithTimeout(b.ctx, b.length(soakTime))
	defer cancel()
	k.over = ctx.Done()
	var all sync.WaitGroup
	defer all.Wait()
	start := func(n int, visits []visit) {
		for i := range n {
			v := visitor{k, rand.New(rand.NewPCG(uint64(n), uint64(i)))} // the same each time
			all.Go(func() { v.roam(visits) })                            // ends with its last visit
		}
	}
	start(ownVisitors, ownVisits)
	start(sharedVisitors, sharedVisits)
}

// note counts what went wrong, if anything did.
func (k *soak) note(err error) {
	if err == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.faults) < 10 {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
	k.faults = append(k.faults, err)
}

// figures tells what the load was, and what it has left behind. Memory is that
// of the second tenth of the load and of the last.
func (k *soak) figures(began, ended time.Duration) []figure {
	all := []figure{
		{name: "connections", value: float64(k.connections.Load())},
		{name: "errors", value: float64(len(k.faults)), less: true},
	}
	tenth := (ended - began) / 10
	for _, s := range []*sampled{k.own, k.shared} {
		add := func(name, unit string, value float64) {
			all = append(all, figure{s.name + ": " + name, unit, value, true})
		}
		add("memory, early", "MB", median(s.memoryIn(began+tenth, began+2*tenth)))
		add("memory, at the end", "MB", median(s.memoryIn(ended-tenth, ended)))
		last := s.samples[len(s.samples)-1]
		add("goroutines, before", "", goroutinesOf(s.first))
		add("goroutines, after", "", goroutinesOf(last))
		add("open files, before", "", openFilesOf(s.first))
		add("open files, after", "", openFilesOf(last))
		add("threads, after", "", float64(last.threads))
	}
	return all
}

// plot draws the samples.
func (k *soak) plot(file string, began, ended time.Duration) error {
	c := chart{shaded: [2]float64{began.Seconds(), ended.Seconds()}, shade: "under load"}
	for _, p := range []struct {
		title string
		value func(sample) float64
	}{{"memory, MB", memoryOf}, {"goroutines", goroutinesOf}, {"open files", openFilesOf}} {
		next := panel{title: p.title}
		for _, s := range []*sampled{k.own, k.shared} {
			next.lines = append(next.lines, line{s.name, s.all(secondsOf), s.all(p.value)})
		}
		c.panels = append(c.panels, next)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(c.svg(out), out.Close())
}
