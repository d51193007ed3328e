//go:build unix

package bridge

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// pause pauses the output and returns once that has an effect.
func (a *attachedClient) pause() {
	a.t.Helper()
	a.say(channel.Control, `{"type":"pause"}`)
	wspipetest.Eventually(a.t, "the pause", a.wire.Out.Paused)
}

// resume ends the pause.
func (a *attachedClient) resume() { a.say(channel.Control, `{"type":"continue"}`) }

// numbered returns n numbered lines.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

// TestPauseIsNoDeadlock: a client that sends more than may be queued for the child is read again only after the child
// has read some of it, and the child may have to write first. So they must not wait for each other in a pause.
func TestPauseIsNoDeadlock(t *testing.T) {
	t.Parallel()
	text := numbered(400_000) // 2.7 MB
	child := newPuppet(t)
	s := start(t, onWspipe, child, Options{})
	s.greeted()
	s.pause()
	go func() { // ends with stdin
		io.Copy(child.far[1], child.far[0])
		child.exit(0, "")
	}()
	go func() { // ends when everything was read
		for rest := text; rest != ""; {
			n := min(len(rest), 100_000)
			s.client.Write(maskedFrame(fin|opBinary, []byte("\x00"+rest[:n])))
			rest = rest[n:]
		}
		s.client.Write(maskedFrame(fin|opBinary, []byte("\x05"+`{"type":"continue"}`)))
		s.client.Write(maskedFrame(fin|opBinary, []byte{channel.Close, channel.Stdin}))
	}()
	if s.stream(channel.Stdout, len(text)) != text {
		t.Error("the echo differs")
	}
	s.expectClose(1000, "exit 0")
}

// TestPauseContinuesAfterMuchInput: the pause is suspended while the client is not read.
func TestPauseContinuesAfterMuchInput(t *testing.T) {
	t.Parallel()
	const messages = 2 * maxInputBacklog / 50_000
	child := newPuppet(t)
	s := start(t, onWspipe, child, Options{})
	s.greeted()
	s.pause()
	for range messages {
		go s.client.Write(maskedFrame(fin|opBinary, make([]byte, 50_000))) // ends when it was read
	}
	wspipetest.Eventually(t, "the client waits", func() bool { return s.bridge.stdin.Waiting() > maxInputBacklog && !s.wire.Out.Paused() })
	child.print("the client is not heard")
	s.stream(channel.Stdout, len("the client is not heard"))
	go io.Copy(io.Discard, child.far[0]) // ends with stdin
	wspipetest.Eventually(t, "all is read", func() bool { return s.input.total.messages.Load() == messages })
	wspipetest.Eventually(t, "the child has it, and the client is heard", func() bool { return s.bridge.stdin.Waiting() == 0 && s.wire.Out.Paused() })
	child.print("not yet")
	s.write(maskedFrame(fin|opPing, nil))
	if f, err := s.frame(); err != nil || f.first != fin|opPong {
		t.Errorf("in a pause %#x %q, %v", f.first, f.payload, err)
	}
	s.resume()
	s.stream(channel.Stdout, len("not yet"))
}

// TestPausesAndEndsAtRandom: a client that pauses and continues at any moment gets every byte, and any end of the
// connection meanwhile takes effect.
func TestPausesAndEndsAtRandom(t *testing.T) {
	t.Parallel()
	text := numbered(20_000)
	for name, end := range map[string]func(*attachedClient){
		"exit":     func(*attachedClient) {},
		"shutdown": func(a *attachedClient) { a.Shutdown() },
		"close":    func(a *attachedClient) { a.client.Close() },
		"frame":    func(a *attachedClient) { a.Write(closeFrame(1000, "")) },
		"abort":    func(a *attachedClient) { a.Abort() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			go io.Copy(io.Discard, child.far[0]) // ends with stdin
			s := start(t, onWspipe, child, Options{})
			var busy, printing sync.WaitGroup
			printing.Go(func() { child.print(text) }) // ends when it was read, or with the child
			printing.Go(func() { child.alert(text) })
			busy.Go(func() { printing.Wait(); child.exit(0, "") })
			busy.Go(func() { // ends with the connection
				for err := error(nil); err == nil; {
					_, err = s.Write(maskedFrame(fin|opBinary, []byte("\x05"+`{"type":"pause"}`)))
					s.Write(maskedFrame(fin|opBinary, []byte("\x00input\n")))
					s.Write(maskedFrame(fin|opBinary, []byte("\x05"+`{"type":"continue"}`)))
				}
			})
			var streams [6]strings.Builder
			for left := rand.N(2 * len(text)); ; {
				f, err := s.frame()
				if err != nil || f.first == fin|wire.OpClose {
					break
				}
				streams[f.payload[0]].Write(f.payload[1:])
				if before := left; before > 0 {
					if left -= len(f.payload); left <= 0 {
						end(s)
					}
				}
			}
			s.lose()
			busy.Wait()
			for i := channel.Stdout; i <= channel.Stderr; i++ {
				if got := streams[i].String(); !strings.HasPrefix(text, got) || got != text && name == "exit" {
					t.Errorf("%d bytes of stream %d arrived, want %d", len(got), i, len(text))
				}
			}
		})
	}
}
