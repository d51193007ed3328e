//go:build unix

package bridge

import (
	"bytes"
	"io"
	"os"
	"testing"
)

// outputs are ways to send messages of 100 bytes of a child's stream.
var outputs = map[string]struct {
	Framing
	channel byte
	record  string
}{
	"lines":    {Lines, 0, string(bytes.Repeat([]byte("x"), 100)) + "\n"},
	"bytes":    {Bytes, 0, string(bytes.Repeat([]byte("x"), 64<<10))},
	"nul":      {NUL, 0, encoded(NUL, string(bytes.Repeat([]byte("x"), 100)))},
	"length":   {Length, 0, encoded(Length, string(bytes.Repeat([]byte("x"), 100)))},
	"lsp":      {LSP, 0, encoded(LSP, string(bytes.Repeat([]byte("x"), 100)))},
	"json":     {JSON, 0, string(bytes.Repeat([]byte("x"), 100)) + "\n"},
	"channels": {Bytes, ChannelStdout, string(bytes.Repeat([]byte("x"), 64<<10))},
}

// What a message of each framing costs that a flooding child writes.
func BenchmarkOutboundFramings(b *testing.B) {
	for name, out := range outputs {
		b.Run(name, func(b *testing.B) {
			c, ws, wire := connect(b, link{})
			done := discard(c)
			o := newOutbound(ws, wire, out.Framing)
			if o.channel = out.channel; out.channel != 0 {
				o.codec = chunks(maxStreamMessage - lead)
			}
			block := bytes.Repeat([]byte(out.record), 1+64<<10/len(out.record))
			b.SetBytes(int64(len(out.record)))
			b.ReportAllocs()
			b.ResetTimer()
			o.run(&repeated{text: block, left: b.N * len(out.record)})
			wire.Out.Wait(0)
			b.StopTimer()
			wire.Abort()
			<-done
		})
	}
}

// What a message of 64 bytes costs that a client floods the child with.
func BenchmarkInboundFramings(b *testing.B) {
	for _, f := range []Framing{Lines, Bytes, NUL, Length, LSP} {
		b.Run(f.String(), func(b *testing.B) {
			benchmarkInbound(b, &inbound{codec: framings[f].codec(), whole: framings[f].whole})
		})
	}
	b.Run("channels", func(b *testing.B) {
		benchmarkInbound(b, &inbound{codec: chunks(1), obey: func(channel byte, message []byte) { b.Error("a message on", channel) }})
	})
}

func benchmarkInbound(b *testing.B, in *inbound) {
	c, ws, wire := connect(b, link{})
	ws.SetReadLimit(-1)
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	go io.Copy(io.Discard, r) // ends when w is closed
	in.ws, in.out = ws, newOutflow(w)
	in.wait = func() {
		if in.out.Waiting() > maxWaiting {
			in.out.Wait(maxWaiting / 2)
		}
	}
	wire.onIdle = in.handOn
	block := bytes.Repeat(maskedFrame(fin|opBinary, make([]byte, 64)), 1000)
	b.SetBytes(64)
	b.ReportAllocs()
	b.ResetTimer()
	go func() { // ends with the connection
		for {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	}()
	for range b.N {
		if err := in.receive(); err != nil {
			b.Fatal(err)
		}
		in.wait()
	}
	b.StopTimer()
	in.out.Close()
	wire.Abort()
}
