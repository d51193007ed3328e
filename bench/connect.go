package main

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// connecting is how many clients connect at a time.
const connecting = 8

func connectRow() row {
	return row{
		name: "connect", work: "connect, read one line, close (`echo hi`), 8 at a time", rounds: 5, quickRounds: 3,
		figures: []figure{
			{name: "connections/s", bar: target{value: 1, of: "websocketd"}, aim: target{value: 0.9, of: "bare server"}},
			{name: "ms of CPU/connection", less: true, bar: target{value: 1, of: "websocketd"}},
		},
		measure: inTurn(func(b *bench) []program { return append(both(b), b.bare) }, func(b *bench, p program) (values []float64, err error) {
			n := b.amount(10_000)
			if b.quick {
				n /= 3
			}
			err = b.serve(p, nil, []string{"echo", "hi"}, func(s server) error {
				took, cpu, err := s.timed(func() error { return concurrently(connecting, n, s.greeting) })
				values = []float64{float64(n) / took, 1000 * cpu / float64(n)}
				return err
			})
			return values, err
		}),
	}
}

// greeting is one client of `echo hi`.
func (s server) greeting() error {
	c, err := dial(s.address, smallBuffer)
	if err != nil {
		return err
	}
	defer c.Close()
	messages, _, last, err := c.drain()
	if err == nil && (messages != 1 || last != "hi") {
		err = fmt.Errorf("received %d messages, the last %q", messages, last)
	}
	return err
}

// concurrently calls do n times, so many calls at a time. It returns the first error.
func concurrently(atOnce, n int, do func() error) error {
	var left atomic.Int64
	left.Store(int64(n))
	errs := make(chan error, atOnce)
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() { // ends when no call is left, or with an error
			for left.Add(-1) >= 0 {
				if err := do(); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}
