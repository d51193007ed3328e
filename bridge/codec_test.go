//go:build unix

package bridge

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/framing"
	"wspipe/cmd/wspipetest"

	"github.com/coder/websocket"
)

// encoded is the record in which a child writes and reads a message.
func encoded(f framing.Framing, payload string) string {
	before, after := f.NewCodec().Join(len(payload))
	return before + payload + after
}

func validText(s string) string {
	return string(framing.AppendValid(nil, []byte(s)))
}

// The outputs of a child for each framing, in chunks, and their messages.
func TestRecords(t *testing.T) {
	t.Parallel()
	x := func(n int) string { return strings.Repeat("x", n) }
	nul := func(n int) []string { return []string{x(n) + "\x00"} }
	head := func(n int) string { return encoded(framing.LSP, x(n))[:len(encoded(framing.LSP, x(n)))-n] }
	for name, test := range map[string]struct {
		framing      framing.Framing
		output, want []string
	}{
		"NUL":                          {framing.NUL, []string{"a\x00b\x00"}, []string{"a", "b"}},
		"NUL, nothing":                 {framing.NUL, nil, nil},
		"NUL, newlines":                {framing.NUL, []string{"a\nb\r\x00\n\x00"}, []string{"a\nb\r", "\n"}},
		"NUL, empty":                   {framing.NUL, []string{"\x00\x00a\x00\x00"}, []string{"", "", "a", ""}},
		"NUL, none at the end":         {framing.NUL, []string{"a\x00b\n"}, []string{"a", "b\n"}},
		"NUL, pieces":                  {framing.NUL, []string{"a", "b", "\x00c", "\x00", "d"}, []string{"ab", "c", "d"}},
		"NUL, not UTF-8":               {framing.NUL, []string{"a\xff\x00\xe2\x82\x00"}, []string{"a\uFFFD", "\uFFFD"}},
		"NUL, 64 KiB":                  {framing.NUL, nul(64 << 10), []string{x(64 << 10)}},
		"NUL, 64 KiB + 1, apart":       {framing.NUL, []string{x(64<<10 + 1), "\x00a"}, []string{x(64<<10 + 1), "a"}},
		"NUL, 128 KiB":                 {framing.NUL, nul(128 << 10), []string{x(128 << 10)}},
		"NUL, 1 MiB":                   {framing.NUL, []string{x(1 << 20), "\x00"}, []string{x(1 << 20)}},
		"length":                       {framing.Length, []string{"\x00\x00\x00\x01a\x00\x00\x00\x02b\xff"}, []string{"a", "b\xff"}},
		"length, nothing":              {framing.Length, nil, nil},
		"length, empty":                {framing.Length, []string{"\x00\x00\x00\x00\x00\x00\x00\x00"}, []string{"", ""}},
		"length, pieces":               {framing.Length, []string{"\x00", "\x00\x00", "\x03", "a", "bc\x00", "\x00\x00\x00"}, []string{"abc", ""}},
		"length, 64 KiB":               {framing.Length, []string{encoded(framing.Length, x(64<<10))}, []string{x(64 << 10)}},
		"length, 64 KiB + 1":           {framing.Length, []string{encoded(framing.Length, x(64<<10+1)), encoded(framing.Length, "a")}, []string{x(64<<10 + 1), "a"}},
		"length, 128 KiB":              {framing.Length, []string{encoded(framing.Length, x(128<<10)) + encoded(framing.Length, "a")}, []string{x(128 << 10), "a"}},
		"length, 1 MiB":                {framing.Length, []string{encoded(framing.Length, x(1<<20)), encoded(framing.Length, "")}, []string{x(1 << 20), ""}},
		"length, long one's head only": {framing.Length, []string{"\x00\x10\x00\x00", x(1 << 20)}, []string{x(1 << 20)}},
		"LSP":                          {framing.LSP, []string{"Content-Length: 2\r\n\r\n{}Content-Length: 1\r\n\r\n1"}, []string{"{}", "1"}},
		"LSP, nothing":                 {framing.LSP, nil, nil},
		"LSP, empty":                   {framing.LSP, []string{"Content-Length: 0\r\n\r\nContent-Length:0\n\n"}, []string{"", ""}},
		"LSP, bare LF":                 {framing.LSP, []string{"Content-Length: 1\n\na"}, []string{"a"}},
		"LSP, other case and spaces":   {framing.LSP, []string{"content-LENGTH:\t 1 \r\n\r\na"}, []string{"a"}},
		"LSP, other fields": {framing.LSP, []string{"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 1\r\nX: \r\n\r\na"},
			[]string{"a"}},
		"LSP, leading zeros":             {framing.LSP, []string{"Content-Length: 0000000000000000000000001\r\n\r\na"}, []string{"a"}},
		"LSP, pieces":                    {framing.LSP, strings.Split("Content-Length: 4\r\n\r\n\xf0\x9f\x98\x80", ""), []string{"😀"}},
		"LSP, character apart":           {framing.LSP, []string{"Content-Length: 4\r\n\r\n\xf0\x9f", "\x98\x80"}, []string{"😀"}},
		"LSP, not UTF-8":                 {framing.LSP, []string{"Content-Length: 3\r\n\r\na\xffb"}, []string{"a\uFFFDb"}},
		"LSP, length cuts a character":   {framing.LSP, []string{"Content-Length: 2\r\n\r\n\xe2\x82" + encoded(framing.LSP, "€")}, []string{"\uFFFD", "€"}},
		"LSP, long, cuts a character":    {framing.LSP, []string{head(200_000) + x(199_998) + "\xe2\x82" + encoded(framing.LSP, "€")}, []string{x(199_998) + "\uFFFD", "€"}},
		"LSP, long, of three-byte runes": {framing.LSP, []string{encoded(framing.LSP, strings.Repeat("€", 100_000))}, []string{strings.Repeat("€", 100_000)}},
		"LSP, 64 KiB":                    {framing.LSP, []string{encoded(framing.LSP, x(64<<10))}, []string{x(64 << 10)}},
		"LSP, 128 KiB":                   {framing.LSP, []string{head(128 << 10), x(128 << 10), encoded(framing.LSP, "a")}, []string{x(128 << 10), "a"}},
		"LSP, 1 MiB":                     {framing.LSP, []string{encoded(framing.LSP, x(1<<20))}, []string{x(1 << 20)}},
		"LSP, a header of 4 KiB":         {framing.LSP, []string{"X: " + x(4096-3-1-len(head(1))) + "\n" + head(1) + "a"}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSender(t, test.framing)
			same(t, s.messages(t, (*chunked)(&test.output)), test.want)
			if s.wrong != nil {
				t.Errorf("at byte %d: %v", s.position, s.wrong)
			}
		})
	}
}

// The ways to break each framing, and their errors. Messages before that are delivered.
var brokenOutputs = map[string]struct {
	framing  framing.Framing
	output   string
	want     []string
	wrong    string
	position int64
}{
	"half a length":            {framing.Length, encoded(framing.Length, "a") + "\x00\x00\x00", []string{"a"}, "truncated length: 3 of 4 bytes", 8},
	"length of 4 GiB":          {framing.Length, "\xff\xff\xff\xff0123456789", nil, "truncated record: 4294967285 bytes missing", 14},
	"short record":             {framing.Length, "\x00\x00\x00\x05abc", nil, "truncated record: 2 bytes missing", 7},
	"length and nothing":       {framing.Length, encoded(framing.Length, "") + "\x00\x00\x00\x01", []string{""}, "truncated record: 1 bytes missing", 8},
	"text":                     {framing.Length, "Hello, world\n", nil, "truncated record: 1214606435 bytes missing", 13},
	"long record":              {framing.Length, "\x00\x10\x00\x00" + strings.Repeat("x", 1<<20-1), nil, "truncated record: 1 bytes missing", 4 + 1<<20 - 1},
	"garbage":                  {framing.LSP, "Hello\r\nContent-Length: 1\r\n\r\na", nil, "header line without a colon", 0},
	"garbage later":            {framing.LSP, encoded(framing.LSP, "{}") + "Hello\n", []string{"{}"}, "header line without a colon", 23},
	"garbage after the body":   {framing.LSP, "Content-Length: 1\r\n\r\na\r\nContent-Length: 1\r\n\r\nb", []string{"a"}, "header without Content-Length", 22},
	"no length":                {framing.LSP, "Content-Type: x\r\n\r\n{}", nil, "header without Content-Length", 17},
	"empty header":             {framing.LSP, "\n", nil, "header without Content-Length", 0},
	"space before the colon":   {framing.LSP, "Content-Length : 1\r\n\r\na", nil, "header without Content-Length", 20},
	"length twice":             {framing.LSP, "Content-Length: 1\r\ncontent-length: 1\r\n\r\na", nil, "duplicate Content-Length", 19},
	"negative length":          {framing.LSP, "Content-Length: -1\r\n\r\na", nil, "invalid Content-Length", 0},
	"length with a plus":       {framing.LSP, "Content-Length: +1\r\n\r\na", nil, "invalid Content-Length", 0},
	"hexadecimal length":       {framing.LSP, "Content-Length: 0x1\r\n\r\na", nil, "invalid Content-Length", 0},
	"length with underscores":  {framing.LSP, "Content-Length: 1_0\r\n\r\na", nil, "invalid Content-Length", 0},
	"two lengths in a field":   {framing.LSP, "X: y\nContent-Length: 1, 1\r\n\r\na", nil, "invalid Content-Length", 5},
	"no number":                {framing.LSP, "Content-Length:\r\n\r\na", nil, "invalid Content-Length", 0},
	"length over 63 bits":      {framing.LSP, "Content-Length: 9223372036854775808\r\n\r\na", nil, "invalid Content-Length", 0},
	"length of 4096 digits":    {framing.LSP, "Content-Length: " + strings.Repeat("9", 4000) + "\r\n\r\na", nil, "invalid Content-Length", 0},
	"length of 63 bits":        {framing.LSP, "Content-Length: 9223372036854775807\r\n\r\nabc", nil, "truncated record: 9223372036854775804 bytes missing", 42},
	"header over 4 KiB":        {framing.LSP, "X: " + strings.Repeat("x", 5000) + "\r\nContent-Length: 1\r\n\r\na", nil, "header over 4096 bytes", 0},
	"header over 4 KiB, lines": {framing.LSP, strings.Repeat("X: 4567\n", 600) + "Content-Length: 1\r\n\r\na", nil, "header over 4096 bytes", 4096},
	"header without end":       {framing.LSP, "X: " + strings.Repeat("x", 200_000), nil, "header over 4096 bytes", 0},
	"header of 4 KiB + 1":      {framing.LSP, "X: " + strings.Repeat("x", 4096-3-21) + "\nContent-Length: 1\r\n\r\na", nil, "header over 4096 bytes", 4095},
	"end within the header":    {framing.LSP, encoded(framing.LSP, "a") + "Content-Length: 1\r\nX:", []string{"a"}, "truncated header", 41},
	"end before the blank":     {framing.LSP, "Content-Length: 1\r\n", nil, "truncated header", 19},
	"end within the body":      {framing.LSP, "Content-Length: 3\r\n\r\nab", nil, "truncated record: 1 bytes missing", 23},
	"end within a long body":   {framing.LSP, "Content-Length: 1000000\r\n\r\n" + strings.Repeat("é", 499_999), nil, "truncated record: 2 bytes missing", 27 + 999_998},
}

func TestBrokenFraming(t *testing.T) {
	t.Parallel()
	for name, test := range brokenOutputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSender(t, test.framing)
			for _, size := range []int{len(test.output), 1000, 7, 1} {
				if len(test.output)/size > 10_000 {
					continue // would be slow
				}
				got := s.messages(t, split(test.output, func(int) int { return size }))
				if s.cutOff {
					got = got[:len(got)-1]
				}
				same(t, got, test.want)
				if s.wrong == nil || s.wrong.Error() != test.wrong || s.position != test.position {
					t.Errorf("in chunks of %d bytes: %v at byte %d, want %s at %d", size, s.wrong, s.position, test.wrong, test.position)
				}
			}
		})
	}
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

// sizesOf derives chunk sizes of 1 to 165813 bytes from fuzzer input.
func sizesOf(sizes []byte) func(i int) int {
	return func(i int) int {
		if len(sizes) == 0 || i >= 2000 { // more would be slow
			return math.MaxInt
		}
		size := int(sizes[i%len(sizes)])
		return 1 + size*size*size/100
	}
}

// The messages of each framing survive encoding and any chunking. Payloads are separated by
// bars in text.
func FuzzRecordsChunking(f *testing.F) {
	var senders []*sender
	for mode := range framing.Framing(len(framing.Names())) {
		senders = append(senders, newSender(f, framing.Framing(mode)))
		for _, sizes := range []string{"\x01", "\x02\x01", "\x20", "\xff\x01\x80"} {
			f.Add(byte(mode), []byte("a\x00b||\x1f\"\\\u2028\xe2\x82|\xf0\x9f\x98\x80\r\n|\xff"), []byte(sizes), uint32(0), 0)
			if sizes[0] > 2 {
				f.Add(byte(mode), []byte("a|\xf0\x9f\x98\x80|b"), []byte(sizes), uint32(framing.MaxWhole-3), 4)
				f.Add(byte(mode), []byte("a|\xf0\x9f\x98\x80|b"), []byte(sizes), uint32(2*framing.MaxWhole-7), 4)
			}
		}
	}
	f.Fuzz(func(t *testing.T, mode byte, text, sizes []byte, fill uint32, at int) {
		s := senders[int(mode)%len(senders)]
		at = max(min(at, len(text)), 0)
		long := string(text[:at]) + strings.Repeat("x", int(fill%(5*framing.MaxWhole))) + string(text[at:])
		payloads := strings.Split(long, "|")
		output := ""
		for _, p := range payloads {
			output += encoded(s.framing, p)
		}
		got := s.messages(t, split(output, sizesOf(sizes)))
		if s.wrong != nil {
			t.Errorf("at byte %d: %v", s.position, s.wrong)
		}
		if s.framing == framing.Bytes {
			got, payloads = []string{strings.Join(got, "")}, []string{output}
		}
		same(t, got, messagesOf(s.framing, payloads))
	})
}

// messagesOf returns the messages for these payloads of records.
func messagesOf(f framing.Framing, payloads []string) (want []string) {
	for _, p := range payloads {
		switch f {
		case framing.Bytes, framing.Length:
			want = append(want, p)
		case framing.LSP:
			want = append(want, validText(p))
		case framing.NUL:
			for record := range strings.SplitSeq(p, "\x00") {
				want = append(want, validText(record))
			}
		case framing.Lines:
			want = append(want, linesOf(p+"\n")...)
		case framing.JSON:
			for _, line := range linesOf(p + "\n") {
				want = append(want, fmt.Sprintf(`{"stream":"stdout","data":%s}`, quoted(line)))
			}
		}
	}
	return want
}

// quoted returns s as encoding/json encodes it, except for escapes that are never required
// or are spelled otherwise.
func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(s)
	r := strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029", `\b`, `\u0008`, `\f`, `\u000c`, `\n`, `\u000a`, `\r`, `\u000d`)
	return r.Replace(strings.TrimSuffix(b.String(), "\n"))
}

// Messages, and the error of a broken framing, do not depend on how the output is chunked.
// at is the position of a long run of bytes.
func FuzzBrokenFraming(f *testing.F) {
	senders := []*sender{newSender(f, framing.Length), newSender(f, framing.LSP)}
	for _, test := range brokenOutputs {
		if len(test.output) < 10_000 {
			f.Add(test.framing == framing.LSP, []byte(test.output), []byte("\x01\x08"), uint32(0), 0)
			f.Add(test.framing == framing.LSP, []byte(test.output), []byte("\xff\x30"), uint32(100_000), 22)
		}
	}
	f.Fuzz(func(t *testing.T, lsp bool, text, sizes []byte, fill uint32, at int) {
		s := senders[0]
		if lsp {
			s = senders[1]
		}
		at = max(min(at, len(text)), 0)
		output := string(text[:at]) + strings.Repeat("x", int(fill%(5*framing.MaxWhole))) + string(text[at:])
		want := s.messages(t, &chunked{output})
		wrong, position, cutOff := s.wrong, s.position, s.cutOff
		got := s.messages(t, split(output, sizesOf(sizes)))
		if fmt.Sprint(s.wrong) != fmt.Sprint(wrong) || s.position != position {
			t.Errorf("%v at byte %d, in one chunk %v at byte %d", s.wrong, s.position, wrong, position)
		}
		if position < 0 || position > int64(len(output)) {
			t.Errorf("position %d of %d", position, len(output))
		}
		// How much is sent of a message without an end depends on the chunks.
		if s.cutOff {
			got = got[:len(got)-1]
		}
		if cutOff {
			want = want[:len(want)-1]
		}
		same(t, got, want)
	})
}

// Split returns a payload of any size that Join has encoded.
func TestJoinAndSplit(t *testing.T) {
	t.Parallel()
	for _, f := range []framing.Framing{framing.Lines, framing.NUL, framing.Length, framing.LSP, framing.JSON} {
		for _, size := range []int{0, 1, 9, 10, 99, 100, 255, 256, 65535, 65536, 65537, 70_000} {
			payload := strings.Repeat("x", size)
			p := []byte(encoded(f, payload) + encoded(f, "next"))
			c := f.NewCodec()
			n, piece, last, err := c.Split(p, false)
			if string(piece) != payload || !last || err != nil {
				t.Errorf("%s: %d bytes became %d, last %t, %v", f, size, len(piece), last, err)
				continue
			}
			n, piece, last, err = c.Split(p[n:], false)
			if string(piece) != "next" || !last || err != nil || n != len(encoded(f, "next")) {
				t.Errorf("%s: after %d bytes %q, last %t, %v", f, size, piece, last, err)
			}
		}
	}
	longest := int64(framing.MaxHeld) // no int has it on a 32-bit processor
	before, _ := framing.Length.NewCodec().Join(int(longest))
	if before != "\xff\xff\xff\xff" {
		t.Errorf("the longest message has length %q", before)
	}
}

// A record with a huge announced size costs only the blocks that it passes through.
func TestAHugeRecordTakesNoMemory(t *testing.T) {
	const size = 200 << 20
	for mode, head := range map[framing.Framing]string{
		framing.Length: string(binary.BigEndian.AppendUint32(nil, math.MaxUint32)),
		framing.LSP:    "Content-Length: " + strconv.FormatInt(math.MaxInt64, 10) + "\r\n\r\n",
	} {
		t.Run(mode.String(), func(t *testing.T) {
			s := newSender(t, mode)
			s.SetDeadline(time.Now().Add(wspipetest.Lifetime))
			wrong := make(chan string, 1)
			s.broken = func(err error, position int64) { wrong <- fmt.Sprint(err, " at ", position) }
			before := liveHeap()
			go func() { // ends when the client has read
				s.run(io.MultiReader(strings.NewReader(head), &repeated{text: bytes.Repeat([]byte("é"), 1<<15), left: size}))
				s.endFragmented()
				s.ws.Write(t.Context(), websocket.MessageBinary, nil)
			}()
			got, ends := 0, 0
			for frames := 0; ends < 2; frames++ {
				first, n, err := s.header()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.br.Discard(n); err != nil {
					t.Fatal(err)
				}
				got += n
				if first&fin != 0 {
					ends++
				}
				if frames%300 == 0 {
					if n := liveHeap() - before; n > 4<<20 { // as documented
						t.Errorf("%d more bytes in use after %d of the record", n, got)
					}
				}
			}
			if got > size || got < size-2*framing.MaxWhole {
				t.Errorf("%d of %d bytes arrived", got, size)
			}
			announced := cmp.Or(map[framing.Framing]int64{framing.Length: math.MaxUint32}[mode], math.MaxInt64)
			want := fmt.Sprintf("truncated record: %d bytes missing at %d", announced-size, len(head)+size)
			if got := wspipetest.Wait(t, "the end of the output", wrong); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// Every byte of records of any length keeps its position.
func TestRecordsInOrder(t *testing.T) {
	t.Parallel()
	for _, f := range []framing.Framing{framing.NUL, framing.Length, framing.LSP} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			output, want := "", []string(nil)
			for i := range 400 {
				p := strings.Repeat(strconv.Itoa(i), i*i%3000)
				output, want = output+encoded(f, p), append(want, p)
			}
			same(t, newSender(t, f).messages(t, &chunked{output}), want)
		})
	}
}

func TestFramingsHoldWhole(t *testing.T) {
	t.Parallel()
	var whole []string
	for _, name := range framing.Names() {
		if f, _ := framing.Parse(name); f.HoldsWhole() {
			whole = append(whole, name)
		}
	}
	if !slices.Equal(whole, []string{"length", "lsp"}) {
		t.Errorf("%v hold messages whole", whole)
	}
}
