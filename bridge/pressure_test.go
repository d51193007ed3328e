//go:build unix

package bridge

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// A child that does not read blocks a client with channels, too. A client that does not read
// blocks both streams of the child, in bounded memory. Nothing is lost.
func TestChannelsBackpressure(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, protocol string) {
		const size = 8_000_000
		child := newPuppet(t)
		child.reader = true
		s := onChannels(t, protocol, child, named)
		written := make(chan int, 2)
		for i := 1; i <= 2; i++ {
			go func() { // ends when the client has read everything
				n, _ := io.WriteString(child.far[i], strings.Repeat(fmt.Sprint(i), size))
				written <- n
			}()
		}
		sent := bytes.Repeat(maskedFrame(fin|opBinary, append([]byte{channel.Stdin}, strings.Repeat("x", 999)...)), size/999+1)
		n := heldUpAfter(t, s, sent)
		if w := s.stdin.Waiting(); w > maxInputBacklog+2*wire.BlockSize {
			t.Errorf("%d bytes queued for the child", w)
		}
		wspipetest.Eventually(t, "output waits for the client", func() bool { return s.wire.Out.Waiting() >= wire.MaxUnsent })
		if w := s.wire.Out.Waiting(); w > 2*(wire.MaxUnsent+maxBatch+wire.BlockSize) {
			t.Errorf("%d bytes queued for the client", w)
		}
		if len(written) > 0 {
			t.Error("the child was not blocked")
		}
		input := make(chan int)
		go func() { // ends with stdin
			got, _ := io.Copy(io.Discard, child.far[0])
			input <- int(got)
		}()
		go s.client.Write(append(sent[n:], maskedFrame(fin|opBinary, []byte{channel.Close, channel.Stdin})...)) // ends when it was read
		s.greeted()
		var got [3]int
		for got[1]+got[2] < 2*size {
			channel, payload := s.channelMessage()
			if strings.Trim(payload, fmt.Sprint(channel)) != "" {
				t.Errorf("%.50q on channel %d", payload, channel)
			}
			got[channel] += len(payload)
		}
		if got[1] != size || got[2] != size {
			t.Errorf("%v bytes arrived", got)
		}
		if protocol != channel.ProtocolV4 {
			if n := wspipetest.Wait(t, "input", input); n != (size/999+1)*999 {
				t.Errorf("the child got %d bytes", n)
			}
			child.exit(0, "")
			return
		}
		s.client.Close()
		child.exit(0, "")
		wspipetest.Wait(t, "input", input)
	})
}

// What is queued for a client that does not read stays within the documented limits, with any
// framing.
func TestQueuedOutputIsBounded(t *testing.T) {
	t.Parallel()
	for mode, test := range map[framing.Framing]struct {
		record string
		most   int
	}{
		framing.Lines:  {"\n", wire.MaxUnsent + maxBatch + 3*wire.BlockSize},
		framing.NUL:    {"\xff\x00", wire.MaxUnsent + maxBatch + 3*wire.BlockSize},
		framing.Length: {"\x00\x00\x00\x00", wire.MaxUnsent + maxBatch + 3*wire.BlockSize},
		framing.LSP:    {encoded(framing.LSP, strings.Repeat("\xff", 100_000)), wire.MaxUnsent + maxBatch + 3*wire.BlockSize},
		framing.JSON:   {strings.Repeat("\x01", 120_000) + "\n", wire.MaxUnsent + maxBatch + 6*wire.BlockSize},
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			s := startOver(t, link{buffers: 64 << 10}, child, Options{Framing: mode})
			go func() { // ends with the child
				for {
					if _, err := io.WriteString(child.far[1], strings.Repeat(test.record, 1+wire.BlockSize/len(test.record))); err != nil {
						return
					}
				}
			}()
			most := 0
			for waits := 0; waits < 100; {
				n := s.wire.Out.Waiting()
				if most = max(most, n); n > wire.MaxUnsent {
					waits++
					if waits%10 == 0 {
						s.br.Discard(10_000)
					}
				}
			}
			if most > test.most {
				t.Errorf("%d bytes were queued, of at most %d", most, test.most)
			}
		})
	}
}
