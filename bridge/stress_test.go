//go:build unix

package bridge

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
)

// Sessions end for several reasons at once while both streams and the client flood: Run
// returns, and nothing is left running.
func TestEndsFromSeveralSidesAtOnce(t *testing.T) {
	t.Parallel()
	ends := []func(*session){
		func(s *session) { s.Client.Shutdown() },
		func(s *session) { s.Client.Abort() },
		func(s *session) { s.client.Close() },
		func(s *session) { s.Write(closeFrame(1000, "bye")) },
		func(s *session) { s.Write(maskedFrame(fin|opText, []byte("\xff"))) },
		func(s *session) { s.Write([]byte{0xff, 0xff, 0xff}) },
		func(s *session) { s.child.(*puppet).exit(3, "") },
		func(s *session) { s.Write(maskedFrame(fin|opBinary, []byte{channel.Close, channel.Stdin})) },
	}
	for name, test := range map[string]struct {
		link
		framing.Framing
		flood string
	}{
		"lines":   {link{}, framing.Lines, strings.Repeat("line\n", 1000)},
		"json":    {link{}, framing.JSON, strings.Repeat("x", 99_999) + "\nshort\n"},
		"lsp":     {link{}, framing.LSP, encoded(framing.LSP, strings.Repeat("é", 50_000)) + encoded(framing.LSP, "")},
		"length":  {link{compress: true}, framing.Length, encoded(framing.Length, strings.Repeat("x", 100_000)) + encoded(framing.Length, "x")},
		"broken":  {link{}, framing.Length, strings.Repeat(encoded(framing.Length, strings.Repeat("x", 1000)), 20) + "\xff\xff\xff\xff"},
		"wspipe":  {link{protocol: channel.ProtocolWspipe}, framing.Lines, strings.Repeat("x", 10_000)},
		"v5, TLS": {link{protocol: channel.ProtocolV5, tls: true}, framing.Lines, strings.Repeat("x", 10_000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range 20 {
				child := newPuppet(t)
				s := startOver(t, test.link, child, Options{Framing: test.Framing, MaxMessage: 100_000, PingInterval: time.Millisecond * 5})
				var flooding sync.WaitGroup
				for _, f := range child.far[1:] {
					flooding.Go(func() { // ends with the child
						for {
							if _, err := f.WriteString(test.flood); err != nil {
								return
							}
						}
					})
				}
				flooding.Go(func() { // ends with the connection
					burst := bytes.Repeat(maskedFrame(fin|opBinary, []byte("\x00input")), 100)
					for {
						if _, err := s.Write(burst); err != nil {
							return
						}
					}
				})
				if i%2 == 0 {
					flooding.Go(func() { <-discard(s.client.Conn) })
				}
				r := rand.New(rand.NewPCG(3, uint64(i)))
				start := make(chan bool)
				for range 3 {
					end := ends[r.IntN(len(ends))]
					flooding.Go(func() { // ends at once
						<-start
						end(s)
					})
				}
				close(start)
				flooding.Go(func() { // in case none of these has ended it
					s.Client.Shutdown()
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
