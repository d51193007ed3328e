package main

import (
	"bytes"
	"fmt"
	"time"
)

func echoRow() row {
	return row{
		name: "echo", work: "echo of 64 bytes through `cat`, one client, 4 000 round trips: median", rounds: 16, quickRounds: 16,
		figures: []figure{{name: "µs", less: true, bar: target{value: 1, of: "websocketd"}, aim: target{value: 0.8, of: "websocketd"}}},
		measure: func(b *bench, rounds int) (samples, error) {
			all := make(samples)
			cat := []string{"cat"}
			err := b.serve(b.wspipe, nil, cat, func(wspipe server) error {
				return b.serve(b.websocketd, nil, cat, func(websocketd server) error {
					return b.echo(all, rounds, wspipe, websocketd)
				})
			})
			return all, err
		},
	}
}

// echo measures both servers, which run all the time. Each round has new connections and
// children, because much depends on the processors that the kernel chooses for them, and
// each server is the first one in every other round.
func (b *bench) echo(all samples, rounds int, wspipe, websocketd server) error {
	for round := range rounds {
		turns := []func() error{
			func() error { return b.echoRound(all, round, b.wspipe, wspipe) },
			func() error { return b.echoRound(all, round, b.websocketd, websocketd) },
		}
		for i := range turns {
			if err := turns[(round+i)%2](); err != nil {
				return err
			}
		}
	}
	return nil
}

// echoRound adds the median of a server's round trips in one round.
func (b *bench) echoRound(all samples, round int, p program, s server) error {
	c, err := dial(s.address, smallBuffer)
	if err != nil {
		return err
	}
	defer c.Close()
	payload := bytes.Repeat([]byte("x"), 64)
	message := appendFrame(nil, opText, payload)
	delays := make([]float64, 1+b.amount(4000))
	for i := range delays {
		sent := time.Now()
		if _, err := c.Write(message); err != nil {
			return err
		}
		front, _, err := c.next()
		if err == nil && !bytes.Equal(front, payload) {
			err = fmt.Errorf("received %q", front)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		delays[i] = float64(time.Since(sent)) / float64(time.Microsecond)
	}
	all.add(p.name, round, median(delays[1:])) // the child starts during the first one
	return nil
}
