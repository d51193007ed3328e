//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"

	"wspipe/bench/client"
)

func fanoutWorkload() workload {
	return workload{
		name: "broadcast",
		what: "`--share=broadcast --slow=block`: a `seq` that floods 10, 100 and 1 000 clients, 100 000 000 messages delivered in all each time.",
		contenders: []contender{{"wspipe", func(b *bench) (all []figure, err error) {
			for _, clients := range []int{10, 100, 1000} {
				figures, err := flooded(b, clients, b.n(100_000_000))
				if err != nil {
					return nil, err
				}
				all = append(all, figures...)
			}
			return all, nil
		}}},
		bars: []bar{{figure: "delivered, clients: 1000", contender: "wspipe", atLeast: 1e6}},
	}
}

func pacedFanoutWorkload() workload {
	return workload{
		name: "broadcast-paced",
		what: "`--share=broadcast`: 500 lines a second of 300 bytes to 1 000 clients, for 10 s: how long each takes from the child to each client.",
		contenders: []contender{{"wspipe", func(b *bench) ([]figure, error) {
			return paced(b, 1000, b.n(5000))
		}}},
	}
}

// flooded has a child print numbers as fast as it can, so many that clients get
// messages in all.
func flooded(b *bench, clients, messages int) ([]figure, error) {
	lines := max(1, messages/clients)
	command := []string{"sh", "-c", fmt.Sprintf("read go; exec seq 1 %d", lines)}
	return b.serve(b.wspipe, []string{"--share=broadcast", "--slow=block"}, command, func(s *server) ([]figure, error) {
		h, err := b.hear(s, clients, lines)
		of := func(name string) string { return fmt.Sprintf("%s, clients: %d", name, clients) }
		return []figure{
			{name: of("delivered"), unit: "messages/s", value: float64(h.Readers.Messages) / h.took},
			{of("server's CPU time"), "s/million delivered", h.perMillion(), true},
			{of("memory at the end"), "MB", h.rss, true},
			{of("its growth in the second half"), "MB", h.growth, true},
		}, err
	})
}

// paced has a child print lines steadily.
func paced(b *bench, clients, lines int) ([]figure, error) {
	command := []string{b.load, "print", "-wait", "-rate=500", "-width=300", fmt.Sprintf("-lines=%d", lines)}
	return b.serve(b.wspipe, []string{"--share=broadcast"}, command, func(s *server) ([]figure, error) {
		h, err := b.hear(s, clients, lines-1) // it counts from 0
		return []figure{
			{"delay, p50", "ms", h.Delay.P50, true},
			{"delay, p99", "ms", h.Delay.P99, true},
			{"delay, longest", "ms", h.Delay.Max, true},
			{"server's CPU time", "s/million delivered", h.perMillion(), true},
		}, err
	})
}

// hearing is what the clients of a shared child tell, and what it took.
type hearing struct {
	Readers struct {
		Messages, Missing, Wrong int
		Last                     struct{ Min, Max int }
		Ends                     map[string]int
	}
	Delay struct{ P50, P99, Max float64 } `json:"delay_ms"`

	took, cpu   float64 // in seconds
	rss, growth float64 // in MB
}

// perMillion is the processor's time for a million messages, in seconds. A run for
// a test may take none that the kernel counts.
func (h hearing) perMillion() float64 {
	return max(h.cpu, tick.Seconds()) / float64(h.Readers.Messages) * 1e6
}

// hear has the load client be the clients of a child that waits for a line, and
// then prints numbers up to last. Each client must get them all.
func (b *bench) hear(s *server, clients, last int) (h hearing, err error) {
	var out, complaints bytes.Buffer
	load := exec.CommandContext(b.ctx, b.load, "read", "-clients", strconv.Itoa(clients), s.url)
	load.Stdout, load.Stderr = &out, &complaints
	before, err := usageOf(s.pid)
	if err == nil {
		err = load.Start()
	}
	if err != nil {
		return h, err
	}
	ended := make(chan error, 1)
	go func() { ended <- load.Wait() }() // ends with the clients; killed below if they do not
	defer load.Process.Kill()            // fails if it has ended
	if err := admitted(s.pid, before.descriptors+clients); err != nil {
		return h, err
	}
	h.took, h.cpu, err = measure(s, func() error {
		if err := begin(b, s); err != nil {
			return err
		}
		h.rss, h.growth, err = memoryUntil(s.pid, ended)
		return err
	})
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &h)
	}
	if err != nil {
		return h, fmt.Errorf("load client: %w %s", err, complaints.Bytes())
	}
	if r := h.Readers; r.Last.Min != last || r.Last.Max != last || r.Missing+r.Wrong > 0 || r.Ends["1000 exit 0"] != clients {
		return h, fmt.Errorf("%d clients got %+v, want all to number %d", clients, r, last)
	}
	return h, nil
}

// admitted waits until a server has so many files open, and has nothing to do any
// more: then all its clients are there. One that the kernel has accepted, but the
// server not yet, misses the beginning, and is counted with what it got.
func admitted(pid, files int) error {
	var last usage
	since := time.Now()
	return until("all clients are there", func() bool {
		now, err := usageOf(pid)
		if now.processor() != last.processor() {
			last, since = now, time.Now()
		}
		return err != nil || now.descriptors >= files && time.Since(since) > quietTime
	})
}

// quietTime is how long a server must have taken no processor time, which the
// kernel counts in ticks, to have nothing to do.
const quietTime = 20 * tick

// begin is a client that gives the child its line, and goes.
func begin(b *bench, s *server) error {
	c, err := client.Open(s.url, client.Options{Deadline: b.deadline()})
	if err != nil {
		return err
	}
	_, err = c.Write(client.AppendMessage(nil, false, []byte("go")))
	return errors.Join(err, c.Close())
}

// memoryUntil watches a process's memory until something has ended. It returns what
// it was last, and how much more than at half the time, in MB.
func memoryUntil(pid int, ended <-chan error) (last, growth float64, err error) {
	var all []float64
	for {
		u, err := usageOf(pid)
		if err != nil {
			return 0, 0, err
		}
		all = append(all, float64(u.rss)/1e6)
		select {
		case err := <-ended:
			last = all[len(all)-1]
			return last, last - all[len(all)/2], err
		case <-time.After(sampleTime):
		}
	}
}
