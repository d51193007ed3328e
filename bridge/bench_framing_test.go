//go:build unix

package bridge

import (
	"bytes"
	"strings"
	"testing"
)

// outputs are ways to send messages of 100 bytes of a child's stream.
var outputs = map[string]struct {
	Framing
	channel byte
	record  string
}{
	"lines":    {Lines, 0, strings.Repeat("x", 100) + "\n"},
	"bytes":    {Bytes, 0, strings.Repeat("x", 64<<10)},
	"nul":      {NUL, 0, encoded(NUL, strings.Repeat("x", 100))},
	"length":   {Length, 0, encoded(Length, strings.Repeat("x", 100))},
	"lsp":      {LSP, 0, encoded(LSP, strings.Repeat("x", 100))},
	"json":     {JSON, 0, strings.Repeat("x", 100) + "\n"},
	"channels": {Bytes, ChannelStdout, strings.Repeat("x", 64<<10)},
}

// What a message of each framing costs that a flooding child writes.
func BenchmarkOutboundFramings(b *testing.B) {
	for name, out := range outputs {
		b.Run(name, func(b *testing.B) { benchmarkOutbound(b, out.Framing, out.channel, out.record) })
	}
}

// What a message of 64 bytes costs that a client floods the child with.
func BenchmarkInboundFramings(b *testing.B) {
	block := bytes.Repeat(maskedFrame(fin|opBinary, make([]byte, 64)), 1000)
	for _, f := range []Framing{Lines, Bytes, NUL, Length, LSP} {
		b.Run(f.String(), func(b *testing.B) {
			benchmarkInbound(b, &inbound{codec: framings[f].codec(), whole: framings[f].whole}, 64, block)
		})
	}
	b.Run("channels", func(b *testing.B) {
		benchmarkInbound(b, &inbound{codec: chunks(1), obey: func(channel byte, message []byte) { b.Error("a message on", channel) }}, 64, block)
	})
}
