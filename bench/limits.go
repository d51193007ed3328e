//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"time"

	"wspipe/bench/client"
)

// What the machine does with no server between.
func limitsWorkload() workload {
	return workload{
		name: "limits",
		what: "What the machine does with no WebSocket between: starting `echo hi` and waiting for it, `seq 1 3000000` into a pipe, and TCP through loopback between two small programs.",
		contenders: []contender{{"bare", func(b *bench) (all []figure, err error) {
			for _, limit := range []func(*bench) (figure, error){forkOne, forkSome, seqPipe, tcpStream, tcpPingPong} {
				f, err := limit(b)
				if err != nil {
					return nil, err
				}
				all = append(all, f)
			}
			return all, nil
		}}},
	}
}

func forkOne(b *bench) (figure, error) {
	rate, err := forks(b, 1, b.n(5000))
	return figure{name: "fork+exec, one at a time", unit: "1/s", value: rate}, err
}

func forkSome(b *bench) (figure, error) {
	rate, err := forks(b, steadily, b.n(5000))
	return figure{name: "fork+exec, 8 at a time", unit: "1/s", value: rate}, err
}

func seqPipe(b *bench) (figure, error) {
	n := b.n(3_000_000)
	start := time.Now()
	_, err := b.shell(fmt.Sprintf("seq 1 %d | cat > /dev/null", n))
	return figure{name: "seq into a pipe", unit: "lines/s", value: float64(n) / time.Since(start).Seconds()}, err
}

// tcpStream writes 64 KiB at a time to a program that reads as much.
func tcpStream(b *bench) (figure, error) {
	block, n := make([]byte, 64<<10), b.n(128<<10)
	var took time.Duration
	err := b.peer("drop", func(conn *net.TCPConn) error {
		start := time.Now()
		for range n {
			if _, err := conn.Write(block); err != nil {
				return err
			}
		}
		conn.CloseWrite()
		_, err := io.Copy(io.Discard, conn) // until the other end has had all
		took = time.Since(start)
		return err
	})
	return figure{name: "TCP, writes of 64 KiB", unit: "GB/s", value: float64(n*len(block)) / 1e9 / took.Seconds()}, err
}

// tcpPingPong is the round trip of 64 bytes.
func tcpPingPong(b *bench) (figure, error) {
	block := make([]byte, 64)
	var delays client.Delays
	err := b.peer("echo", func(conn *net.TCPConn) error {
		for range b.n(50_000) {
			start := time.Now()
			if _, err := conn.Write(block); err != nil {
				return err
			}
			if _, err := io.ReadFull(conn, block); err != nil {
				return err
			}
			delays.Add(time.Since(start))
		}
		return nil
	})
	return figure{"TCP, round trip of 64 bytes, p50", "µs", float64(delays.Quantile(0.5)) / float64(time.Microsecond), true}, err
}

// peer hands use a connection to the small program, which ends afterwards.
func (b *bench) bareServer(what string, use func(address string) error) error {
	cmd := exec.CommandContext(b.ctx, b.bare, what)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait() // its status says that it was killed
	defer cmd.Process.Kill()
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("bare %s: %w", what, err)
	}
	return use(strings.TrimSpace(address))
}

// peer connects to a bare server.
func (b *bench) peer(what string, use func(*net.TCPConn) error) error {
	return b.bareServer(what, func(address string) error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(b.deadline())
		return use(conn.(*net.TCPConn))
	})
}
