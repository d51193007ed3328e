//go:build unix

package connect

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
)

// Signals are forwarded to the program if possible. The client then exits as the program does.
func TestSignalsAreForwarded(t *testing.T) {
	s := serve(t, nil, channel.ProtocolWspipe)
	c := startBinary(t, s.url().String())
	p := s.peer(t).hello(false)
	c.press("started")
	p.expect("\x00started")
	c.signal(syscall.SIGQUIT)
	p.expect("\x05" + `{"type":"signal","signal":"QUIT"}`)
	c.signal(os.Interrupt)
	p.expect("\x05" + `{"type":"signal","signal":"INT"}`)
	p.send(channel.Stdout, "caught it\n")
	p.Close(1000, "exit 7")
	c.expectStatus(7)
	if c.output() != "caught it\n" {
		t.Errorf("it wrote %q", c.output())
	}
}

// If the program ignores SIGINT, the third one ends the client.
func TestThirdInterruptEnds(t *testing.T) {
	s := serve(t, nil, channel.ProtocolWspipe)
	c := startBinary(t, s.url().String())
	p := s.peer(t).hello(false)
	c.press("started")
	p.expect("\x00started")
	for range 2 {
		c.signal(os.Interrupt)
		p.expect("\x05" + `{"type":"signal","signal":"INT"}`)
	}
	c.signal(os.Interrupt)
	p.expectClose(1000)
	c.expectStatus(130)
}

func TestInterruptsWithinASecond(t *testing.T) {
	at := time.Now()
	var i interrupts
	for n, test := range []struct {
		after time.Duration
		third bool
	}{{0, false}, {400, false}, {700, false}, {200, true}, {2000, false}, {1, false}, {1, true}} {
		at = at.Add(test.after * time.Millisecond)
		if got := i.isThird(at); got != test.third {
			t.Errorf("interrupt %d: %t", n, got)
		}
	}
}

// Signals that cannot be forwarded end the client.
func TestSignalsThatEnd(t *testing.T) {
	for name, test := range map[string]struct {
		protocols []string
		sig       syscall.Signal
	}{
		"SIGINT, plain":  {nil, syscall.SIGINT},
		"SIGQUIT, plain": {nil, syscall.SIGQUIT},
		"SIGINT, v5":     {[]string{channel.ProtocolV5}, syscall.SIGINT},
		"SIGTERM":        {[]string{channel.ProtocolWspipe}, syscall.SIGTERM},
		"SIGHUP":         {[]string{channel.ProtocolWspipe}, syscall.SIGHUP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, nil, test.protocols...)
			c := startBinary(t, "--reconnect", "--subprotocol=v1.wspipe,v5.channel.k8s.io", s.url().String())
			p := s.peer(t)
			if test.protocols != nil && test.protocols[0] == channel.ProtocolWspipe {
				p.hello(false)
			}
			c.press("started\n")
			if _, _, err := p.Read(p.ctx); err != nil {
				t.Fatal(err)
			}
			c.signal(test.sig)
			p.expectClose(1000)
			c.expectStatus(128 + int(test.sig))
			if c.output() != "" {
				t.Errorf("it wrote %q", c.output())
			}
		})
	}
}

// If the server does not answer the close frame, the client exits after some seconds, or at once at a
// second signal.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	for signals, limit := range map[int]time.Duration{1: 2*closeTimeout + 2*time.Second, 2: closeTimeout / 2} {
		wspipetest.Soon(t, limit, func() time.Duration {
			s := serve(t, nil, channel.ProtocolWspipe)
			c := startBinary(t, s.url().String())
			p := s.peer(t).hello(false)
			c.press("started")
			p.expect("\x00started")
			began := time.Now()
			c.signal(syscall.SIGTERM)
			if signals == 2 { // the kernel merges equal pending signals
				eventually(t, "its end", func() bool { return c.Process.Signal(syscall.SIGTERM) != nil })
			}
			c.expectStatus(143)
			return time.Since(began)
		})
	}
}

// A blocked write to stdout does not delay the exit for longer, either.
func TestSignalWhileStdoutIsStuck(t *testing.T) {
	t.Parallel()
	s := serve(t, nil, channel.ProtocolWspipe)
	stdout, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	c := newProcess(t, []string{s.url().String()})
	c.Stdout, c.Stderr = w, c
	c.launch()
	w.Close()
	p := s.peer(t).hello(false)
	p.expect("\xff\x00")
	p.send(channel.Stdout, strings.Repeat("x", 1<<20))
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	c.signal(syscall.SIGTERM)
	c.expectStatus(143)
}

// Between connections, every signal ends the client.
func TestSignalsWhileWaiting(t *testing.T) {
	c := startBinary(t, "--reconnect", "ws://127.0.0.1:1/")
	c.awaitOutput("reconnecting in")
	c.signal(os.Interrupt)
	c.expectStatus(130)
}

// A signal that was ignored at the start, as under nohup or in the background of a script, stays
// ignored.
func TestIgnoredSignals(t *testing.T) {
	s := serve(t, nil, channel.ProtocolWspipe)
	c := &process{t: t, ended: make(chan error, 1)}
	c.Cmd = exec.Command("sh", "-c", `trap '' HUP INT; exec "$0" connect "$1"`, wspipetest.Binary(t), s.url().String())
	c.Stdout, c.Stderr = c, c
	c.launch()
	p := s.peer(t).hello(false)
	p.expect("\xff\x00")
	c.signal(syscall.SIGHUP)
	c.signal(os.Interrupt)
	c.signal(syscall.SIGQUIT)
	p.expect("\x05" + `{"type":"signal","signal":"QUIT"}`)
	p.Close(1000, "exit 0")
	c.expectStatus(0)
}
