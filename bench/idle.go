package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

func idleRow() row {
	return row{
		name: "idle", work: "server memory per idle connection, 1 000 of them", rounds: 3, quickRounds: 1,
		figures: []figure{{name: "KB", less: true, bar: target{value: 18}, aim: target{value: 12}}},
		measure: inTurn(both, func(b *bench, p program) (kilobytes []float64, err error) {
			var flags []string
			if p.name == b.wspipe.name {
				flags = []string{"--maxforks=0"}
			}
			err = b.serve(p, flags, []string{"cat"}, func(s server) error {
				each, err := b.memoryOfEach(s, b.amount(1000))
				kilobytes = []float64{each / 1024}
				return err
			})
			return kilobytes, err
		}),
	}
}

// memoryOfEach returns how many bytes of memory the server has for each of n idle
// connections. What it needs once, it has after the first few.
func (b *bench) memoryOfEach(s server, n int) (each float64, err error) {
	if err := s.hold(min(n, 10), func() error { return nil }); err != nil {
		return 0, err
	}
	before, err := b.settledMemory(s.pid)
	if err != nil {
		return 0, err
	}
	var after int
	err = s.hold(n, func() (err error) {
		after, err = b.settledMemory(s.pid)
		return err
	})
	return float64(after-before) / float64(n), err
}

// hold opens n connections, calls meanwhile when all of them have their children, and
// closes them. It is an error if one ends before.
func (s server) hold(n int, meanwhile func() error) error {
	var held connections
	err := concurrently(32, n, func() error { return held.open(s) })
	if err == nil {
		err = until("every connection has its child", func() bool { return len(children(s.pid)) >= n || held.ended.Load() > 0 })
	}
	if err == nil && held.ended.Load() == 0 {
		err = meanwhile()
	}
	if ended := held.ended.Load(); err == nil && ended > 0 {
		err = fmt.Errorf("%d of %d idle connections have ended", ended, n)
	}
	held.close()
	return errors.Join(err, until("all children have ended", func() bool { return len(children(s.pid)) == 0 }))
}

// connections are idle ones, which answer pings.
type connections struct {
	mu      sync.Mutex
	clients []*client
	reading sync.WaitGroup
	ended   atomic.Int64
}

func (h *connections) open(s server) error {
	c, err := dial(s.address, smallBuffer)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients = append(h.clients, c)
	h.reading.Go(func() { // ends with the connection, which close closes
		c.drain()
		h.ended.Add(1)
	})
	return nil
}

func (h *connections) close() {
	for _, c := range h.clients {
		c.Close()
	}
	h.reading.Wait()
}

// settledMemory returns the memory of a process once it has stayed the same for a while,
// within 1 % or 128 KiB: Go returns what it does not need in the background, and wspipe
// collects the garbage of handshakes when it has been quiet for some seconds.
func (b *bench) settledMemory(pid int) (int, error) {
	var settled int
	var since time.Time
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * pollInterval) {
		u, err := usageOf(pid)
		if err != nil {
			return 0, err
		}
		if difference := max(u.memory-settled, settled-u.memory); difference > max(settled/100, 128<<10) {
			settled, since = u.memory, time.Now()
		}
		if time.Since(since) > b.settle {
			return u.memory, nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("memory does not settle: it is %d bytes now", u.memory)
		}
	}
}
