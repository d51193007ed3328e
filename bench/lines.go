package main

import (
	"fmt"
	"strconv"
	"strings"
)

// lineBuffer is for reading as many short messages as the kernel has at a time, in bytes.
const lineBuffer = 64 << 10

func seqRow() row {
	return linesTo("seq", "`seq 1 3000000` to one client, short lines", 60, 100, func(b *bench, p program) (n int, last string, command []string) {
		n = b.flood(p, 3_000_000)
		return n, strconv.Itoa(n), []string{"seq", "1", strconv.Itoa(n)}
	})
}

func linesRow() row {
	line := strings.Repeat("x", 102)
	return linesTo("lines", "2 000 000 lines of 103 bytes to one client", 25, 40, func(b *bench, p program) (n int, last string, command []string) {
		n = b.flood(p, 2_000_000)
		return n, line, []string{"sh", "-c", fmt.Sprintf("yes %s | head -n %d", line, n)}
	})
}

// linesTo is a row in which a command prints n lines, the last of which is known, for one
// client.
func linesTo(name, work string, bar, aim float64, printed func(b *bench, p program) (n int, last string, command []string)) row {
	return row{
		name: name, work: work, rounds: 5, quickRounds: 5,
		figures: []figure{{name: "lines/s", bar: target{value: bar, of: "websocketd"}, aim: target{value: aim, of: "websocketd"}}},
		measure: inTurn(both, func(b *bench, p program) (rate []float64, err error) {
			n, last, command := printed(b, p)
			err = b.serve(p, nil, command, func(s server) error {
				took, _, err := s.timed(func() error { return s.receiveLines(n, last) })
				rate = []float64{float64(n) / took}
				return err
			})
			return rate, err
		}),
	}
}

// receiveLines is one client, from the opening handshake to the end of the connection. It
// must receive n messages, the last of which is last.
func (s server) receiveLines(n int, last string) error {
	c, err := dial(s.address, lineBuffer)
	if err != nil {
		return err
	}
	defer c.Close()
	messages, _, latest, err := c.drain()
	if err == nil && (messages != n || latest != last) {
		err = fmt.Errorf("received %d messages, the last %q, want %d, %q", messages, latest, n, last)
	}
	return err
}
