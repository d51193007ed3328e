package bridge

import (
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net/http/httputil"
	"strings"
	"testing"

	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// parseEvent returns the data of an event as WHATWG HTML, section 9.2.6, has it.
func parseEvent(t *testing.T, event string) (data string, binary bool) {
	t.Helper()
	var fields []string
	for line := range strings.Lines(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(event)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		switch value = strings.TrimPrefix(value, " "); name {
		case "data":
			fields = append(fields, value)
		case "event":
			binary = value == "binary"
		}
	}
	return strings.Join(fields, "\n"), binary
}

// TestEventsOfFragments: an event has its message, wherever that is divided, with each
// kind of line end as a newline.
func TestEventsOfFragments(t *testing.T) {
	t.Parallel()
	for range 2000 {
		message := make([]byte, rand.IntN(12))
		for i := range message {
			message[i] = "\r\n\r\nab: "[rand.IntN(8)]
		}
		for typ, want := range map[websocket.MessageType]string{
			websocket.MessageText:   strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(message)),
			websocket.MessageBinary: base64.StdEncoding.EncodeToString(message),
		} {
			e := bodyEncoder{format: EventBody}
			var event []byte
			rest := message
			for len(rest) > 0 && rand.IntN(3) > 0 {
				n := rand.IntN(len(rest) + 1)
				event = e.AppendFragment(event, typ, rest[:n], false)
				rest = rest[n:]
			}
			event = e.AppendFragment(event, typ, rest, true)
			got, binary := parseEvent(t, string(event))
			if got != want || binary != (typ == websocket.MessageBinary) || !bytes.HasPrefix(event, []byte("id: 1\n")) || !bytes.HasSuffix(event, []byte("\n\n")) || e.begun {
				t.Fatalf("%q: %q, want %q", message, event, want)
			}
		}
	}
}

// TestChunks: what is sealed as chunks, with zeros before their sizes, is read again.
func TestChunks(t *testing.T) {
	t.Parallel()
	var body, want []byte
	for size := range 40 {
		content := bytes.Repeat([]byte{'x'}, size*size*size)
		if size%3 == 0 && size > 0 {
			body = append(body, "000"...)
		}
		body = append(body, sealChunk(append(make([]byte, chunkRoom), content...), true)...)
		want = append(want, content...)
	}
	body = append(body, "0\r\n\r\n"...)
	if got, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body))); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d: %v", len(got), len(want), err)
	}
}

// TestProbes: there are so few between two chunks that clients take the size.
func TestProbes(t *testing.T) {
	t.Parallel()
	_, w := io.Pipe()
	out := wire.NewQueue(w)
	defer out.Close()
	var p probe
	var after []int
	for tick := 1; tick < 1000; tick++ {
		before := out.Position()
		if p.send(out); out.Position() > before {
			after = append(after, tick)
		}
	}
	if len(after) > maxProbes || after[0] != 1 || after[1] != 2 {
		t.Errorf("probes after %v", after)
	}
	out.Write([]byte("a chunk"))
	before := out.Position()
	if p.send(out); out.Position() != before+1 {
		t.Error("no probe after a chunk")
	}
}
