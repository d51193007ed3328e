//go:build unix

package bridge

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
)

// BenchmarkOutbound is a line from a flooding child to the client.
func BenchmarkOutbound(b *testing.B) {
	for _, size := range []int{7, 100, 1000, 60000} {
		benchmarkPath(b, fmt.Sprint(size), func(t testing.TB) path {
			return outboundPath(t, framing.Lines, 0, strings.Repeat("x", size)+"\n")
		})
	}
}

// outputs are ways to send a child's stream: messages of 100 bytes, or a full pipe at once.
var outputs = []struct {
	name string
	framing.Framing
	channel byte
	record  string
}{
	{"lines", framing.Lines, 0, strings.Repeat("x", 100) + "\n"},
	{"bytes", framing.Bytes, 0, strings.Repeat("x", 64<<10)},
	{"nul", framing.NUL, 0, encoded(framing.NUL, strings.Repeat("x", 100))},
	{"length", framing.Length, 0, encoded(framing.Length, strings.Repeat("x", 100))},
	{"lsp", framing.LSP, 0, encoded(framing.LSP, strings.Repeat("x", 100))},
	{"json", framing.JSON, 0, strings.Repeat("x", 100) + "\n"},
	{"channels", framing.Bytes, channel.Stdout, strings.Repeat("x", 64<<10)},
}

// BenchmarkOutboundFramings is a record from a flooding child to the client.
func BenchmarkOutboundFramings(b *testing.B) {
	for _, out := range outputs {
		benchmarkPath(b, out.name, func(t testing.TB) path {
			return outboundPath(t, out.Framing, out.channel, out.record)
		})
	}
}

// BenchmarkInbound is a message from a flooding client to the child.
func BenchmarkInbound(b *testing.B) {
	for _, size := range []int{7, 64, 1000, 60000} {
		benchmarkPath(b, fmt.Sprint(size), func(t testing.TB) path {
			return inboundPath(t, &input{codec: framing.Lines.NewCodec()}, flood(size))
		})
	}
}

// inputs are ways to receive a client's messages.
var inputs = []struct {
	name string
	open func(testing.TB) *input
}{
	{"lines", framed(framing.Lines)},
	{"bytes", framed(framing.Bytes)},
	{"nul", framed(framing.NUL)},
	{"length", framed(framing.Length)},
	{"lsp", framed(framing.LSP)},
	{"channels", func(t testing.TB) *input {
		return &input{codec: streamCodec(0), handle: func(channel byte, _ []byte) { t.Error("a message on channel", channel) }}
	}},
}

func framed(f framing.Framing) func(testing.TB) *input {
	return func(testing.TB) *input { return &input{codec: f.NewCodec(), holdWhole: f.HoldsWhole()} }
}

// zeros are frames of binary messages of 64 bytes, with channel Stdin if they name one.
var zeros = bytes.Repeat(maskedFrame(fin|opBinary, make([]byte, 64)), 1000)

// BenchmarkInboundFramings is a message of 64 bytes from a flooding client.
func BenchmarkInboundFramings(b *testing.B) {
	for _, in := range inputs {
		benchmarkPath(b, in.name, func(t testing.TB) path { return inboundPath(t, in.open(t), zeros) })
	}
}

// roundTripPath is from a client through a session and its child, cat, and back. Each message
// is sent after the previous one has returned.
func roundTripPath(t testing.TB) path {
	s := startOver(t, link{}, startShell(t, "exec cat"), Options{MaxMessage: 1 << 20})
	s.SetDeadline(time.Time{})
	message := maskedFrame(fin|opText, bytes.Repeat([]byte("x"), 64))
	answer := make([]byte, 2+64)
	return func(n int) {
		for range n {
			s.Write(message)
			if _, err := io.ReadFull(s.br, answer); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// BenchmarkSession is a whole session over a unix socket, from the response to its opening
// handshake on. Its child is no process; it prints a line and exits.
func BenchmarkSession(b *testing.B) {
	l, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		far, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		near, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		child := &puppet{pipes: newPipes(b), gone: make(chan struct{}), stopped: make(chan struct{})}
		io.WriteString(child.far[1], "hi\n")
		child.exit(0, "")
		conn := wire.NewConn(near, nil)
		s := newSession(acceptOn(b, conn), conn, child, Options{MaxMessage: 1 << 20, PingInterval: time.Minute})
		ended := make(chan error, 1)
		go func() { ended <- readToClose(far) }() // ends when Run returns, or before
		if sum := s.Run(); sum.Code != 1000 {
			b.Fatalf("%+v", sum)
		}
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
}

// readToClose is a client that replies to a close frame with the reason "exit 0".
func readToClose(c net.Conn) error {
	defer c.Close()
	last := append([]byte{fin | wire.OpClose, 2 + 6, 1000 >> 8, 1000 & 0xff}, "exit 0"...)
	buf := make([]byte, 1<<10)
	for n := 0; !bytes.HasSuffix(buf[:n], last); {
		m, err := c.Read(buf[n:])
		if err != nil {
			return err
		}
		n += m
	}
	if _, err := c.Write(closeFrame(1000, "")); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, c)
	return err
}
