//go:build unix

package bridge

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// TestEndsFromSeveralSidesAtOnce: sessions end for several reasons at once while both streams and the client flood. Run
// returns, and nothing is left running.
func TestEndsFromSeveralSidesAtOnce(t *testing.T) {
	t.Parallel()
	ends := []func(*attachedClient, *puppet){
		func(s *attachedClient, _ *puppet) { s.Shutdown() },
		func(s *attachedClient, _ *puppet) { s.Abort() },
		func(s *attachedClient, _ *puppet) { s.client.Close() },
		func(s *attachedClient, _ *puppet) { s.Write(closeFrame(1000, "bye")) },
		func(s *attachedClient, _ *puppet) { s.Write(maskedFrame(fin|opText, []byte("\xff"))) },
		func(s *attachedClient, _ *puppet) { s.Write([]byte{0xff, 0xff, 0xff}) },
		func(_ *attachedClient, child *puppet) { child.exit(3, "") },
		func(s *attachedClient, _ *puppet) {
			s.Write(maskedFrame(fin|opBinary, []byte{channel.Close, channel.Stdin}))
		},
	}
	for name, test := range map[string]struct {
		link
		framing.Framing
		flood string
	}{
		"lines":  {link{}, framing.Lines, strings.Repeat("line\n", 1000)},
		"json":   {link{}, framing.JSON, x(99_999) + "\nshort\n"},
		"length": {link{compress: true}, framing.Length, encoded(framing.Length, x(100_000)) + encoded(framing.Length, "x")},
		"broken": {link{}, framing.Length, strings.Repeat(encoded(framing.Length, x(1000)), 20) + "\xff\xff\xff\xff"},
		"wspipe": {link{protocol: channel.ProtocolWspipe}, framing.Lines, x(10_000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range 8 {
				child := newPuppet(t)
				s := start(t, test.link, child, Options{Framing: test.Framing, MaxMessage: 100_000, PingInterval: 5 * time.Millisecond})
				var flooding sync.WaitGroup
				for _, f := range child.far[1:] {
					flooding.Go(func() { // ends with the child
						for err := error(nil); err == nil; {
							_, err = f.WriteString(test.flood)
						}
					})
				}
				flooding.Go(func() { // ends with the connection
					input := bytes.Repeat(maskedFrame(fin|opBinary, []byte("\x00input")), 100)
					for err := error(nil); err == nil; {
						_, err = s.Write(input)
					}
				})
				if i%2 == 0 {
					flooding.Go(func() { io.Copy(io.Discard, s.client.Conn) })
				}
				start := make(chan bool)
				for range 3 {
					flooding.Go(func() { // ends at once
						<-start
						ends[rand.N(len(ends))](s, child)
					})
				}
				close(start)
				flooding.Go(func() { // in case none of these has ended it
					s.Shutdown()
					s.client.Close()
				})
				if sum := s.summary(); sum.Code == 0 {
					t.Errorf("summary %+v", sum)
				}
				flooding.Wait()
			}
		})
	}
}

// TestLostClientDoesNotBlockTheChild, which may take time to stop, and print meanwhile, even if the client's end of the
// connection is still open.
func TestLostClientDoesNotBlockTheChild(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	child.reader = true // Stop waits for exit
	s := start(t, link{buffers: 256 << 10}, child, Options{InputTimeout: -1})
	s.write(bytes.Repeat(maskedFrame(fin|opText, make([]byte, 999)), 1300)) // the kernel takes what is not read, or it could not report the hang-up
	wspipetest.Eventually(t, "input waits", func() bool { return s.bridge.stdin.Waiting() > maxInputBacklog })
	go func() { // ends when everything was read
		child.print(x(4 << 20))
		child.exit(0, "")
	}()
	wspipetest.Eventually(t, "output waits", func() bool { return s.wire.Out.Waiting() > wire.MaxUnsent })
	s.TCP().CloseWrite()
	if sum := s.summary(); sum.Code != 1006 || sum.ExitCode != 0 {
		t.Errorf("summary %+v", sum)
	}
}

// TestRunClosesDescriptors: after Run, no descriptor is left except those of the client and of the test's child. (Any
// goroutine that is left fails TestMain.) It is not parallel, because it counts descriptors.
func TestRunClosesDescriptors(t *testing.T) {
	for name, leave := range map[string]func(*attachedClient, *puppet){
		"exit":     func(s *attachedClient, child *puppet) { child.exit(0, ""); s.expectClose(1000, "exit 0") },
		"frame":    func(s *attachedClient, _ *puppet) { s.write(closeFrame(1000, "")) },
		"close":    func(s *attachedClient, _ *puppet) { s.client.Close() },
		"shutdown": func(s *attachedClient, _ *puppet) { s.Shutdown(); s.expectClose(1001, "server shutting down") },
		"abort":    func(s *attachedClient, _ *puppet) { s.Abort() },
		"invalid":  func(s *attachedClient, _ *puppet) { s.write(bytes.Repeat([]byte{0xff}, 14)); s.client.Close() },
	} {
		before := descriptors(t)
		child := newPuppet(t)
		s := start(t, link{}, child, Options{})
		leave(s, child)
		s.lose()
		child.far[0].Close()
		if n := descriptors(t); n > before {
			t.Errorf("%s: %d descriptors, %d before", name, n, before)
		}
	}
}

// descriptors returns the number of our file descriptors.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
