//go:build unix

package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
	"wspipe/server/listen"
)

// BenchmarkConnection measures clients that connect, read one line of their child and close, one after
// another and eight at a time. One op is one client.
func BenchmarkConnection(b *testing.B) {
	path, err := process.Resolve("echo")
	if err != nil {
		b.Fatal(err)
	}
	s, err := server.Listen(server.Config{Sockets: listen.Sockets{Addresses: []string{"127.0.0.1"}}, Endpoint: server.Endpoint{Child: process.Spec{Path: path, Args: []string{"hi"}},
		PassEnv: []string{"PATH"}, PingInterval: 30 * time.Second, MaxMessage: 1 << 20}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { // ends with ctx
		_, err := s.Serve(ctx)
		served <- err
	}()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			b.Error(err)
		}
	}()
	addr := strings.Trim(strings.TrimPrefix(s.URLs()[0], "ws://"), "/")
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			b.ReportAllocs()
			places := make(chan error, clients)
			for range clients {
				places <- nil
			}
			for b.Loop() {
				if err := <-places; err != nil {
					b.Fatal(err)
				}
				go func() { places <- readHi(addr) }() // ends with the connection
			}
			for range clients {
				if err := <-places; err != nil {
					b.Error(err)
				}
			}
		})
	}
}

const openHi = "GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// readHi runs one client.
func readHi(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(wspipetest.Patience))
	if _, err := io.WriteString(c, openHi); err != nil {
		return err
	}
	const want = "\r\n\r\n\x81\x02hi\x88\x08\x03\xe8exit 0" // frames as in RFC 6455, section 5.7
	buf := make([]byte, 1<<10)
	n := 0
	for !bytes.HasSuffix(buf[:n], []byte(want)) {
		m, err := c.Read(buf[n:])
		if err != nil {
			return fmt.Errorf("after %q: %w", buf[:n], err)
		}
		n += m
	}
	if _, err := io.WriteString(c, "\x88\x82\x00\x00\x00\x00\x03\xe8"); err != nil {
		return err
	}
	if n, err := c.Read(buf); err != io.EOF {
		return errors.Join(fmt.Errorf("%d bytes behind the close frame", n), err)
	}
	return nil
}
