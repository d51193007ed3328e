package bridge

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"

	"golang.org/x/sys/unix"
)

// newKeepalive returns a keepalive of s, whose ticks are those of the test.
func newKeepalive(t *testing.T, s *attachedClient) *keepalive {
	k := &keepalive{client: s.transport.(*webSocket), interval: time.Hour}
	t.Cleanup(k.stop)
	return k
}

// alive calls checkAlive n times. The client must count as alive.
func (k *keepalive) alive(t *testing.T, n int) {
	t.Helper()
	for range n {
		if k.checkAlive(); k.missed > 0 {
			t.Fatal("a ping is missed")
		}
	}
}

// TestKeepaliveOfAClientThatSends: anything that it sends is a sign of life, with or without pongs.
func TestKeepaliveOfAClientThatSends(t *testing.T) {
	t.Parallel()
	for _, opcode := range []byte{opText, opPing, opPong} {
		s := start(t, link{}, newPuppet(t).readAll(), Options{})
		k := newKeepalive(t, s)
		for range 5 {
			before := s.wire.Reads.Load()
			s.write(maskedFrame(fin|opcode, nil))
			wspipetest.Eventually(t, "it is read", func() bool { return s.wire.Reads.Load() > before })
			if k.tick(); k.missed > 0 {
				t.Errorf("opcode %d: a ping is missed", opcode)
			}
			for f, err := s.frame(); f.first != fin|opPing; f, err = s.frame() { // before the next tick, which cancels the ping
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		s.write(closeFrame(1000, ""))
		if sum := s.summary(); sum.Code != 1000 {
			t.Errorf("summary %+v", sum)
		}
	}
}

// TestKeepaliveOfASilentClient: one that does not read may be silent. Once it has read everything, it has as much
// time to reply as any other.
func TestKeepaliveOfASilentClient(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := start(t, link{network: "unix"}, child, Options{}) // whose kernel accepts no more until it reads
	k := newKeepalive(t, s)
	const lines = 200
	go child.print(strings.Repeat(x(9999)+"\n", lines)) // ends when it was read
	wspipetest.Eventually(t, "output waits", func() bool { return s.wire.Out.Waiting() > wire.MaxUnsent })
	k.alive(t, 5)
	for n := 0; n < lines; {
		if f, err := s.frame(); err != nil {
			t.Fatal(err)
		} else if f.first == fin|opText {
			n++
		}
	}
	wspipetest.Eventually(t, "all is sent", func() bool { return s.wire.Out.Waiting() == 0 && wire.Unsent(s.wire.Conn) == 0 })
	for range 2 {
		k.checkAlive()
	}
	s.expectClose(1008, "no answer to pings")
}

// TestKeepaliveOfAClientThatWaits for the child: its replies are not read.
func TestKeepaliveOfAClientThatWaits(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	child.reader = true
	s := start(t, link{}, child, Options{InputTimeout: -1})
	k := newKeepalive(t, s)
	const messages = 3000
	go s.client.Write(append(bytes.Repeat(maskedFrame(fin|opText, []byte(x(999))), messages), closeFrame(1000, "")...)) // ends when it was read
	wspipetest.Eventually(t, "the client waits", func() bool { return s.bridge.stdin.Waiting() > maxInputBacklog })
	k.alive(t, 5)
	child.readAll()
	if got := wspipetest.Wait(t, "input", child.input); len(got) != messages*1000 {
		t.Errorf("input of %d bytes", len(got))
	}
}

// TestKeepaliveOfAHostThatIsDown does not wait for the client. The host drops all packets that it receives (socket(7),
// SO_ATTACH_FILTER).
func TestKeepaliveOfAHostThatIsDown(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"", x(2 << 20)} {
		child := newPuppet(t)
		s := start(t, link{buffers: 256 << 10}, child, Options{PingInterval: 250 * time.Millisecond})
		drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
		raw, err := s.Conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop})
		})
		if err != nil {
			t.Fatal(err)
		}
		go child.print(output) // ends with the puppet
		if sum := s.summary(); sum.Code != 1006 {
			t.Errorf("summary %+v", sum)
		}
	}
}

// TestPongsAreBounded: a client that floods us with pings and does not read gets no pong for each.
func TestPongsAreBounded(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	// Not TCP: if small buffers on both sides are full of small segments, Linux drops what it cannot hold, even
	// acknowledgements, and nothing moves.
	s := start(t, link{network: "unix"}, child, Options{})
	pings := bytes.Repeat(maskedFrame(fin|opPing, make([]byte, 125)), 1000)
	for range 20 {
		s.write(pings)
	}
	s.send("after them")
	child.read(t, len("after them\n"))
	if n := s.wire.Out.Waiting(); n <= wire.MaxUnsent || n > 2*wire.MaxUnsent+127 {
		t.Errorf("%d bytes queued", n)
	}
	child.print("output\n")
	child.exit(0, "")
	f, err := s.frame() // the pongs that there was room for, then the output
	for ; err == nil && f.first != fin|opText; f, err = s.frame() {
	}
	if err != nil {
		t.Fatal(err)
	}
	s.expectClose(1000, "exit 0")
}
