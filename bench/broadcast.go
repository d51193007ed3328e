package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

func broadcastRow() row {
	return row{
		name: "broadcast", work: "broadcast of `seq 1 1000000` to 1 000 clients: messages delivered", rounds: 5, quickRounds: 3,
		figures: []figure{
			{name: "messages/s", bar: target{value: 30_000_000}},
			{name: "memory, second half / first half", less: true, bar: target{value: 1.1}},
		},
		measure: inTurn(func(b *bench) []program { return []program{b.wspipe} }, func(b *bench, p program) (values []float64, err error) {
			clients, lines := b.amount(1000), b.amount(1_000_000)
			if b.quick {
				lines /= 3
			}
			// What a client sends comes back to all of them, until one sends "go".
			script := fmt.Sprintf(`while read -r line; do [ "$line" != go ] || exec seq 1 %d; echo "$line"; done`, lines)
			err = b.serve(p, []string{"--share=broadcast", "--slow=block"}, []string{"sh", "-c", script}, func(s server) error {
				values, err = s.broadcast(clients, lines)
				return err
			})
			return values, err
		}),
	}
}

// broadcast measures how many lines a second all clients receive together, and the
// server's memory in the second half of the time as a multiple of that in the first half.
func (s server) broadcast(clients, lines int) (values []float64, err error) {
	var mu sync.Mutex
	var all []*client
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	err = concurrently(32, clients, func() error {
		c, err := dial(s.address, 32<<10)
		if err != nil {
			return err
		}
		mu.Lock()
		all = append(all, c)
		name := fmt.Sprintf("client %d", len(all))
		mu.Unlock()
		return c.awaitOwn(name)
	})
	if err != nil {
		return nil, err
	}
	start := time.Now()
	received := make(chan error, clients)
	for _, c := range all {
		go func() { received <- c.receiveNumbers(lines) }() // ends with the connection
	}
	if _, err := all[0].Write(appendFrame(nil, opText, []byte("go"))); err != nil {
		return nil, err
	}
	memory, err := s.memoryUntil(clients, received)
	if err != nil {
		return nil, err
	}
	took := time.Since(start).Seconds()
	half := len(memory) / 2
	growth := median(memory[half:]) / median(memory[:half+1])
	return []float64{float64(clients) * float64(lines) / took, growth}, nil
}

// awaitOwn sends a message and reads until it comes back: then the client is attached to
// the child.
func (c *client) awaitOwn(message string) error {
	if _, err := c.Write(appendFrame(nil, opText, []byte(message))); err != nil {
		return err
	}
	for {
		if front, _, err := c.next(); err != nil || string(front) == message {
			return err
		}
	}
}

// receiveNumbers reads to the end: what other clients have sent, and then the numbers from
// 1 to n.
func (c *client) receiveNumbers(n int) error {
	count, last := 0, []byte(nil)
	for {
		front, _, err := c.next()
		if end, ok := errors.AsType[closed](err); ok && end == "1000 exit 0" {
			if count != n || string(last) != strconv.Itoa(n) {
				return fmt.Errorf("received %d lines, the last %q, want %d", count, last, n)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(front, []byte("client")) {
			count++
			last = append(last[:0], front...)
		}
	}
}

// memoryUntil waits for n results and returns how much memory the server has had
// meanwhile, in bytes, at equal intervals.
func (s server) memoryUntil(n int, results <-chan error) (memory []float64, err error) {
	interval := time.NewTicker(20 * pollInterval)
	defer interval.Stop()
	for {
		u, err := usageOf(s.pid)
		if err != nil {
			return nil, err
		}
		memory = append(memory, float64(u.memory))
		for waiting := true; waiting; {
			select {
			case err := <-results:
				if err != nil {
					return nil, err
				}
				if n--; n == 0 {
					return memory, nil
				}
			case <-interval.C:
				waiting = false
			}
		}
	}
}
