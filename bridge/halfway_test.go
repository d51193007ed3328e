//go:build unix

package bridge

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// A client disconnects between frames, or after a frame's header, or after what one read
// returned: the bytes received so far are no message.
func TestClientDisconnectsWhereAFrameCouldEnd(t *testing.T) {
	t.Parallel()
	half := maskedFrame(opText, []byte("half"))
	frame := maskedFrame(fin|opText, []byte("whole"))
	long := maskedFrame(fin|opText, bytes.Repeat([]byte("x"), 2*wire.BlockSize))
	for name, sent := range map[string][]byte{
		"between frames":  half,
		"within a header": append(half[:len(half):len(half)], fin|wire.OpContinuation),
		"after a header":  append(half[:len(half):len(half)], maskedFrame(fin|wire.OpContinuation, []byte("x"))[:6]...),
		"after the first": frame[:6],
		"a full batch":    long[:14+wire.BlockSize-joinRoom],
		"more than that":  long[:14+wire.BlockSize],
	} {
		for link, l := range map[string]link{"TCP": {}, "TLS": {tls: true}} {
			t.Run(name+"/"+link, func(t *testing.T) {
				t.Parallel()
				child := newPuppet(t).readAll()
				s := startOver(t, l, child, patient)
				s.send("before")
				s.write(sent)
				s.client.Close()
				got, after := strings.CutPrefix(string(wspipetest.Wait(t, "input", child.input)), "before\n")
				if !after || strings.Contains(got, "\n") || len(sent) < wire.BlockSize/2 && got != "" {
					t.Errorf("after the first message, %t, the child got %.50q (%d bytes)", after, got, len(got))
				}
				if sum := s.summary(); sum.Code != 1006 || sum.In.Messages != 1 {
					t.Errorf("summary %+v", sum)
				}
			})
		}
	}
}

// An incomplete compressed message is no message either.
func TestClientDisconnectsWithinACompressedMessage(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestSpeed)
	io.WriteString(w, strings.Repeat("all or nothing ", 100))
	w.Flush()
	message := maskedFrame(fin|0x40|opText, packed.Bytes()[:packed.Len()-4])
	for name, l := range map[string]link{"TCP": {compress: true}, "TLS": {compress: true, tls: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := range len(message) {
				child := newPuppet(t).readAll()
				s := startOver(t, l, child, patient)
				s.write(message, message[:n])
				s.client.Close()
				if got := string(wspipetest.Wait(t, "input", child.input)); got != strings.Repeat("all or nothing ", 100)+"\n" {
					t.Errorf("with %d of %d bytes of a message, the child got %.50q (%d bytes)", n, len(message), got, len(got))
				}
				if sum := s.summary(); sum.Code != 1006 {
					t.Errorf("summary %+v", sum)
				}
			}
		})
	}
}
