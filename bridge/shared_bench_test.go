//go:build unix

package bridge

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// wide is a line of 100 bytes.
var wide = strings.Repeat("x", 99) + "\n"

// writeLines writes line n times, in blocks as stdio does.
func writeLines(w io.Writer, line string, n int) {
	block := bytes.Repeat([]byte(line), max(1, 10_000/len(line)))
	for left := n * len(line); left > 0; left -= len(block) {
		w.Write(block[:min(left, len(block))])
	}
}

// broadcastPath is from a child to clients over unix sockets. A message is one delivery.
func broadcastPath(t testing.TB, clients int) path {
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{Slow: SlowBlock})
	got := newTally()
	for range clients {
		got.read(b.join(link{network: "unix"}, Options{}).Conn)
	}
	return func(n int) {
		n = (n + clients - 1) / clients
		got.expect(n * clients * (2 + len(wide) - 1))
		writeLines(child.far[1], wide, n)
		got.await()
	}
}

// BenchmarkBroadcast is one line of 100 bytes for one of the clients.
func BenchmarkBroadcast(b *testing.B) {
	for _, clients := range []int{1, 10, 100, 1000} {
		benchmarkPath(b, fmt.Sprint(clients), func(t testing.TB) path { return broadcastPath(t, clients) })
	}
}

// muxPath is from a child to clients over unix sockets, each of which gets every message. A
// message is one delivery.
func muxPath(t testing.TB, clients int) path {
	s := startMux(t, Options{Slow: SlowBlock})
	got := newTally()
	for range clients {
		got.read(s.join(link{network: "unix"}, Options{}).Conn)
	}
	order := muxMessage("*", wide[1:])
	return func(n int) {
		n = (n + clients - 1) / clients
		got.expect(n * clients * (2 + len(wide) - 1))
		writeLines(s.far[1], order, n)
		got.await()
	}
}

// muxInputPath is from a flooding client to the child.
func muxInputPath(t testing.TB) path {
	s := startMux(t, Options{})
	c := s.join(link{}, Options{})
	c.SetDeadline(time.Time{})
	got := newTally()
	got.read(s.far[0])
	text := strings.Repeat("x", 64)
	message := string(maskedFrame(fin|opText, []byte(text)))
	event := appendMessage(nil, c.MuxID(), []byte(text))
	return func(n int) {
		got.expect(n * len(event))
		writeLines(c.Conn, message, n)
		got.await()
	}
}

// BenchmarkMux is one message of 100 bytes for one of the clients, or one of 64
// bytes from the only one.
func BenchmarkMux(b *testing.B) {
	for _, clients := range []int{1, 100} {
		benchmarkPath(b, fmt.Sprint(clients), func(t testing.TB) path { return muxPath(t, clients) })
	}
	benchmarkPath(b, "in", muxInputPath)
}

// resumedPath is from a child to the client of a session.
func resumedPath(t testing.TB) path {
	child := newPuppet(t)
	c := startResumable(t, child, Options{}).reattach(-1)
	got := newTally()
	got.read(c.client.Conn)
	return func(n int) {
		got.expect(n * (2 + len(wide) - 1))
		writeLines(child.far[1], wide, n)
		got.await()
	}
}

// BenchmarkResumedLines is one line of 100 bytes to the client of a session.
func BenchmarkResumedLines(b *testing.B) { benchmarkPath(b, "100", resumedPath) }
