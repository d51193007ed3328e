package main

import (
	"bytes"
	"fmt"
	"strings"
)

func upRow() row {
	return row{
		name: "up", work: "1 000 000 messages of 64 bytes from one client to `grep -m1 -n END`", rounds: 5, quickRounds: 5,
		figures: []figure{{name: "messages/s", bar: target{value: 3.5, of: "websocketd"}, aim: target{value: 6, of: "websocketd"}}},
		measure: inTurn(both, func(b *bench, p program) (rate []float64, err error) {
			n := b.amount(1_000_000)
			err = b.serve(p, nil, []string{"grep", "-m1", "-n", "END"}, func(s server) error {
				took, _, err := s.timed(func() error { return s.sendMessages(n) })
				rate = []float64{float64(n) / took}
				return err
			})
			return rate, err
		}),
	}
}

// sendMessages is one client that sends n messages. The child must report the number of
// the last one.
func (s server) sendMessages(n int) error {
	const size, batch = 64, 512 // messages in one write
	c, err := dial(s.address, smallBuffer)
	if err != nil {
		return err
	}
	defer c.Close()
	message := appendFrame(nil, opText, bytes.Repeat([]byte("x"), size))
	messages := bytes.Repeat(message, batch)
	for left := n - 1; left > 0; left -= batch {
		if _, err := c.Write(messages[:len(message)*min(left, batch)]); err != nil {
			return err
		}
	}
	if _, err := c.Write(appendFrame(nil, opText, []byte(strings.Repeat("x", size-3)+"END"))); err != nil {
		return err
	}
	front, _, err := c.next()
	if want := fmt.Sprintf("%d:", n); err == nil && !strings.HasPrefix(string(front), want) {
		err = fmt.Errorf("received %q, want %s", front, want)
	}
	return err
}
