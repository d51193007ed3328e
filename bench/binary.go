package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

const (
	// megabyte is the largest message that wspipe accepts by default.
	megabyte = 1 << 20
	// binaryBuffer is for reading large messages, in bytes.
	binaryBuffer = 256 << 10
)

func downloadRow() row {
	return binaryRow("download", "2 GB of binary to the client (`head -c 2G /dev/zero`)", 2,
		func(size int) []string { return []string{"head", "-c", strconv.Itoa(size), "/dev/zero"} },
		func(c *client, size int) error {
			_, got, _, err := c.drain()
			if err == nil && got != size {
				err = fmt.Errorf("received %d bytes, want %d", got, size)
			}
			return err
		})
}

func uploadRow() row {
	return binaryRow("upload", "2 GB of binary from the client, in messages of 1 MiB (`wc -c`)", 1.5,
		func(size int) []string { return []string{"sh", "-c", fmt.Sprintf("head -c %d | wc -c", size)} },
		func(c *client, size int) error {
			message := appendFrame(nil, opBinary, bytes.Repeat([]byte("x"), megabyte))
			for range size / megabyte {
				if _, err := c.Write(message); err != nil {
					return err
				}
			}
			front, _, err := c.next()
			if got := strings.TrimSpace(string(front)); err == nil && got != strconv.Itoa(size) {
				err = fmt.Errorf("the child received %s bytes, want %d", got, size)
			}
			return err
		})
}

// binaryRow is a row in which one client transfers size bytes.
func binaryRow(name, work string, bar float64, command func(size int) []string, transfer func(c *client, size int) error) row {
	return row{
		name: name, work: work, rounds: 5, quickRounds: 3,
		figures: []figure{{name: "MB/s", bar: target{value: bar, of: "websocketd"}, aim: target{text: "memory bandwidth"}}},
		measure: inTurn(both, func(b *bench, p program) (rate []float64, err error) {
			size := b.amount(2048) * megabyte
			if b.quick {
				size /= 2
			}
			err = b.serve(p, []string{"--binary"}, command(size), func(s server) error {
				took, _, err := s.timed(func() error {
					c, err := dial(s.address, binaryBuffer)
					if err != nil {
						return err
					}
					defer c.Close()
					return transfer(c, size)
				})
				rate = []float64{float64(size) / 1e6 / took}
				return err
			})
			return rate, err
		}),
	}
}
