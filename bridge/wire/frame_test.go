//go:build unix

package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"compress/flate"

	"github.com/coder/websocket"
)

// sentFrame is a decoded frame.
type sentFrame struct {
	first   byte // opcode with FIN and RSV bits
	payload []byte
}

// decodeFrames splits p into unmasked frames with the shortest possible header.
func decodeFrames(t *testing.T, p []byte) (list []sentFrame) {
	t.Helper()
	for len(p) > 0 {
		first, n, head := p[0], int(p[1]), 2
		switch n {
		case 126:
			n, head = int(binary.BigEndian.Uint16(p[2:])), 4
		case 127:
			n, head = int(binary.BigEndian.Uint64(p[2:])), 10
		}
		if head == 4 && n < 126 || head == 10 && n < 1<<16 || n > len(p)-head {
			t.Fatalf("frame %x with a header of %d bytes for a payload of %d", first, head, n)
		}
		list = append(list, sentFrame{first: first, payload: p[head : head+n]})
		p = p[head+n:]
	}
	return list
}

// inflated returns what a client that negotiated permessage-deflate decompresses from
// the payload of a message (RFC 7692, section 7.2.2).
func inflated(t *testing.T, p []byte) string {
	t.Helper()
	text, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFramesOfAMessage(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, minCompressed - 1, minCompressed, 1<<16 - 1, 1 << 16, 200_000} {
		text := strings.Repeat("wspipe ", size/7+1)[:size]
		for _, deflate := range []bool{false, true} {
			f := Encoder{Deflate: deflate}
			for range 2 { // without context takeover the second is like the first
				list := decodeFrames(t, f.AppendMessage(nil, websocket.MessageText, []byte(text)))
				want, got := FinBit|byte(websocket.MessageText), string(list[0].payload)
				if deflate && size >= minCompressed {
					want, got = want|rsv1Bit, inflated(t, list[0].payload)
					if len(list[0].payload) > size/2 {
						t.Errorf("%d bytes become %d", size, len(list[0].payload))
					}
				}
				if len(list) != 1 || list[0].first != want || got != text {
					t.Errorf("deflate %v, %d bytes: %d frames, the first %x", deflate, size, len(list), list[0].first)
				}
			}
		}
	}
}

func TestFragments(t *testing.T) {
	long := strings.Repeat("fragment ", 1000)
	for _, deflate := range []bool{false, true} {
		f := Encoder{Deflate: deflate}
		for range 2 {
			var p []byte
			for _, part := range []string{"a", "", long, "z"} { // an empty fragment is not sent
				p = f.AppendFragment(p, websocket.MessageBinary, []byte(part), part == "z")
			}
			list := decodeFrames(t, p)
			first := byte(websocket.MessageBinary)
			if deflate {
				first |= rsv1Bit
			}
			if len(list) != 3 || list[0].first != first || list[1].first != OpContinuation || list[2].first != FinBit|OpContinuation {
				t.Fatalf("deflate %v: %d frames: %x", deflate, len(list), list)
			}
			got := string(list[0].payload) + string(list[1].payload) + string(list[2].payload)
			if deflate {
				got = inflated(t, []byte(got))
			}
			if got != "a"+long+"z" {
				t.Errorf("deflate %v: %d bytes of %d", deflate, len(got), len(long)+2)
			}
			if deflate && len(list[1].payload) == 0 {
				t.Error("a compressed fragment is held back")
			}
		}
	}
}
