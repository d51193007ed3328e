//go:build unix

package bridge

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
)

// messagePath carries messages: what is written to to arrives at from.
type messagePath struct {
	to         io.Writer
	from       io.Reader
	sent       []byte // a message, as it is written
	arriveSize int    // of the message, as it is read
}

// carry carries n messages.
func (p messagePath) carry(t testing.TB, n int) {
	go p.to.Write(bytes.Repeat(p.sent, n)) // ends when it was read
	buf := make([]byte, 32<<10)
	for left := n * p.arriveSize; left > 0; {
		n, err := p.from.Read(buf)
		if left -= n; err != nil || left < 0 {
			t.Fatalf("%d bytes are missing: %v", left, err)
		}
	}
}

// messagePaths are the ways of messages of 63 or 64 bytes.
var messagePaths = map[string]func(testing.TB) messagePath{
	"lines out": outPath(framing.Lines, "\n"), "nul out": outPath(framing.NUL, "\x00"),
	"lines in": inPath(framing.Lines, link{}, 65), "bytes in": inPath(framing.Bytes, link{}, 64), "nul in": inPath(framing.NUL, link{}, 65),
	"channels in": inPath(framing.Lines, link{protocol: channel.ProtocolV5}, 63),
	"resumed out": func(t testing.TB) messagePath {
		r := startResumable(t, link{}, Options{})
		return messagePath{to: r.far[1], from: r.reattach(-1).client.Conn, sent: []byte(x(63) + "\n"), arriveSize: 2 + 63}
	},
	"broadcast out": func(t testing.TB) messagePath {
		b := startBroadcast(t, Options{Slow: SlowBlock})
		for range 4 {
			go discard(b.join(link{}).client.Conn) // ends with the connection
		}
		return messagePath{to: b.far[1], from: b.join(link{}).client.Conn, sent: []byte(x(63) + "\n"), arriveSize: 2 + 63}
	},
}

func outPath(f framing.Framing, end string) func(testing.TB) messagePath {
	return func(t testing.TB) messagePath {
		child := newPuppet(t)
		s := start(t, link{}, child, Options{Framing: f})
		return messagePath{to: child.far[1], from: s.client.Conn, sent: []byte(x(63) + end), arriveSize: 2 + 63}
	}
}

func inPath(f framing.Framing, l link, arriveSize int) func(testing.TB) messagePath {
	return func(t testing.TB) messagePath {
		child := newPuppet(t)
		s := start(t, l, child, Options{Framing: f})
		return messagePath{to: s.client.Conn, from: child.far[0], sent: maskedFrame(fin|opBinary, make([]byte, 64)), arriveSize: arriveSize}
	}
}

// TestMessagesAllocateNothing: a path for messages has everything that a message needs. What many messages share may be
// allocated now and then: room in a history, and blocks that the garbage collector has taken out of their pool, or that
// the race detector makes the pool drop.
//
// It is not parallel, because allocations are counted for the whole process.
func TestMessagesAllocateNothing(t *testing.T) {
	const count = 20_000
	for name, open := range messagePaths {
		path := open(t)
		path.carry(t, count)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		path.carry(t, count)
		runtime.ReadMemStats(&after)
		if per := float64(after.Mallocs-before.Mallocs) / count; per > 0.5 {
			t.Errorf("%s: %.3f allocations for each message", name, per)
		}
	}
}

// BenchmarkMessages is a message on each path.
func BenchmarkMessages(b *testing.B) {
	for name, open := range messagePaths {
		path := open(b)
		b.Run(name, func(b *testing.B) { path.carry(b, b.N) })
	}
}

// discard reads c to its end into one buffer.
func discard(c net.Conn) {
	for buf := make([]byte, 32<<10); ; {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}
