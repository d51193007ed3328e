//go:build unix

package bridge

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// repeated is an output that says text again and again, for left bytes.
type repeated struct {
	text []byte
	next int // in text
	left int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), r.left, 64<<10)] // a full pipe
	for n < len(p) {
		m := copy(p[n:], r.text[r.next:])
		r.next = (r.next + m) % len(r.text)
		n += m
	}
	r.left -= n
	return n, nil
}

// discard reads c to its end into one buffer.
func discard(c net.Conn) <-chan struct{} {
	done := make(chan struct{})
	go func() { // ends with the connection
		defer close(done)
		buf := make([]byte, 1<<20)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	}()
	return done
}

// What a flooding child costs for each message.
func BenchmarkOutbound(b *testing.B) {
	for _, size := range []int{7, 100, 1000, 60000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			benchmarkOutbound(b, Lines, 0, strings.Repeat("x", size)+"\n")
		})
	}
}

// benchmarkOutbound sends a stream of records.
func benchmarkOutbound(b *testing.B, f Framing, channel byte, record string) {
	c, ws, wire := connect(b, link{})
	done := discard(c)
	o := newOutbound(ws, wire, f)
	if o.channel = channel; channel != 0 {
		o.codec = chunks(maxStreamMessage - lead)
	}
	block := bytes.Repeat([]byte(record), 1+64<<10/len(record))
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	b.ResetTimer()
	o.run(&repeated{text: block, left: b.N * len(record)})
	wire.Out.Wait(0)
	b.StopTimer()
	wire.Abort()
	<-done
}

// What a client that floods costs for each message.
func BenchmarkInbound(b *testing.B) {
	for _, size := range []int{7, 64, 1000, 60000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			benchmarkInbound(b, &inbound{codec: delimited('\n')}, size+1, flood(size))
		})
	}
}

// benchmarkInbound receives what is sent again and again: messages that become
// size bytes each.
func benchmarkInbound(b *testing.B, in *inbound, size int, block []byte) {
	c, ws, wire := connect(b, link{})
	ws.SetReadLimit(-1)
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	go io.Copy(io.Discard, r) // ends when w is closed
	in.ws, in.out = ws, newOutflow(w)
	in.wait = func() {
		if in.out.Waiting() > maxWaiting {
			in.out.Wait(maxWaiting / 2)
		}
	}
	wire.onIdle = in.handOn
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	go func() { // ends with the connection
		for {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	}()
	for range b.N {
		if err := in.receive(); err != nil {
			b.Fatal(err)
		}
		in.wait()
	}
	b.StopTimer()
	in.out.Close()
	wire.Abort()
}

// flood returns frames of messages of one size, about 64 KiB of them.
func flood(size int) (block []byte) {
	for len(block) < 64<<10 {
		block = append(block, maskedFrame(fin|opText, bytes.Repeat([]byte("x"), size))...)
	}
	return block
}

// What a message costs that goes to a child and comes back alone.
func BenchmarkRoundTrip(b *testing.B) {
	child := startShell(b, "exec cat")
	s := startOver(b, link{}, child, Options{MaxMessage: 1 << 20})
	message := maskedFrame(fin|opText, bytes.Repeat([]byte("x"), 64))
	answer := make([]byte, 2+64)
	b.ReportAllocs()
	for b.Loop() {
		s.Write(message)
		if _, err := io.ReadFull(s.br, answer); err != nil {
			b.Fatal(err)
		}
	}
}
