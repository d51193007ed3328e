//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"sync"

	"wspipe/bench/client"
)

func manyWorkload() workload {
	return workload{
		name: "many",
		what: "100 clients at once, each with a child of its own that prints 1 000 lines a second of 100 bytes, for 10 s: how long each line takes from the child to its client.",
		contenders: pair(func(b *bench, path string) ([]figure, error) {
			lines := b.n(10_000)
			return b.serve(path, nil, []string{b.load, "print", "-lines", strconv.Itoa(lines), "-rate", "1000"}, func(s *server) ([]figure, error) {
				return manyClients(b, s, 100, lines)
			})
		}),
	}
}

// manyClients is the load client with so many clients, each of which gets so many
// lines.
func manyClients(b *bench, s *server, clients, lines int) ([]figure, error) {
	var res struct {
		Readers struct{ Messages, Missing, Wrong int }
		Delay   struct{ P50, P99, Max float64 } `json:"delay_ms"`
	}
	_, cpu, err := measure(s, func() error {
		out, err := exec.CommandContext(b.ctx, b.load, "read", "-clients", strconv.Itoa(clients), s.url).Output()
		return errors.Join(err, json.Unmarshal(out, &res))
	})
	if r := res.Readers; err == nil && (r.Messages != clients*lines || r.Missing+r.Wrong > 0) {
		err = fmt.Errorf("%d clients got %+v, want %d lines each", clients, r, lines)
	}
	return []figure{
		{"delay, p50", "ms", res.Delay.P50, true},
		{"delay, p99", "ms", res.Delay.P99, true},
		{"delay, longest", "ms", res.Delay.Max, true},
		{"server's CPU time", "s/million lines", cpu / float64(clients*lines) * 1e6, true},
	}, err
}

func coresWorkload() workload {
	return workload{
		name: "cores",
		what: "1, 10, 50 and 200 clients at once, each with a `seq` of its own: as many lines in all each time, 20 000 000 through wspipe, 1 000 000 through websocketd.",
		contenders: []contender{
			{"wspipe", func(b *bench) ([]figure, error) { return cores(b, b.wspipe, b.n(20_000_000)) }},
			{"websocketd", func(b *bench) ([]figure, error) { return cores(b, b.websocketd, b.n(1_000_000)) }},
		},
	}
}

// cores measures what a processor does for so many lines with more and more
// clients.
func cores(b *bench, path string, lines int) (all []figure, err error) {
	counts := []int{1, 10, 50, 200}
	perCore := make([]float64, len(counts))
	for i, clients := range counts {
		each := max(1, lines/clients)
		figures, err := b.serve(path, nil, []string{"seq", "1", strconv.Itoa(each)}, func(s *server) ([]figure, error) {
			took, cpu, err := measure(s, func() error { return countAll(b, s, clients, each) })
			// A run for a test may take no time that the kernel counts.
			perCore[i] = float64(clients*each) / max(cpu, tick.Seconds())
			return []figure{
				{name: fmt.Sprintf("lines, clients: %d", clients), unit: "lines/s", value: float64(clients*each) / took},
				{name: fmt.Sprintf("lines for a second of the server's CPU time, clients: %d", clients), unit: "lines", value: perCore[i]},
			}, err
		})
		if err != nil {
			return nil, err
		}
		all = append(all, figures...)
	}
	return append(all, figure{name: "lines for a second of the server's CPU time, 200 clients to 1", unit: "x", value: perCore[len(counts)-1] / perCore[0]}), nil
}

// countAll has clients read n lines each.
func countAll(b *bench, s *server, clients, n int) error {
	errs := make(chan error, clients)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() { // ends with the connection, at its deadline at the latest
			c, err := client.Open(s.url, client.Options{Deadline: b.deadline()})
			if err != nil {
				errs <- err
				return
			}
			defer c.Close()
			messages, _, _, err := toTheEnd(c)
			if err == nil && messages != n {
				err = fmt.Errorf("%d messages, want %d", messages, n)
			}
			if err != nil {
				errs <- err
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}
