//go:build linux

package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"wspipe/bench/client"
)

func terminalWorkload() workload {
	return workload{
		name: "terminal",
		what: "`seq` prints 1 000 000 lines on a terminal. No other server of Debian does this; beside it stands what util-linux's script(1) reads from one.",
		contenders: []contender{
			{"wspipe", func(b *bench) ([]figure, error) {
				n := b.n(1_000_000)
				return b.serve(b.wspipe, []string{"--pty"}, []string{"seq", "1", strconv.Itoa(n)}, func(s *server) ([]figure, error) {
					return flow(s, "lines", n, func() error { return readTerminal(b, s, n) })
				})
			}},
			{"script", func(b *bench) ([]figure, error) {
				n := b.n(1_000_000)
				start := time.Now()
				out, err := b.shell(fmt.Sprintf("script -qec 'seq 1 %d' /dev/null | wc -c", n))
				if got := strings.TrimSpace(out); err == nil && got != strconv.Itoa(terminalSize(n)) {
					err = fmt.Errorf("script: %s bytes, want %d", got, terminalSize(n))
				}
				return []figure{{name: "lines", unit: "lines/s", value: float64(n) / time.Since(start).Seconds()}}, err
			}},
		},
	}
}

func readTerminal(b *bench, s *server, n int) error {
	c, err := client.Open(s.url, client.Options{Deadline: b.deadline()})
	if err != nil {
		return err
	}
	defer c.Close()
	_, size, _, err := toTheEnd(c)
	if err == nil && size != int64(terminalSize(n)) {
		err = fmt.Errorf("%d bytes, want %d", size, terminalSize(n))
	}
	return err
}

// terminalSize is how many bytes a terminal makes of the numbers from 1 to n: two
// end each line.
func terminalSize(n int) (size int) {
	for from, digits := 1, 1; from <= n; from, digits = from*10, digits+1 {
		size += (min(n, from*10-1) - from + 1) * (digits + 2)
	}
	return size
}

// shell runs a command line and returns what it prints.
func (b *bench) shell(script string) (string, error) {
	b.note("sh", []string{"-c", script})
	out, err := exec.CommandContext(b.ctx, "sh", "-c", script).Output()
	if err != nil {
		err = fmt.Errorf("%s: %w", script, err)
	}
	return string(out), err
}
