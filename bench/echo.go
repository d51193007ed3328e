//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"wspipe/bench/client"
)

// echoTime is how long clients send and wait for their answers, at each number of
// them.
const echoTime = 4 * time.Second

// echoPoints are the numbers of clients, and how often all of them together send,
// in messages a second; 0: each at once when it has its answer. 64 that did so would
// only show how much goes through, since then a message waits for 63 others.
var echoPoints = []struct{ clients, rate int }{{1, 0}, {8, 0}, {64, 4000}}

// echoFlood is what another client of the same server gets meanwhile.
type echoFlood struct {
	name, what string
	command    string // its child, where $0 is load; empty: there is no such client
}

func echoWorkloads() []workload {
	const (
		what = "`cat` sends 64 bytes back: the round trip of 1 client and of 8, each of which sends again at once, and of 64, which send 4 000 messages a second in all, evenly spread"
		rate = 20_000
	)
	return []workload{
		echoWorkload(echoFlood{name: "echo", what: what + "."}),
		echoWorkload(echoFlood{"echo-flood", what + ". Meanwhile another client of the same server reads `seq` as fast as it comes. Mind how much comes: wspipe does many times the work beside.",
			"seq 1 1000000000"}),
		echoWorkload(echoFlood{"echo-paced", what + fmt.Sprintf(". Meanwhile another client of the same server gets %s lines a second of 100 bytes: the same work beside for both.", number(rate)),
			fmt.Sprintf(`"$0" print -lines 1000000000 -rate %d`, rate)}),
	}
}

func echoWorkload(flood echoFlood) workload {
	w := workload{name: flood.name, what: flood.what}
	w.contenders = pair(func(b *bench, path string) ([]figure, error) {
		if flood.command == "" {
			return b.serve(path, nil, []string{"cat"}, func(s *server) ([]figure, error) { return echoAll(b, s) })
		}
		script := fmt.Sprintf(`if [ "$QUERY_STRING" = flood ]; then exec %s; else exec cat; fi`, flood.command)
		return b.serve(path, nil, []string{"sh", "-c", script, b.load}, func(s *server) ([]figure, error) { return besideFlood(b, s) })
	})
	for _, at := range echoPoints {
		for _, q := range quantiles {
			w.bars = append(w.bars, bar{figure: q.at(at.clients), contender: "wspipe", of: "websocketd", atMost: 1})
		}
	}
	return w
}

// quantile is a part of all round trips.
type quantile struct {
	name string
	part float64
}

var quantiles = []quantile{{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}}

// at is the figure's name.
func (q quantile) at(clients int) string { return fmt.Sprintf("%s, clients: %d", q.name, clients) }

// echoAll measures all points.
func echoAll(b *bench, s *server) (figures []figure, err error) {
	for _, at := range echoPoints {
		delays, err := echo(b, s, at.clients, at.rate)
		if err != nil {
			return nil, err
		}
		for _, q := range quantiles {
			microseconds := float64(delays.Quantile(q.part)) / float64(time.Microsecond)
			figures = append(figures, figure{q.at(at.clients), "µs", microseconds, true})
		}
	}
	return figures, nil
}

// besideFlood is echoAll while a client in a process of its own, which has no
// part in ours, reads a flood.
func besideFlood(b *bench, s *server) ([]figure, error) {
	const warmUp = 300 * time.Millisecond
	var out bytes.Buffer
	reader := exec.CommandContext(b.ctx, b.load, "read", "-for", limit.String(), s.url+"?flood")
	reader.Stdout = &out
	if err := reader.Start(); err != nil {
		return nil, err
	}
	time.Sleep(warmUp) // until the flood is under way
	figures, err := echoAll(b, s)
	reader.Process.Signal(os.Interrupt)
	if err := errors.Join(err, reader.Wait()); err != nil {
		return nil, err
	}
	var res struct {
		Rate    float64
		Readers struct{ Ends map[string]int }
	}
	if err := json.Unmarshal(out.Bytes(), &res); err != nil {
		return nil, err
	}
	if res.Readers.Ends["time is up"] != 1 || res.Rate == 0 {
		return nil, fmt.Errorf("the flood was none, or ended before: %+v", res)
	}
	return append(figures, figure{"flood beside", "lines/s", res.Rate, false}), nil
}

// echo has clients send and wait for the answers, and returns all delays. They
// send rate messages a second together; with 0 as fast as they can.
func echo(b *bench, s *server, clients, rate int) (*client.Delays, error) {
	var delays client.Delays
	conns := make([]*client.Conn, clients)
	for i := range conns {
		c, err := client.Open(s.url, client.Options{Deadline: b.deadline()})
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if err := newTrip().make(c); err != nil { // its child is there now
			return nil, err
		}
		conns[i] = c
	}
	errs := make(chan error, clients)
	for i, c := range conns {
		p := pace{start: time.Now(), length: b.length(echoTime)}
		if rate > 0 {
			p.start = p.start.Add(time.Second * time.Duration(i) / time.Duration(rate))
			p.step = time.Second * time.Duration(clients) / time.Duration(rate)
		}
		go func() { errs <- p.roundTrips(c, &delays) }() // ends when its time is over
	}
	var err error
	for range conns {
		err = errors.Join(err, <-errs)
	}
	return &delays, err
}

// pace says when a client sends.
type pace struct {
	start        time.Time
	length, step time.Duration // step is from one message to the next; 0: at once
}

// roundTrips sends messages, at least one, each after the other has come back. One
// whose turn came while the answer was late has waited since then.
func (p pace) roundTrips(c *client.Conn, delays *client.Delays) error {
	t := newTrip()
	end := p.start.Add(p.length)
	for n := 0; ; n++ {
		due, sent := p.start.Add(time.Duration(n)*p.step), time.Now()
		if wait := due.Sub(sent); p.step > 0 && wait > 0 {
			time.Sleep(wait)
			sent = time.Now()
		} else if p.step > 0 {
			sent = due
		}
		if n > 0 && sent.After(end) {
			return nil
		}
		if err := t.make(c); err != nil {
			return err
		}
		delays.Add(c.ReadAt.Sub(sent))
	}
}

// trip is a message that comes back.
type trip struct{ payload, message []byte }

func newTrip() trip {
	payload := bytes.Repeat([]byte("x"), 64)
	return trip{payload, client.AppendMessage(nil, false, payload)}
}

func (t trip) make(c *client.Conn) error {
	if _, err := c.Write(t.message); err != nil {
		return err
	}
	front, _, err := c.Next()
	if err == nil && !bytes.Equal(front, t.payload) {
		err = fmt.Errorf("got %q back", front)
	}
	return err
}
