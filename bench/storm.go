//go:build linux

package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"wspipe/bench/client"
)

// steadily is how many connections a storm has at a time when it is steady.
const steadily = 8

func stormWorkload() workload {
	w := workload{
		name: "storm",
		what: "Clients connect, read the one line of `echo hi`, and see the connection end: 8 at a time, 10 000 in all. " +
			"Beside it what the machine can do bare: a small program starts as many `echo hi`, 8 at a time, with output to /dev/null, and waits for each. " +
			"The bare server does that for clients, and no more: it accepts a connection, reads the request without a look at it, sends a fixed answer, the line as a message and a close frame.",
		contenders: pair(func(b *bench, path string) ([]figure, error) {
			return b.serve(path, nil, []string{"echo", "hi"}, func(s *server) ([]figure, error) {
				return steadyStorm(b, s, b.n(10_000))
			})
		}),
		bars: []bar{{figure: "connections", contender: "wspipe", of: "fork+exec", atLeast: 0.8}},
	}
	w.contenders = append(w.contenders, contender{"bare server", func(b *bench) (figures []figure, err error) {
		n := b.n(10_000)
		err = b.bareServer("greet", func(address string) error {
			start := time.Now()
			err := clients(b, &server{url: "ws://" + address + "/"}, steadily, n)
			figures = []figure{{name: "connections", unit: "1/s", value: float64(n) / time.Since(start).Seconds()}}
			return err
		})
		return figures, err
	}}, contender{"fork+exec", func(b *bench) ([]figure, error) {
		rate, err := forks(b, steadily, b.n(10_000))
		return []figure{{name: "connections", unit: "1/s", value: rate}}, err
	}})
	return w
}

func storm2000Workload() workload {
	return workload{
		name: "storm2000",
		what: "The same, but 2 000 clients connect at once at first. How long until each has its line and its end, and what the server does right after, 8 at a time; a log line for each comes and goes.",
		contenders: []contender{
			{"wspipe", func(b *bench) ([]figure, error) { return storm2000(b, b.wspipe, "--maxforks=0") }},
			{"websocketd", func(b *bench) ([]figure, error) { return storm2000(b, b.websocketd) }},
		},
	}
}

// steadyStorm has n clients, a few at a time.
func steadyStorm(b *bench, s *server, n int) ([]figure, error) {
	took, cpu, err := measure(s, func() error { return clients(b, s, steadily, n) })
	return []figure{
		{name: "connections", unit: "1/s", value: float64(n) / took},
		{name: "server's CPU time", unit: "ms/connection", value: cpu / float64(n) * 1000, less: true},
	}, err
}

func storm2000(b *bench, path string, flags ...string) ([]figure, error) {
	flags = append([]string{"--loglevel=access"}, flags...)
	return b.serve(path, flags, []string{"echo", "hi"}, func(s *server) ([]figure, error) {
		n := b.n(2000)
		took, cpu, err := measure(s, func() error { return clients(b, s, n, n) })
		if err != nil {
			return nil, err
		}
		after, err := usageOf(s.pid)
		if err != nil {
			return nil, err
		}
		figures, err := steadyStorm(b, s, b.n(5000))
		if err != nil {
			return nil, err
		}
		end, err := usageOf(s.pid)
		return append([]figure{
			{"2 000 at once: until all have had their line", "s", took, true},
			{"2 000 at once: server's CPU time", "s", cpu, true},
			{"2 000 at once: server's memory afterwards", "MB", float64(after.rss) / 1e6, true},
			{"server's memory at the end", "MB", float64(end.rss) / 1e6, true},
		}, figures...), err
	})
}

// clients lets n clients come, so many at a time.
func clients(b *bench, s *server, atOnce, n int) error {
	var left atomic.Int64
	left.Store(int64(n))
	errs := make(chan error, atOnce)
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() { // ends when nobody is left to come
			for left.Add(-1) >= 0 {
				if err := greeted(b, s); err != nil {
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

// greeted is one client of echo hi.
func greeted(b *bench, s *server) error {
	c, err := client.Open(s.url, client.Options{Deadline: b.deadline(), Buffer: 512})
	if err != nil {
		return err
	}
	defer c.Close()
	messages, _, last, err := toTheEnd(c)
	if err == nil && (messages != 1 || last != "hi") {
		err = fmt.Errorf("%d messages, the last %q", messages, last)
	}
	return err
}

// forks returns how many children a second a small program starts and waits for,
// so many at a time.
func forks(b *bench, workers, n int) (rate float64, err error) {
	start := time.Now()
	out, err := exec.CommandContext(b.ctx, b.bare, "fork", strconv.Itoa(workers), strconv.Itoa(n)).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("bare fork: %w %s", err, out)
	}
	return float64(n) / time.Since(start).Seconds(), nil
}
