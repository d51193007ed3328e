//go:build unix

package bridge

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"

	"github.com/coder/websocket"
)

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

// sender is an output with a client that receives its messages.
type sender struct {
	*client
	*output
	framing framing.Framing
	ws      *websocket.Conn
	wire    *wire.Conn

	wrong    error // error of the framing
	position int64 // of the error
	cutOff   bool  // the error was within a long message
}

func newOutbound(ws *websocket.Conn, conn *wire.Conn, f framing.Framing) *output {
	way := newSequencer(wire.NewFrameWriter(conn.Out, false))
	o := &output{sequencer: &way, codec: f.NewCodec(), typ: messageType(f)}
	if f == framing.JSON {
		o.stream = "stdout"
	}
	return o
}

func newSender(t testing.TB, f framing.Framing) *sender {
	c, ws, conn := connect(t, link{})
	t.Cleanup(func() {
		conn.Abort()
		wspipetest.Wait(t, "the end of the wire", conn.Closed())
	})
	return &sender{client: c, output: newOutbound(ws, conn, f), framing: f, ws: ws, wire: conn}
}

// endFragmented ends the message that is sent in fragments, if there is one.
func (s *sender) endFragmented() (was bool) {
	if was = s.sender != nil; was {
		s.sendFragment(s.output, nil, true)
		s.destination.Release()
	}
	return was
}

const mark = "all has been sent"

// messages sends output and returns the messages that the client received, after checking
// their frames.
func (s *sender) messages(t testing.TB, output io.Reader) (got []string) {
	t.Helper()
	s.t = t
	s.SetDeadline(time.Now().Add(wspipetest.Lifetime))
	s.output = newOutbound(s.ws, s.wire, s.framing)
	s.wrong, s.position, s.cutOff = nil, 0, false
	s.broken = func(err error, position int64) { s.wrong, s.position = err, position }
	done := make(chan error)
	go func() { // ends when the client has read everything
		s.run(output)
		s.cutOff = s.endFragmented()
		done <- s.ws.Write(t.Context(), websocket.MessageBinary, []byte(mark))
	}()
	for {
		opcode, payload, frames := s.client.message()
		if opcode == opBinary && payload == mark {
			break
		}
		if (opcode == opText) != (s.typ == websocket.MessageText) {
			t.Errorf("message with opcode %d", opcode)
		}
		if len(payload) <= framing.MaxWhole && frames != 1 || len(payload)+1 < frames {
			t.Errorf("message of %d bytes in %d frames", len(payload), frames)
		}
		got = append(got, payload)
	}
	if err := wspipetest.Wait(t, "the end of run", done); err != nil {
		t.Error(err)
	}
	return got
}

func TestLines(t *testing.T) {
	t.Parallel()
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct{ output, want []string }{
		"nothing":              {nil, nil},
		"LF":                   {[]string{"a\nb\n"}, []string{"a", "b"}},
		"CR LF":                {[]string{"a\r\nb\r\n"}, []string{"a", "b"}},
		"CR alone":             {[]string{"a\rb\n\rc\n"}, []string{"a\rb", "\rc"}},
		"two CRs":              {[]string{"a\r\r\n"}, []string{"a\r"}},
		"LF CR":                {[]string{"a\n\rb\n"}, []string{"a", "\rb"}},
		"empty lines":          {[]string{"\n\r\n\na\n\n"}, []string{"", "", "", "a", ""}},
		"last without newline": {[]string{"a\nb"}, []string{"a", "b"}},
		"last ends in CR":      {[]string{"a\nb\r"}, []string{"a", "b\r"}},
		"NUL":                  {[]string{"a\x00b\n"}, []string{"a\x00b"}},
		"pieces":               {[]string{"a", "b", "\n", "c", "\nd"}, []string{"ab", "c", "d"}},
		"CR and LF apart":      {[]string{"a\r", "\nb\r", "\n\r", "\n\r", "c\n"}, []string{"a", "b", "", "\rc"}},
		"small buffer":         {[]string{x(1023) + "\n", x(1024) + "\n", x(1025) + "\n"}, []string{x(1023), x(1024), x(1025)}},
		"not UTF-8":            {[]string{"a\xffb\n\xe2\x82\n\xed\xa0\x80"}, []string{"a\uFFFDb", "\uFFFD", "\uFFFD\uFFFD\uFFFD"}},
		"character apart":      {[]string{"\xf0\x9f", "\x98\x80\n"}, []string{"😀"}},
		"no character at end":  {[]string{"a\xf0\x9f\x98"}, []string{"a\uFFFD"}},
		"64 KiB":               {[]string{x(64<<10) + "\n"}, []string{x(64 << 10)}},
		"64 KiB and CR LF":     {[]string{x(64<<10) + "\r", "\na"}, []string{x(64 << 10), "a"}},
		"64 KiB at the end":    {[]string{x(64 << 10)}, []string{x(64 << 10)}},
		"64 KiB + 1":           {[]string{x(64<<10+1) + "\n", "a"}, []string{x(64<<10 + 1), "a"}},
		"64 KiB + 1, apart":    {[]string{x(64<<10 + 1), "\n", "a"}, []string{x(64<<10 + 1), "a"}},
		"1 MiB":                {[]string{x(1<<20) + "\nb"}, []string{x(1 << 20), "b"}},
		"1 MiB at the end":     {[]string{x(1 << 20)}, []string{x(1 << 20)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output := chunked(slices.Clone(test.output))
			same(t, newSender(t, framing.Lines).messages(t, &output), test.want)
		})
	}
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

// A message does not depend on where the end of the buffer splits it.
func TestLongLinesAtTheEndOfTheBuffer(t *testing.T) {
	t.Parallel()
	s := newSender(t, framing.Lines)
	for size := framing.MaxWhole - 5; size <= framing.MaxWhole+5; size++ {
		for _, end := range []string{"\n", "\r\n", "\r", "\r\r\n", "é\n", "😀\n", "\xf0\x9f\n", "\xf0\x9f\r\n", "\xf0\x9f", ""} {
			for cut := range len(end) + 1 {
				line := strings.Repeat("x", size)
				output := &chunked{"first\n" + line + end[:cut], end[cut:] + "more\n"}
				want := linesOf("first\n" + line + end + "more\n")
				if got := s.messages(t, output); !slices.Equal(got, want) {
					t.Errorf("%d bytes, then %q, then %q:", size, end[:cut], end[cut:])
					same(t, got, want)
				}
			}
		}
	}
}

func TestBytesSendsWhatOneReadReturned(t *testing.T) {
	t.Parallel()
	want := []string{"a", "b\n\nc", "\xff\x00", strings.Repeat("x", 1000), "end"}
	output := chunked(slices.Clone(want))
	same(t, newSender(t, framing.Bytes).messages(t, &output), want)

	long := strings.Repeat("0123456789", 100_000)
	got := newSender(t, framing.Bytes).messages(t, &chunked{long})
	if strings.Join(got, "") != long {
		t.Error("bytes are missing")
	}
	if slices.Contains(got, "") {
		t.Error("an empty message")
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
		text := framing.AppendValid(nil, []byte(line))
		list = append(list, string(text))
	}
	return list
}

// The messages of an output do not depend on how it is chunked. fill makes lines longer than
// the buffers.
func FuzzLinesChunking(f *testing.F) {
	s := newSender(f, framing.Lines)
	for _, sizes := range []string{"\x01", "\x02\x01", "\x20", "\xff", "\xff\x01\x80"} {
		f.Add([]byte("a\r\nb\n\n\rc\r\r\n"), []byte(sizes), uint32(0), 0)
		f.Add([]byte("a\xf0\x9f\x98\x80\xe2\x82b\xff\n\xed\xa0\x80"), []byte(sizes), uint32(0), 0)
		if sizes[0] > 2 {
			f.Add([]byte("a\xf0\x9f\x98\x80\r\n"), []byte(sizes), uint32(framing.MaxWhole-1), 3)
			f.Add([]byte("a\xf0\x9f\x98\x80\r\n"), []byte(sizes), uint32(framing.MaxWhole-3), 5)
			f.Add([]byte("a\xf0\x9f\x98\x80\r"), []byte(sizes), uint32(2*framing.MaxWhole-2), 1)
		}
	}
	f.Fuzz(func(t *testing.T, text, sizes []byte, fill uint32, at int) {
		at = max(min(at, len(text)), 0)
		output := string(text[:at]) + strings.Repeat("x", int(fill%(5*framing.MaxWhole))) + string(text[at:])
		var chunks chunked
		for i, rest := 0, output; rest != ""; i++ {
			n := len(rest)
			if len(sizes) > 0 && i < 5000 { // more would be slow
				size := int(sizes[i%len(sizes)])
				n = min(n, 1+size*size*size/100) // 1 to 165813 bytes
			}
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		same(t, s.messages(t, &chunks), linesOf(output))
	})
}

// A line of any length is sent in constant memory.
func TestALongLineTakesNoMemory(t *testing.T) {
	s := newSender(t, framing.Lines)
	const size = 50 << 20
	go func() { // ends when the client has read everything
		s.run(&repeated{text: bytes.Repeat([]byte("é"), 1<<15), left: size})
		s.ws.Write(t.Context(), websocket.MessageBinary, nil)
	}()
	before, frames, got := liveHeap(), 0, 0
	for {
		first, n, err := s.header()
		if err != nil {
			t.Fatal(err)
		}
		if first == fin|opBinary {
			break
		}
		if frames == 0 != (first&^fin == opText) || first&wire.OpClose != 0 {
			t.Fatalf("frame %d starts with %#x", frames, first)
		}
		if _, err := s.br.Discard(n); err != nil {
			t.Fatal(err)
		}
		frames++
		got += n
		if frames%100 == 0 {
			if n := liveHeap() - before; n > 1<<20 {
				t.Errorf("%d more bytes in use after %d of the line", n, got)
			}
		}
	}
	if got != size || frames < size/wire.BlockSize {
		t.Errorf("%d bytes in %d frames, want %d", got, frames, size)
	}
}

// liveHeap returns how many bytes are in use.
func liveHeap() int {
	runtime.GC() // does not free what a sync.Pool holds
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
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

// The output of a quiet child is read with a small buffer.
func TestReadBufferGrowsAndShrinks(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 99) + "\n"
	r := &room{chunked: chunked{line, strings.Repeat(line, 40), "part", " of a line\n", line}}
	newSender(t, framing.Lines).messages(t, r)
	want := []int{wire.SmallBlock - channelRoom, wire.SmallBlock - channelRoom, wire.BlockSize - wire.SmallBlock, wire.BlockSize - channelRoom, wire.SmallBlock - channelRoom - 4, wire.SmallBlock - channelRoom, wire.SmallBlock - channelRoom}
	if !slices.Equal(r.sizes, want) {
		t.Errorf("reads had room for %v bytes, want %v", r.sizes, want)
	}
}

// The messages of one read are sent in one write, which is a packet of a seqpacket socket.
func TestMessagesOfOneReadAreOneWrite(t *testing.T) {
	t.Parallel()
	near, far := wspipetest.ConnPair(t, "unixpacket")
	conn := wire.NewConn(near, nil)
	o := newOutbound(acceptOn(t, conn), conn, framing.Lines)
	x := func(n int) string { return strings.Repeat("x", n) }
	o.run(&chunked{"lone\n", strings.Repeat("many\n", 200), x(wire.SmallBlock-channelRoom-1) + "\n", strings.Repeat(x(300)+"\n", 200)})
	for _, want := range []int{2 + 4, 200 * (2 + 4), 4 + wire.SmallBlock - channelRoom - 1, 200 * (4 + 300)} {
		p := make([]byte, wire.BlockSize)
		if n, err := far.Read(p); n != want || err != nil {
			t.Errorf("one write took %d bytes, want %d: %v", n, want, err)
		}
	}
	conn.Abort()
	wspipetest.Wait(t, "the end of the wire", conn.Closed())
}

// The output of a child is read to its end after the client has disconnected.
func TestOutputOfADisconnectedClient(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 60000, 200000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			s := newSender(t, framing.Lines)
			s.wire.Abort()
			r := &room{}
			for range 10 {
				r.chunked = append(r.chunked, strings.Repeat("x", size), "\n")
			}
			s.run(r)
			if len(r.chunked) != 0 || s.err == nil {
				t.Errorf("%d chunks are unread: %v", len(r.chunked), s.err)
			}
		})
	}
}

// goodbye calls leave before it reads a chunk that fills the buffer.
type goodbye struct {
	chunked
	leave func()
}

func (r *goodbye) Read(p []byte) (int, error) {
	if len(p) > 0 && len(r.chunked) > 0 && len(r.chunked[0]) == len(p) {
		r.leave()
	}
	return r.chunked.Read(p)
}

// A read may fill the buffer to its last byte just when the client disconnects.
func TestReadHasRoomAfterAFullBufferCouldNotBeSent(t *testing.T) {
	t.Parallel()
	s := newSender(t, framing.Lines)
	left := 0
	s.run(&goodbye{
		chunked{"1", strings.Repeat("x", wire.SmallBlock-channelRoom-1), strings.Repeat("x", wire.BlockSize-wire.SmallBlock-1) + "\n", "end"},
		func() {
			if left++; left == 2 {
				s.wire.Abort()
			}
		}})
	if left != 2 || s.err == nil {
		t.Errorf("the buffer was full %d times, error %v", left, s.err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, name := range framing.Names() {
		if f, err := framing.Parse(name); err != nil || f.String() != name {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	var zero framing.Framing
	if zero != framing.Lines {
		t.Error("the zero value is not Lines")
	}
	for _, name := range []string{"", "Lines", "line"} {
		if _, err := framing.Parse(name); err == nil {
			t.Errorf("%q is no framing", name)
		}
	}
}
