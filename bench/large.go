//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"wspipe/bench/client"
)

// megabyte is a large message, in bytes: the longest that wspipe takes unless told
// otherwise.
const megabyte = 1 << 20

func largeWorkloads() []workload {
	return []workload{
		{
			name: "large-down",
			what: "`head -c 2G /dev/zero` for one client, in binary messages as large as the server makes them.",
			contenders: pair(func(b *bench, path string) ([]figure, error) {
				n := b.n(2048)
				return large(b, path, []string{"head", "-c", strconv.Itoa(n * megabyte), "/dev/zero"}, n, func(c *client.Conn) error {
					_, size, _, err := toTheEnd(c)
					if err == nil && size != int64(n*megabyte) {
						err = fmt.Errorf("%d bytes, want %d", size, n*megabyte)
					}
					return err
				})
			}),
		},
		{
			name: "large-up",
			what: "One client sends 2 048 binary messages of 1 MB, which `wc -c` counts.",
			contenders: pair(func(b *bench, path string) ([]figure, error) {
				n := b.n(2048)
				script := fmt.Sprintf("head -c %d | wc -c", n*megabyte)
				return large(b, path, []string{"sh", "-c", script}, n, func(c *client.Conn) error {
					if err := sendLarge(c, n); err != nil {
						return err
					}
					front, _, err := c.Next()
					if got := strings.TrimSpace(string(front)); err == nil && got != strconv.Itoa(n*megabyte) {
						err = fmt.Errorf("the child has got %s bytes, want %d", got, n*megabyte)
					}
					return err
				})
			}),
		},
		{
			name: "large-echo",
			what: "One client sends 1 024 binary messages of 1 MB to `cat`, and reads at the same time. websocketd cannot: one loop of it carries both ways, " +
				"and as soon as the child waits to be read while it waits for the child, both wait for ever (seen from 300 KB on).",
			contenders: []contender{{"wspipe", func(b *bench) ([]figure, error) {
				n := b.n(1024)
				return large(b, b.wspipe, []string{"cat"}, n, func(c *client.Conn) error { return echoLarge(c, n) })
			}}},
		},
	}
}

func echoLarge(c *client.Conn, n int) error {
	sent := make(chan error, 1)
	go func() { sent <- sendLarge(c, n) }() // ends with the connection at the latest
	for left := n * megabyte; left > 0; {
		_, size, err := c.Next()
		if err != nil {
			return err
		}
		left -= size
	}
	return <-sent
}

// large measures what one client does with n megabytes.
func large(b *bench, path string, command []string, n int, use func(*client.Conn) error) ([]figure, error) {
	return b.serve(path, []string{"--binary"}, command, func(s *server) ([]figure, error) {
		took, cpu, err := measure(s, func() error {
			c, err := client.Open(s.url, client.Options{Deadline: b.deadline(), Buffer: 256 << 10})
			if err != nil {
				return err
			}
			defer c.Close()
			return use(c)
		})
		return []figure{
			{name: "payload", unit: "MB/s", value: float64(n) * megabyte / 1e6 / took},
			{name: "server's CPU time", unit: "s/GB", value: cpu / (float64(n) * megabyte) * 1e9, less: true},
		}, err
	})
}

func sendLarge(c *client.Conn, n int) error {
	message := client.AppendMessage(nil, true, bytes.Repeat([]byte("x"), megabyte))
	for range n {
		if _, err := c.Write(message); err != nil {
			return err
		}
	}
	return nil
}
