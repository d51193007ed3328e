//go:build linux

package main

import (
	"fmt"
	"io"
	"math"
	"net"
	"time"
)

// sampled is a server that is looked at again and again.
type sampled struct {
	*server
	name     string
	profiles string // the address that bench/profiled has for them
	first    sample
	samples  []sample // that one and others
}

// sample is what a server takes at a moment.
type sample struct {
	at time.Duration // since the first
	usage
	goroutines int
}

// look returns what s takes now.
func (s *sampled) look() (now sample, err error) {
	if now.usage, err = usageOf(s.pid); err != nil {
		return now, err
	}
	now.goroutines, err = goroutinesAt(s.profiles)
	return now, err
}

// begin takes the first sample.
func (s *sampled) begin() (err error) {
	s.first, err = s.look()
	s.samples = append(s.samples, s.first)
	return err
}

// take adds what s takes now.
func (s *sampled) take(at time.Duration) error {
	now, err := s.look()
	if err != nil {
		return err
	}
	now.at = at
	s.samples = append(s.samples, now)
	return nil
}

// once is how many goroutines and files are made once, when they are needed, at
// most: wspipe starts children on 4 threads of their own, each with a goroutine,
// and has one that waits for their ends.
const once = 5

// isIdle reports whether s has no more goroutines and open files than at first, but
// for what is made once.
func (s *sampled) isIdle() bool {
	now, err := s.look()
	return err == nil && now.goroutines <= s.first.goroutines+once && now.descriptors <= s.first.descriptors+once
}

// awaitIdle waits until s is idle.
func (s *sampled) awaitIdle() error {
	err := until(s.name+" is as before", s.isIdle)
	if now, lookErr := s.look(); err != nil && lookErr == nil {
		err = fmt.Errorf("%w: %d goroutines and %d files, %d and %d at first", err, now.goroutines, now.descriptors, s.first.goroutines, s.first.descriptors)
	}
	return err
}

// all returns a value of all samples.
func (s *sampled) all(value func(sample) float64) (all []float64) {
	return s.between(0, math.MaxInt64, value)
}

// memoryIn returns the memory between two times. A soak for a test may be so short that
// there is no sample then: it is that of all.
func (s *sampled) memoryIn(from, to time.Duration) []float64 {
	if some := s.between(from, to, memoryOf); len(some) > 0 {
		return some
	}
	return s.all(memoryOf)
}

// between returns a value of all samples between two times.
func (s *sampled) between(from, to time.Duration, value func(sample) float64) (all []float64) {
	for _, one := range s.samples {
		if one.at >= from && one.at <= to {
			all = append(all, value(one))
		}
	}
	return all
}

// What a sample has, for between.
func secondsOf(s sample) float64    { return s.at.Seconds() }
func memoryOf(s sample) float64     { return float64(s.rss) / 1e6 }
func openFilesOf(s sample) float64  { return float64(s.descriptors) }
func goroutinesOf(s sample) float64 { return float64(s.goroutines) }

// goroutinesAt asks a program with net/http/pprof at address how many goroutines it has.
func goroutinesAt(address string) (n int, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(conn, "GET /debug/pprof/goroutine?debug=1 HTTP/1.0\r\n\r\n") // if it fails, so does what follows
	answer, err := io.ReadAll(conn)
	if err != nil {
		return 0, err
	}
	if n = firstNumber(string(answer), "goroutine profile: total "); n == 0 {
		return 0, fmt.Errorf("goroutines at %s: %.100q", address, answer)
	}
	return n, nil
}
