//go:build unix

package bridge

import (
	"testing"
	"time"

	"wspipe/bridge/wire"
)

// pingInterval is the interval of pings. A client has three of them to reply.
const pingInterval = time.Second

func TestKeepaliveOfAClientThatReplies(t *testing.T) {
	t.Parallel()
	child := newPuppet(t).readAll()
	s := start(t, child, Options{PingInterval: pingInterval, InputTimeout: -1})
	for range 5 {
		f, err := s.frame()
		if err != nil || f.first != fin|opPing {
			t.Fatalf("want a ping: %v, %v", f, err)
		}
		s.write(maskedFrame(fin|opPong, f.payload))
	}
	s.write(closeFrame(1000, ""))
	if sum := s.summary(); sum.Code != 1000 {
		t.Errorf("summary %+v", sum)
	}
}

// A client that sends anything is alive, with or without pongs.
func TestKeepaliveOfAClientThatOnlySends(t *testing.T) {
	t.Parallel()
	for name, opcode := range map[string]byte{"messages": opText, "pings": opPing, "pongs for nothing": opPong} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t).readAll()
			s := start(t, child, Options{PingInterval: pingInterval, InputTimeout: -1})
			tick, done := time.NewTicker(pingInterval/10), time.After(6*pingInterval)
			defer tick.Stop()
			for sending := true; sending; {
				select {
				case <-tick.C:
					s.write(maskedFrame(fin|opcode, nil))
				case <-done:
					sending = false
				}
			}
			s.write(closeFrame(1000, ""))
			if sum := s.summary(); sum.Code != 1000 {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

func TestKeepaliveOfASilentClient(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := start(t, child, Options{PingInterval: pingInterval})
	child.print(t, "it could have answered before this\n")
	s.expect("it could have answered before this")
	for pings := 0; ; pings++ {
		f, err := s.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.first == fin|wire.OpClose {
			if string(f.payload) != "\x03\xf0no answer to pings" {
				t.Errorf("closed with %q", f.payload)
			}
			if pings += s.pings; pings < 2 || pings > 3 { // a third ping may precede the close frame
				t.Errorf("closed after %d pings without a pong", pings)
			}
			break
		}
		if f.first != fin|opPing {
			t.Fatalf("frame %#x", f.first)
		}
	}
	s.client.Close()
	if sum := s.summary(); sum.Code != 1008 || sum.Signal != "TERM" {
		t.Errorf("summary %+v", sum)
	}
}
