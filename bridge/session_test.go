//go:build unix

package bridge

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// Each way in which a child ends, and what the client gets.
func TestChildEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		opt    Options
		want   End
		exit   int
		signal string
	}{
		"success":                     {"echo a; echo b", Options{}, End{Code: 1000, Reason: "exit 0"}, 0, ""},
		"failure":                     {"echo a; echo b; exit 3", Options{}, End{Code: 1000, Reason: "exit 3"}, 3, ""},
		"signal":                      {"echo a; echo b; kill -TERM $$", Options{}, End{Code: 1000, Reason: "signal TERM"}, 143, "TERM"},
		"success with a close code":   {"echo a; echo b", Options{ExitCloseCode: true}, End{Code: 1000, Reason: "exit 0"}, 0, ""},
		"failure with a close code":   {"echo a; echo b; exit 3", Options{ExitCloseCode: true}, End{Code: 4003, Reason: "exit 3"}, 3, ""},
		"signal with a close code":    {"echo a; echo b; kill -TERM $$", Options{ExitCloseCode: true}, End{Code: 4143, Reason: "signal TERM"}, 143, "TERM"},
		"last line without newline":   {"printf 'a\\nb'", Options{}, End{Code: 1000, Reason: "exit 0"}, 0, ""},
		"stdin closed from the start": {"exec <&-; echo a; echo b", Options{}, End{Code: 1000, Reason: "exit 0"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, startShell(t, test.script), test.opt)
			s.expect("a", "b")
			s.expectClose(int(test.want.Code), test.want.Reason)
			test.want.from = childExit
			want := Summary{End: test.want, ExitCode: test.exit, Signal: test.signal, Out: Traffic{Messages: 2, Bytes: 2}}
			if sum := s.summary(); sum != want {
				t.Errorf("summary %+v, want %+v", sum, want)
			}
		})
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]link{"TCP": {}, "unix": {network: "unix"}, "TLS": {tls: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startOver(t, l, startShell(t, "exec cat"), Options{})
			for i, size := range []int{0, 1, 125, 126, 1000, 65535, 65536, 300_000} {
				line := strings.Repeat(strconv.Itoa(i), size)
				s.send(line)
				s.expect(line)
			}
			s.Client.Shutdown()
			s.expectClose(1001, "server shutting down")
		})
	}
}

// Any disconnection of a client ends its child.
func TestClientDisconnects(t *testing.T) {
	t.Parallel()
	lost := End{Code: 1006, Reason: "connection lost", by: byLoss}
	for name, test := range map[string]struct {
		leave func(*client)
		want  End
	}{
		"with a code":   {func(c *client) { c.write(closeFrame(4321, "bye")) }, End{Code: 4321, Reason: "bye", by: byClient}},
		"without one":   {func(c *client) { c.write(maskedFrame(fin|wire.OpClose, nil)) }, End{Code: 1005, by: byClient}},
		"closing":       {func(c *client) { c.Close() }, lost},
		"half closing":  {func(c *client) { c.Conn.(*net.TCPConn).CloseWrite() }, lost},
		"with a reset":  {(*client).reset, lost},
		"within header": {func(c *client) { c.write([]byte{fin | opText}); c.Close() }, lost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, startShell(t, "echo up; exec sleep 1000"), Options{})
			s.expect("up")
			test.leave(s.client)
			if test.want.by == byClient {
				f, err := s.frame()
				if err != nil || f.first != fin|wire.OpClose {
					t.Errorf("want a close frame: %v, %v", f, err)
				}
				s.client.Close()
			}
			if sum := s.summary(); sum.End != test.want || sum.Signal != "KILL" {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

// The same for a child that ignores its stdin and a client that has sent more than we may
// queue. The client's FIN is behind data that our kernel does not accept, and only the reply
// to a ping reveals it.
func TestClientDisconnectsBehindUnreadData(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*client){"closing": func(c *client) { c.Close() }, "with a reset": (*client).reset} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startOver(t, link{buffers: 256 << 10}, startShell(t, "exec sleep 1000"), Options{PingInterval: time.Second})
			heldUpAfter(t, s, bytes.Repeat(maskedFrame(fin|opText, make([]byte, 999)), 5000))
			leave(s.client)
			if sum := s.summary(); sum.Code != 1006 || sum.Signal != "KILL" {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

// A client disconnects although output is queued for it.
func TestClientDisconnectsInAFlood(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*client){
		"closing":      func(c *client) { c.Close() },
		"with a reset": (*client).reset,
		"with a code":  func(c *client) { c.write(closeFrame(1000, "")); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startOver(t, link{buffers: 256 << 10}, startShell(t, "exec yes"), Options{})
			s.expect("y", "y")
			wspipetest.Eventually(t, "output waits", func() bool { return s.wire.Out.Waiting() > wire.MaxUnsent })
			leave(s.client)
			if sum := s.summary(); sum.Signal != "KILL" {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

// A child may take time to stop, and print meanwhile. A lost client does not block it, even if
// the client's end of the connection is still open.
func TestLostClientDoesNotBlockTheChild(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	child.reader = true // Stop waits for exit
	s := startOver(t, link{buffers: 256 << 10}, child, patient)
	s.write(bytes.Repeat(maskedFrame(fin|opText, make([]byte, 999)), 1300))
	wspipetest.Eventually(t, "input waits", func() bool { return s.stdin.Waiting() > maxInputBacklog })
	go func() { // ends when everything was read
		child.far[1].Write(make([]byte, 8<<20))
		child.exit(0, "")
	}()
	wspipetest.Eventually(t, "output waits", func() bool { return s.wire.Out.Waiting() > wire.MaxUnsent })
	s.Conn.(*net.TCPConn).CloseWrite()
	if sum := s.summary(); sum.Code != 1006 || sum.ExitCode != 0 {
		t.Errorf("summary %+v", sum)
	}
}

// If a child exits while the client sends, no output is lost.
func TestChildExitsWhileTheClientSends(t *testing.T) {
	t.Parallel()
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for range 25 {
				s := startOver(t, link{buffers: 256 << 10}, startShell(t, "read l; seq 3000"), Options{})
				sending := make(chan struct{})
				go func() { // ends when the connection does
					defer close(sending)
					line := maskedFrame(fin|opText, bytes.Repeat([]byte("x"), 2000))
					for {
						if _, err := s.Write(line); err != nil {
							return
						}
					}
				}()
				for i := range 3000 {
					s.expect(strconv.Itoa(i + 1))
				}
				expectCloseOf(t, s, "exit 0")
				s.client.Close()
				s.summary()
				<-sending
			}
		})
	}
}

// expectCloseOf expects close code 1000 while another goroutine still writes.
func expectCloseOf(t *testing.T, s *session, reason string) {
	t.Helper()
	if f, err := s.frame(); err != nil || f.first != fin|wire.OpClose || string(f.payload) != "\x03\xe8"+reason {
		t.Fatalf("want close code 1000 %q: %v, %v", reason, f, err)
	}
}

// A client gets everything, however late it reads.
func TestSlowReaderGetsEverythingAfterTheExit(t *testing.T) {
	t.Parallel()
	const lines = 300_000
	child := startShell(t, fmt.Sprintf("seq %d; printf last; exit 7", lines))
	s := startOver(t, link{buffers: 256 << 10}, child, Options{})
	wspipetest.Eventually(t, "output waits", func() bool { return s.wire.Out.Waiting() > wire.MaxUnsent })
	for i := range lines {
		s.expect(strconv.Itoa(i + 1))
	}
	s.expect("last")
	s.expectClose(1000, "exit 7")
}

// The output of an exited child is queued in our memory and the kernel's for its client.
func TestReaderThatStartsAfterTheExit(t *testing.T) {
	t.Parallel()
	const lines = 20_000
	child := startShell(t, fmt.Sprintf("seq %d", lines))
	s := startOver(t, link{buffers: 256 << 10}, child, Options{})
	wspipetest.Wait(t, "the child's exit", child.exited)
	for i := range lines {
		s.expect(strconv.Itoa(i + 1))
	}
	s.expectClose(1000, "exit 0")
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{"idle": "exec sleep 1000", "echo": "exec cat", "ignores EOF": "while :; do read x || sleep 1; done"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, startShell(t, script), Options{})
			s.Client.Shutdown()
			s.Client.Shutdown()
			s.expectClose(1001, "server shutting down")
			if sum := s.summary(); sum.End != endShutdown {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

// Neither the child nor the client reads.
func TestShutdownWhileBlockedBothWays(t *testing.T) {
	t.Parallel()
	s := startOver(t, link{buffers: 256 << 10}, startShell(t, "exec yes"), Options{})
	heldUpAfter(t, s, bytes.Repeat(maskedFrame(fin|opText, make([]byte, 999)), 5000))
	wspipetest.Eventually(t, "output waits", func() bool { return s.wire.Out.Waiting() > wire.MaxUnsent })
	s.Client.Shutdown()
	for {
		f, err := s.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.first == fin|wire.OpClose {
			if string(f.payload) != "\x03\xe9server shutting down" {
				t.Errorf("closed with %q", f.payload)
			}
			break
		}
	}
	s.client.Close()
	if sum := s.summary(); sum.End != endShutdown || sum.Signal != "KILL" {
		t.Errorf("summary %+v", sum)
	}
}

func TestShutdownBeforeRun(t *testing.T) {
	t.Parallel()
	c, ws, conn := connect(t, link{})
	s := newSession(ws, conn, startShell(t, "exec cat"), Options{})
	s.Shutdown()
	ended := make(chan Summary, 1)
	go func() { ended <- s.Run() }() // ends when the client has answered
	c.expectClose(1001, "server shutting down")
	if sum := wspipetest.Wait(t, "the end of Run", ended); sum.End != endShutdown {
		t.Errorf("summary %+v", sum)
	}
}

// Run does not wait for a silent client after Abort.
func TestAbort(t *testing.T) {
	t.Parallel()
	for name, shutdown := range map[string]bool{"after Shutdown": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wspipetest.Soon(t, 5*time.Second, func() time.Duration {
				s := startOver(t, link{buffers: 256 << 10}, startShell(t, "exec yes"), Options{})
				wspipetest.Eventually(t, "output waits", func() bool { return s.wire.Out.Waiting() > wire.MaxUnsent })
				if shutdown {
					s.Client.Shutdown()
				}
				started := time.Now()
				s.Client.Abort()
				s.summary()
				return time.Since(started)
			})
		})
	}
}

// A client that violates the protocol gets a close frame.
func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	unmasked := append(frameHeader(fin|opText, 0, 4), "text"...)
	for name, sent := range map[string][]byte{
		"unmasked frame":              unmasked,
		"reserved data opcode":        maskedFrame(fin|3, nil),
		"reserved control opcode":     maskedFrame(fin|0xB, nil),
		"RSV1":                        maskedFrame(fin|0x40|opText, nil),
		"RSV2":                        maskedFrame(fin|0x20|opText, nil),
		"RSV3":                        maskedFrame(fin|0x10|opPing, nil),
		"continuation of nothing":     maskedFrame(fin|wire.OpContinuation, nil),
		"message within a message":    append(maskedFrame(opText, []byte("a")), maskedFrame(fin|opText, nil)...),
		"fragmented ping":             maskedFrame(opPing, nil),
		"long ping":                   maskedFrame(fin|opPing, make([]byte, 126)),
		"close frame with half code":  maskedFrame(fin|wire.OpClose, []byte{3}),
		"close frame with code 1005":  closeFrame(1005, ""),
		"close frame with code 1006":  closeFrame(1006, ""),
		"negative length":             append(frameHeader(fin|opText, 0x80, 1<<16)[:2], bytes.Repeat([]byte{0xff}, 12)...),
		"unmasked within the message": append(maskedFrame(opText, []byte("a")), frameHeader(fin|wire.OpContinuation, 0, 0)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t).readAll()
			s := start(t, child, patient)
			s.send("before")
			s.write(sent)
			f, err := s.frame()
			if err != nil || f.first != fin|wire.OpClose || len(f.payload) < 2 || string(f.payload[:2]) != "\x03\xea" {
				t.Errorf("want close code 1002: %v, %v", f, err)
			}
			s.client.Close()
			if got := string(wspipetest.Wait(t, "input", child.input)); got != "before\n" {
				t.Errorf("input %q", got)
			}
			if sum := s.summary(); sum.Code != websocket.StatusProtocolError {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}
