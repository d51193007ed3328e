//go:build unix

package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"

	"github.com/coder/websocket"
)

// memory is a destination that keeps the messages.
type memory struct {
	t       testing.TB
	typ     websocket.MessageType
	discard bool // keep no payload

	messages []string
	part     []byte // of the incomplete message
	frames   int    // of that message
	size     int    // of all payload
	err      error  // of each call
}

func (*memory) Ready()   {}
func (*memory) Hold()    {}
func (*memory) Release() {}

func (m *memory) Wait(int) error { return m.err }

func (m *memory) Message(typ websocket.MessageType, payload []byte) error {
	return m.Fragment(typ, payload, true)
}

func (m *memory) Fragment(typ websocket.MessageType, payload []byte, last bool) error {
	if m.err != nil {
		return m.err
	}
	if m.size += len(payload); m.discard {
		return nil
	}
	if len(payload) > 0 || last { // an empty fragment takes no frame
		m.frames++
	}
	m.part = append(m.part, payload...)
	if !last {
		return nil
	}
	if typ != m.typ || len(m.part) <= framing.MaxWhole && m.frames != 1 || len(m.part)+1 < m.frames {
		m.t.Errorf("%v of %d bytes in %d frames", typ, len(m.part), m.frames)
	}
	m.messages = append(m.messages, string(m.part))
	m.part, m.frames = nil, 0
	return nil
}

// output returns an output to m of a child with the framing f.
func (m *memory) output(f framing.Framing) *output {
	m.typ = messageType(f)
	o := &output{sequencer: &sequencer{destination: m, writers: []messageWriter{m}}, codec: f.NewCodec(), typ: m.typ}
	if f == framing.JSON {
		o.stream = "stdout"
	}
	return o
}

// chunked is an output of chunks. Each read returns one chunk, if it fits.
type chunked []string

func (c *chunked) Read(p []byte) (int, error) {
	if len(p) == 0 {
		panic("a read without room")
	}
	if len(*c) == 0 {
		return 0, io.EOF
	}
	n := copy(p, (*c)[0])
	if (*c)[0] = (*c)[0][n:]; (*c)[0] == "" {
		*c = (*c)[1:]
	}
	return n, nil
}

// split cuts output into chunks with the sizes that size returns.
func split(output string, size func(i int) int) *chunked {
	var c chunked
	for i := 0; output != ""; i++ {
		n := min(len(output), size(i))
		c, output = append(c, output[:n]), output[n:]
	}
	return &c
}

// sent is what a client gets of an output: the complete messages, and how the framing is broken.
type sent struct {
	messages []string
	wrong    string
	position int64
}

func send(t testing.TB, f framing.Framing, r io.Reader) (s sent) {
	t.Helper()
	m := &memory{t: t}
	o := m.output(f)
	o.broken = func(err error, position int64) { s.wrong, s.position = err.Error(), position }
	o.run(r)
	if s.messages = m.messages; s.wrong == "" && m.part != nil {
		t.Errorf("an incomplete message of %d bytes", len(m.part))
	}
	return s
}

// same compares messages, and reports only their beginnings.
func same(t testing.TB, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("message %d: %.50q (%d bytes), want %.50q (%d bytes)", i, got[i], len(got[i]), want[i], len(want[i]))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d messages, want %d", len(got), len(want))
	}
}

// TestOutput: the messages of an output do not depend on how it is chunked.
func TestOutput(t *testing.T) {
	t.Parallel()
	for _, test := range outputCases {
		for _, size := range []int{1, 7, 1000, framing.MaxWhole, math.MaxInt} {
			if len(test.output)/size > 10_000 {
				continue // would be slow
			}
			got := send(t, test.framing, split(test.output, func(int) int { return size }))
			if got.wrong != test.wrong || got.position != test.position || !slices.Equal(got.messages, test.want) {
				t.Errorf("%s %.60q, every %d bytes: %q at %d, want %q at %d", test.framing, test.output, size, got.wrong, got.position, test.wrong, test.position)
				same(t, got.messages, test.want)
			}
		}
	}
}

// TestLongLinesAtTheEndOfTheBuffer: a message does not depend on where the end of the buffer splits it.
func TestLongLinesAtTheEndOfTheBuffer(t *testing.T) {
	t.Parallel()
	for size := framing.MaxWhole - 4; size <= framing.MaxWhole+2; size++ {
		for _, end := range []string{"\n", "\r\n", "\r", "\r\r\n", "é\n", "😀\n", "\xf0\x9f\n", "\xf0\x9f\r\n", "\xf0\x9f", ""} {
			for cut := range len(end) + 1 {
				got := send(t, framing.Lines, &chunked{"first\n" + x(size) + end[:cut], end[cut:] + "more\n"})
				if want := linesOf("first\n" + x(size) + end + "more\n"); !slices.Equal(got.messages, want) {
					t.Errorf("%d bytes, then %q, then %q:", size, end[:cut], end[cut:])
					same(t, got.messages, want)
				}
			}
		}
	}
}

// linesOf returns the messages of an output.
func linesOf(output string) (list []string) {
	for line := range strings.SplitAfterSeq(output, "\n") {
		if rest, terminated := strings.CutSuffix(line, "\n"); terminated {
			line = strings.TrimSuffix(rest, "\r")
		} else if line == "" {
			continue
		}
		list = append(list, validText(line))
	}
	return list
}

func validText(s string) string { return string(framing.AppendValid(nil, []byte(s))) }

func TestBytesAreWhatOneReadReturned(t *testing.T) {
	t.Parallel()
	want := []string{"a", "b\n\nc", "\xff\x00", x(1000), "end"}
	output := chunked(slices.Clone(want))
	same(t, send(t, framing.Bytes, &output).messages, want)
}

// repeated is an output that repeats text, for left bytes.
type repeated struct {
	text []byte
	next int // in text
	left int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), r.left, 64<<10)] // a full pipe
	for n < len(p) {
		m := copy(p[n:], r.text[r.next:])
		r.next = (r.next + m) % len(r.text)
		n += m
	}
	r.left -= n
	return n, nil
}

// TestLongMessagesTakeNoMemory: a message of any length is sent in constant memory, also if a
// huge size is announced.
func TestLongMessagesTakeNoMemory(t *testing.T) {
	const size = 20 << 20
	for mode, head := range map[framing.Framing]string{
		framing.Lines:  "",
		framing.Length: "\xff\xff\xff\xff",
		framing.LSP:    fmt.Sprintf("Content-Length: %d\r\n\r\n", int64(math.MaxInt64)),
	} {
		m := &memory{t: t, discard: true}
		o := m.output(mode)
		o.broken = func(error, int64) {}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		o.run(io.MultiReader(strings.NewReader(head), &repeated{text: bytes.Repeat([]byte("é"), 1<<15), left: size}))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 || m.size < size-2*framing.MaxWhole || m.size > size {
			t.Errorf("%s: %d bytes were allocated, and %d of %d were sent", mode, n, m.size, size)
		}
	}
}

// room records the buffer size of each read of an output.
type room struct {
	chunked
	sizes []int
}

func (r *room) Read(p []byte) (int, error) {
	r.sizes = append(r.sizes, len(p))
	return r.chunked.Read(p)
}

// TestReadBufferGrowsAndShrinks: the output of a quiet child is read with a small buffer.
func TestReadBufferGrowsAndShrinks(t *testing.T) {
	t.Parallel()
	line := x(99) + "\n"
	r := &room{chunked: chunked{line, strings.Repeat(line, 40), "part", " of a line\n", line}}
	send(t, framing.Lines, r)
	const small = wire.SmallBlock - channelRoom
	if want := []int{small, small, wire.BlockSize - wire.SmallBlock, wire.BlockSize - channelRoom, small - 4, small, small}; !slices.Equal(r.sizes, want) {
		t.Errorf("reads had room for %v bytes, want %v", r.sizes, want)
	}
}

// TestMessagesOfOneReadAreOneWrite, which is a packet of a seqpacket socket.
func TestMessagesOfOneReadAreOneWrite(t *testing.T) {
	t.Parallel()
	near, far := wspipetest.ConnPair(t, "unixpacket")
	q := wire.NewQueue(near)
	defer q.Close()
	way := newSequencer(wire.NewFrameWriter(q, false))
	o := &output{sequencer: &way, codec: framing.Lines.NewCodec(), typ: websocket.MessageText}
	o.run(&chunked{"lone\n", strings.Repeat("many\n", 200), x(wire.SmallBlock-channelRoom-1) + "\n", strings.Repeat(x(300)+"\n", 200)})
	for _, want := range []int{2 + 4, 200 * (2 + 4), 4 + wire.SmallBlock - channelRoom - 1, 200 * (4 + 300)} {
		if n, err := far.Read(make([]byte, wire.BlockSize)); n != want || err != nil {
			t.Errorf("one write took %d bytes, want %d: %v", n, want, err)
		}
	}
}

// TestOutputIsCompressed, if that was negotiated.
func TestOutputIsCompressed(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := start(t, link{compress: true}, child, Options{})
	child.print(strings.Repeat("again ", 150) + "\n") // one read
	if f, err := s.frame(); err != nil || f.first != fin|0x40|opText || len(f.payload) > 90 {
		t.Errorf("%#x, %d bytes, %v", f.first, len(f.payload), err)
	}
}

// TestOutputOfADisconnectedClient is read to its end, even if a read fills the buffer to its last
// byte just when the client disconnects.
func TestOutputOfADisconnectedClient(t *testing.T) {
	t.Parallel()
	for n := range 5 {
		m := &memory{t: t}
		r := &failing{chunked: chunked{"1", x(wire.SmallBlock - channelRoom - 1), x(wire.BlockSize-wire.SmallBlock-1) + "\n", x(200_000), "\nend"}, after: n, to: m}
		o := m.output(framing.Lines)
		if o.run(r); len(r.chunked) > 0 || o.err == nil {
			t.Errorf("after %d chunks: %d chunks are unread, error %v", n, len(r.chunked), o.err)
		}
	}
}

// failing is an output whose client disconnects before the read that follows after reads.
type failing struct {
	chunked
	after int
	to    *memory
}

func (f *failing) Read(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		f.to.err = net.ErrClosed
	}
	return f.chunked.Read(p)
}

// fed is a stream of a child that writes what the test feeds.
type fed struct {
	chunks, asks chan string
	rest         string
}

func newFed() *fed {
	f := &fed{chunks: make(chan string), asks: make(chan string)}
	go func() { <-f.asks }() // ends with the first read
	return f
}

func (f *fed) Read(p []byte) (int, error) {
	if f.rest == "" {
		f.asks <- ""
		f.rest = <-f.chunks
	}
	if f.rest == "" {
		return 0, io.EOF
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// feed returns once the chunk has been sent.
func (f *fed) feed(chunk string) {
	f.chunks <- chunk
	<-f.asks
}

// TestInterruptedLine: with JSON, a line of any length is one message, unless the other stream
// has a complete line meanwhile. Then the rest follows, even if it is only the newline.
func TestInterruptedLine(t *testing.T) {
	t.Parallel()
	long := x(100_000) // all of it is sent before the rest follows
	for _, test := range []struct{ stderr, rest, want string }{
		{"", "\n", "out:"},
		{"begun", "\n", "out: err:begun"},
		{"line\n", "\n", "out+ err:line out:"},
		{"line\n", "more\n", "out+ err:line out:more"},
		{"line\n", "", "out+ err:line out:"},
		{"line\n", "more", "out+ err:line out:more"},
		{"line\nnext\n", "more\n2\n", "out+ err:line err:next out:more out:2"},
	} {
		m := &memory{t: t}
		stdout := m.output(framing.JSON)
		stderr := &output{sequencer: stdout.sequencer, codec: framing.JSON.NewCodec(), typ: m.typ, stream: "stderr"}
		out, errs, done := newFed(), newFed(), make(chan bool)
		go func() { stdout.run(out); done <- true }() // ends when out is closed
		go func() { stderr.run(errs); done <- true }()
		out.feed(long)
		if test.stderr != "" {
			errs.feed(test.stderr)
		}
		if test.rest != "" {
			out.feed(test.rest)
		}
		close(out.chunks)
		<-done
		close(errs.chunks)
		<-done
		var got []string
		xs := 0
		for _, text := range m.messages {
			var l struct {
				Stream, Data string
				More         bool
			}
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatalf("%.100q: %v", text, err)
			}
			rest := strings.TrimLeft(l.Data, "x")
			xs += len(l.Data) - len(rest)
			got = append(got, l.Stream[3:]+map[bool]string{false: ":", true: "+"}[l.More]+rest)
		}
		if s := strings.Join(got, " "); s != test.want || xs != len(long) {
			t.Errorf("stderr %q, then %q: %s and %d bytes, want %s and %d", test.stderr, test.rest, s, xs, test.want, len(long))
		}
	}
}
