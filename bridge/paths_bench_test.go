//go:build unix

package bridge

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
)

// path carries messages. It takes n messages and returns once they have arrived. Both its
// ends stay open until the test ends.
type path func(n int)

// warm is how many messages a path carries before a measurement, so that its buffers have
// grown.
const warm = 1000

// benchmarkPath measures the cost of one message on the path that open returns, which is
// opened once and closed with b.
func benchmarkPath(b *testing.B, name string, open func(testing.TB) path) {
	var take path
	b.Run(name, func(sub *testing.B) {
		if take == nil {
			take = open(b)
			take(warm)
		}
		sub.ReportAllocs()
		sub.ResetTimer()
		before := processorTime()
		take(sub.N)
		sub.ReportMetric(float64(processorTime()-before)/float64(sub.N), "cpu-ns/op")
	})
}

// processorTime returns the CPU time of this process, which has both ends of a path. Unlike
// elapsed time, it hardly depends on other processes.
func processorTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// repeated is an output that repeats text, for left bytes.
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

// source is a repeated that writes as much as give requests, and ends when more is closed.
type source struct {
	repeated
	more chan int
}

func newSource(record string) *source {
	block := bytes.Repeat([]byte(record), 1+64<<10/len(record))
	return &source{repeated{text: block}, make(chan int)}
}

func (s *source) Read(p []byte) (int, error) {
	for s.left == 0 {
		size, ok := <-s.more
		if !ok {
			return 0, io.EOF
		}
		s.left = size
	}
	return s.repeated.Read(p)
}

// give returns once size bytes have been read, and more is requested.
func (s *source) give(size int) {
	s.more <- size
	s.more <- 0
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

// tally waits until the expected bytes have been read.
type tally struct {
	left atomic.Int64
	all  chan struct{}
}

func newTally() *tally { return &tally{all: make(chan struct{}, 1)} }

// expect adds size to the expected bytes, before they are written.
func (c *tally) expect(size int) { c.left.Add(int64(size)) }

func (c *tally) await() { <-c.all }

// read reads r to its end, in a goroutine that ends then.
func (c *tally) read(r io.Reader) {
	if conn, ok := r.(interface{ SetReadDeadline(time.Time) error }); ok {
		conn.SetReadDeadline(time.Time{}) // a benchmark may take long
	}
	go func() {
		for buf := make([]byte, 32<<10); ; {
			n, err := r.Read(buf)
			if n > 0 && c.left.Add(-int64(n)) == 0 {
				c.all <- struct{}{}
			}
			if err != nil {
				return
			}
		}
	}()
}

// outboundPath carries the output of a child, which repeats a record, to the kernel of a
// client.
func outboundPath(t testing.TB, f framing.Framing, channel byte, record string) path {
	c, ws, conn := connect(t, link{})
	c.SetDeadline(time.Time{})
	read := discard(c.Conn)
	o := newOutbound(ws, conn, f)
	if o.channel = channel; channel != 0 {
		o.codec = streamCodec(0)
	}
	s := newSource(record)
	ended := make(chan struct{})
	go func() { // ends with s
		defer close(ended)
		o.run(s)
	}()
	t.Cleanup(func() {
		close(s.more)
		<-ended
		conn.Abort()
		<-read
	})
	return func(n int) {
		s.give(n * len(record))
		conn.Out.Wait(0)
	}
}

// inboundPath carries frames, each of which is a message, from a flooding client to a pipe
// that is a child's stdin.
func inboundPath(t testing.TB, in *input, frames []byte) path {
	c, ws, conn := connect(t, link{})
	c.SetDeadline(time.Time{})
	ws.SetReadLimit(-1)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	newTally().read(r) // ends when w is closed
	in.ws, in.out = ws, wire.NewQueue(w)
	in.wait = func() {
		if in.out.Waiting() > maxInputBacklog {
			in.out.Wait(maxInputBacklog / 2)
		}
	}
	conn.OnIdle = in.flush
	flooded := make(chan struct{})
	go func() { // ends with the connection
		defer close(flooded)
		for err := error(nil); err == nil; {
			_, err = c.Write(frames)
		}
	}()
	t.Cleanup(func() {
		conn.Abort()
		<-flooded
		in.out.Close()
		r.Close()
	})
	return func(n int) {
		for range n {
			if err := in.receive(); err != nil {
				t.Error(err)
				return
			}
			in.wait()
		}
	}
}

// flood returns frames of messages of one size, at least 64 KiB.
func flood(size int) (frames []byte) {
	for len(frames) < 64<<10 {
		frames = append(frames, maskedFrame(fin|opText, bytes.Repeat([]byte("x"), size))...)
	}
	return frames
}
