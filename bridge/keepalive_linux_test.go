package bridge

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"

	"golang.org/x/sys/unix"
)

// judged is a connection that counts how often checkAlive asks for its state, once each time
// while output is queued.
type judged struct {
	*net.TCPConn
	asked *atomic.Int64
}

func (c judged) SyscallConn() (syscall.RawConn, error) {
	c.asked.Add(1)
	return c.TCPConn.SyscallConn()
}

// flood prints numbered lines of size bytes in all. They are long, because the client's kernel
// must be full before a client that does not read misses a ping.
func (p *puppet) flood(t *testing.T, size int) (done chan struct{}, last int) {
	done = make(chan struct{})
	last = size / 100
	go func() { // ends when the client has read everything
		defer close(done)
		var block []byte
		for i := range last {
			block = fmt.Appendf(block, "%099d\n", i)
			if len(block) > 30_000 || i == last-1 {
				p.print(t, string(block))
				block = block[:0]
			}
		}
	}()
	return done, last
}

// A client that does not read cannot reply. While its host is up and output is queued, it
// stays connected, and it gets everything when it reads.
func TestKeepaliveOfAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	l := link{buffers: 256 << 10, wrap: func(c net.Conn) net.Conn { return judged{c.(*net.TCPConn), &asked} }}
	child := newPuppet(t)
	s := startOver(t, l, child, Options{PingInterval: 500 * time.Millisecond})
	printed, last := child.flood(t, 8_000_000)
	wspipetest.Eventually(t, "output waits", func() bool { return s.wire.Out.Waiting() > wire.MaxUnsent })
	before := asked.Load()
	wspipetest.Eventually(t, "judgements", func() bool { return asked.Load() >= before+10 })
	s.answers = true
	for i := range last {
		if _, got, _ := s.client.message(); got != fmt.Sprintf("%099d", i) {
			t.Fatalf("message %d is %q", i, got)
		}
	}
	wspipetest.Wait(t, "the child has printed all", printed)
	child.exit(0, "")
	s.expectClose(1000, "exit 0")
	if s.pings == 0 {
		t.Error("there were no pings")
	}
}

// standStill waits until output is queued and none is sent any more: the kernel may accept
// more some time later.
func (s *session) standStill(t *testing.T) {
	t.Helper()
	before, looks := 0, 0
	wspipetest.Eventually(t, "output stands still", func() bool {
		waiting := s.wire.Out.Waiting()
		if looks++; waiting <= wire.MaxUnsent || waiting != before {
			before, looks = waiting, 0
		}
		return looks == 50
	})
}

// judge calls checkAlive n times. The client must stay connected.
func (s *session) judge(t *testing.T, k *keepalive, n int) {
	t.Helper()
	for i := range n {
		k.checkAlive()
		if k.missed >= 2 {
			t.Fatalf("ended at check %d", i+1)
		}
	}
}

// A client that has caught up has as much time to reply as any other.
func TestKeepaliveOfAClientThatHasCaughtUp(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := startOver(t, link{buffers: 256 << 10}, child, Options{})
	k := &keepalive{client: s.transport.(*webSocket), interval: time.Millisecond}
	s.judge(t, k, 1) // earlier silence does not count
	_, last := child.flood(t, 3_000_000)
	s.standStill(t)
	s.judge(t, k, 10)
	for range last {
		s.client.message()
	}
	wspipetest.Eventually(t, "all is sent", func() bool { return s.wire.Out.Waiting() == 0 && wire.Unsent(s.wire.Conn) == 0 })
	s.judge(t, k, 1)
	k.checkAlive()
	s.expectClose(1008, "no answer to pings")
}

// Replies of a client that waits for the child are not read.
func TestKeepaliveOfAClientThatWaits(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	child.reader = true
	s := startOver(t, link{buffers: 256 << 10}, child, patient)
	k := &keepalive{client: s.transport.(*webSocket), interval: time.Millisecond}
	sent := bytes.Repeat(maskedFrame(fin|opText, bytes.Repeat([]byte("x"), 999)), 5000)
	n := heldUpAfter(t, s, sent)
	s.judge(t, k, 10)
	child.readAll()
	wspipetest.Eventually(t, "the child catches up", func() bool { return s.stdin.Waiting() == 0 })
	s.judge(t, k, 1)
	s.write(sent[n:], closeFrame(1000, ""))
	if got := wspipetest.Wait(t, "input", child.input); len(got) != 5000*1000 {
		t.Errorf("input of %d bytes", len(got))
	}
	if sum := s.summary(); sum.Code != 1000 {
		t.Errorf("summary %+v", sum)
	}
}

// vanish makes the client's host drop all packets that it receives (socket(7),
// SO_ATTACH_FILTER).
func vanish(t *testing.T, c *client) {
	t.Helper()
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	raw, err := c.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if err := unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop}); err != nil {
			t.Fatal(err)
		}
	})
}

// A client is not waited for if its host is down.
func TestKeepaliveOfAHostThatIsDown(t *testing.T) {
	t.Parallel()
	for name, output := range map[string]string{"quiet": "", "output waits": strings.Repeat("x", 4<<20)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			s := startOver(t, link{buffers: 256 << 10}, child, Options{PingInterval: 250 * time.Millisecond})
			vanish(t, s.client)
			go child.far[1].WriteString(output) // ends with the puppet
			if sum := s.summary(); sum.Code != 1006 {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

// A client that floods us with pings and does not read gets no pong for each.
func TestPongsAreBounded(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	// Not TCP: if small buffers on both sides are full of small segments, Linux drops what
	// it cannot hold, even acknowledgements, and nothing moves.
	s := startOver(t, link{network: "unix"}, child, Options{})
	pings := bytes.Repeat(maskedFrame(fin|opPing, make([]byte, 125)), 1000)
	for range 20 {
		s.write(pings)
	}
	s.send("after them")
	child.read(t, len("after them\n"))
	if n := s.wire.Out.Waiting(); n <= wire.MaxUnsent || n > 2*wire.MaxUnsent+127 {
		t.Errorf("%d bytes queued", n)
	}
	child.print(t, "output\n")
	child.exit(0, "")
	for { // the pongs that there was room for, then the output
		f, err := s.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.first == fin|opText {
			break
		}
	}
	s.expectClose(1000, "exit 0")
}
