//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"wspipe/bench/client"
)

// A flood is lines one way, as fast as they go.

func seqWorkload() workload {
	return workload{
		name: "seq", what: "`seq` prints 3 000 000 short lines for one client, which counts them.",
		contenders: pair(func(b *bench, path string) ([]figure, error) {
			n := b.n(3_000_000)
			return b.serve(path, nil, []string{"seq", "1", strconv.Itoa(n)}, func(s *server) ([]figure, error) {
				return receiveLines(b, s, n, strconv.Itoa(n))
			})
		}),
		bars: []bar{{figure: "lines", contender: "wspipe", of: "websocketd", atLeast: 20}},
	}
}

func linesWorkload() workload {
	line := strings.Repeat("x", 102)
	return workload{
		name: "lines", what: "A child that is never the bottleneck prints 2 000 000 lines of 103 bytes, newline and all, for one client, which counts them.",
		contenders: pair(func(b *bench, path string) ([]figure, error) {
			n := b.n(2_000_000)
			script := fmt.Sprintf("yes %s | head -n %d", line, n)
			return b.serve(path, nil, []string{"sh", "-c", script}, func(s *server) ([]figure, error) {
				return receiveLines(b, s, n, line)
			})
		}),
		bars: []bar{{figure: "lines", contender: "wspipe", of: "websocketd", atLeast: 15}},
	}
}

func upWorkload() workload {
	return workload{
		name: "up", what: "One client sends 1 000 000 messages of 64 bytes to `grep -m1 -n END`, which answers the last.",
		contenders: pair(func(b *bench, path string) ([]figure, error) {
			n := b.n(1_000_000)
			return b.serve(path, nil, []string{"grep", "-m1", "-n", "END"}, func(s *server) ([]figure, error) {
				return sendLines(b, s, n)
			})
		}),
		bars: []bar{{figure: "messages", contender: "wspipe", of: "websocketd", atLeast: 3.5}},
	}
}

// receiveLines takes n messages, the last of which is last, from the opening
// handshake to the end of the connection.
func receiveLines(b *bench, s *server, n int, last string) ([]figure, error) {
	return flow(s, "lines", n, func() error {
		c, err := client.Open(s.url, client.Options{Deadline: b.deadline()})
		if err != nil {
			return err
		}
		defer c.Close()
		messages, _, latest, err := toTheEnd(c)
		if err == nil && (messages != n || latest != last) {
			err = fmt.Errorf("%d messages, the last %q, want %d, %q", messages, latest, n, last)
		}
		return err
	})
}

// sendLines sends n messages, and waits for the number of the last.
func sendLines(b *bench, s *server, n int) ([]figure, error) {
	const size, block = 64, 512
	message := client.AppendMessage(nil, false, bytes.Repeat([]byte("x"), size))
	last := client.AppendMessage(nil, false, append(bytes.Repeat([]byte("x"), size-3), "END"...))
	many := bytes.Repeat(message, block)
	return flow(s, "messages", n, func() error {
		c, err := client.Open(s.url, client.Options{Deadline: b.deadline()})
		if err != nil {
			return err
		}
		defer c.Close()
		for left := n - 1; left > 0; left -= block {
			if _, err := c.Write(many[:len(message)*min(left, block)]); err != nil {
				return err
			}
		}
		if _, err := c.Write(last); err != nil {
			return err
		}
		front, _, err := c.Next()
		if want := fmt.Sprintf("%d:", n); err == nil && !strings.HasPrefix(string(front), want) {
			err = fmt.Errorf("answer %q, want %s", front, want)
		}
		return err
	})
}

// flow measures how fast n things go through a server while work runs.
func flow(s *server, things string, n int, work func() error) ([]figure, error) {
	took, cpu, err := measure(s, work)
	return []figure{
		{name: things, unit: things + "/s", value: float64(n) / took},
		{name: "server's CPU time", unit: "s/million " + things, value: cpu / float64(n) * 1e6, less: true},
	}, err
}

// measure returns how long work takes, and how much of the processors it takes of
// the server, both in seconds.
func measure(s *server, work func() error) (took, cpu float64, err error) {
	before, err := usageOf(s.pid)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := work(); err != nil {
		return 0, 0, err
	}
	took = time.Since(start).Seconds()
	after, err := usageOf(s.pid)
	return took, (after.processor() - before.processor()).Seconds(), err
}

// toTheEnd reads all messages that come, and returns how many, their bytes and the front of
// the last. Both good ends are none of its errors: wspipe's close frame, and the bare
// end of websocketd's connection.
func toTheEnd(c *client.Conn) (messages int, size int64, last string, err error) {
	var kept [125]byte
	n := 0
	for {
		front, of, err := c.Next()
		if end, ok := errors.AsType[client.Closed](err); err == io.EOF || ok && end == "1000 exit 0" {
			return messages, size, string(kept[:n]), nil
		}
		if err != nil {
			return messages, size, "", err
		}
		messages++
		size += int64(of)
		n = copy(kept[:], front)
	}
}

// pair makes contenders of both servers.
func pair(run func(b *bench, path string) ([]figure, error)) []contender {
	return []contender{
		{"wspipe", func(b *bench) ([]figure, error) { return run(b, b.wspipe) }},
		{"websocketd", func(b *bench) ([]figure, error) { return run(b, b.websocketd) }},
	}
}
