//go:build unix

package bridge

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"wspipe/bridge/framing"
)

// encoded is the record in which a child writes and reads a message.
func encoded(f framing.Framing, payload string) string {
	before, after := f.NewCodec().Join(len(payload))
	return before + payload + after
}

// head is the header of a record of LSP.
func head(size int) string { return strings.TrimSuffix(encoded(framing.LSP, x(size)), x(size)) }

func x(n int) string { return strings.Repeat("x", n) }

// outputCases are outputs of a child and their messages. If wrong is not empty, the output breaks
// its framing at position, after these messages.
var outputCases = []struct {
	framing  framing.Framing
	output   string
	want     []string
	wrong    string
	position int64
}{
	{framing.Lines, "", nil, "", 0},
	{framing.Lines, "a\nb\n", []string{"a", "b"}, "", 0},
	{framing.Lines, "a\r\nb\r\n", []string{"a", "b"}, "", 0},
	{framing.Lines, "a\rb\n\rc\n", []string{"a\rb", "\rc"}, "", 0},
	{framing.Lines, "a\r\r\n", []string{"a\r"}, "", 0},
	{framing.Lines, "a\n\rb\n", []string{"a", "\rb"}, "", 0},
	{framing.Lines, "\n\r\n\na\n\n", []string{"", "", "", "a", ""}, "", 0},
	{framing.Lines, "a\nb", []string{"a", "b"}, "", 0},
	{framing.Lines, "a\nb\r", []string{"a", "b\r"}, "", 0},
	{framing.Lines, "a\x00b\n", []string{"a\x00b"}, "", 0},
	{framing.Lines, "a\r" + "\nb\r" + "\n\r" + "\n\r" + "c\n", []string{"a", "b", "", "\rc"}, "", 0},
	{framing.Lines, "a\xffb\n\xe2\x82\n\xed\xa0\x80", []string{"a\uFFFDb", "\uFFFD", "\uFFFD\uFFFD\uFFFD"}, "", 0},
	{framing.Lines, "a\xf0\x9f\x98", []string{"a\uFFFD"}, "", 0},
	{framing.Lines, x(64<<10) + "\n", []string{x(64 << 10)}, "", 0},
	{framing.Lines, x(64 << 10), []string{x(64 << 10)}, "", 0},
	{framing.Lines, x(64<<10+1) + "\n" + "a", []string{x(64<<10 + 1), "a"}, "", 0},
	{framing.Lines, x(1<<20) + "\nb", []string{x(1 << 20), "b"}, "", 0},
	{framing.Lines, x(1 << 20), []string{x(1 << 20)}, "", 0},
	{framing.NUL, "a\x00b\x00", []string{"a", "b"}, "", 0},
	{framing.NUL, "", nil, "", 0},
	{framing.NUL, "a\nb\r\x00\n\x00", []string{"a\nb\r", "\n"}, "", 0},
	{framing.NUL, "\x00\x00a\x00\x00", []string{"", "", "a", ""}, "", 0},
	{framing.NUL, "a\x00b\n", []string{"a", "b\n"}, "", 0},
	{framing.NUL, "a\xff\x00\xe2\x82\x00", []string{"a\uFFFD", "\uFFFD"}, "", 0},
	{framing.NUL, x(64<<10) + "\x00", []string{x(64 << 10)}, "", 0},
	{framing.NUL, x(64<<10+1) + "\x00a", []string{x(64<<10 + 1), "a"}, "", 0},
	{framing.NUL, x(1<<20) + "\x00", []string{x(1 << 20)}, "", 0},
	{framing.Length, "\x00\x00\x00\x01a\x00\x00\x00\x02b\xff", []string{"a", "b\xff"}, "", 0},
	{framing.Length, "", nil, "", 0},
	{framing.Length, "\x00\x00\x00\x00\x00\x00\x00\x00", []string{"", ""}, "", 0},
	{framing.Length, encoded(framing.Length, x(64<<10)), []string{x(64 << 10)}, "", 0},
	{framing.Length, encoded(framing.Length, x(64<<10+1)) + encoded(framing.Length, "a"), []string{x(64<<10 + 1), "a"}, "", 0},
	{framing.Length, encoded(framing.Length, x(128<<10)) + encoded(framing.Length, "a"), []string{x(128 << 10), "a"}, "", 0},
	{framing.Length, encoded(framing.Length, x(1<<20)) + encoded(framing.Length, ""), []string{x(1 << 20), ""}, "", 0},
	{framing.LSP, "Content-Length: 2\r\n\r\n{}Content-Length: 1\r\n\r\n1", []string{"{}", "1"}, "", 0},
	{framing.LSP, "", nil, "", 0},
	{framing.LSP, "Content-Length: 0\r\n\r\nContent-Length:0\n\n", []string{"", ""}, "", 0},
	{framing.LSP, "Content-Length: 1\n\na", []string{"a"}, "", 0},
	{framing.LSP, "content-LENGTH:\t 1 \r\n\r\na", []string{"a"}, "", 0},
	{framing.LSP, "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 1\r\nX: \r\n\r\na", []string{"a"}, "", 0},
	{framing.LSP, "Content-Length: 0000000000000000000000001\r\n\r\na", []string{"a"}, "", 0},
	{framing.LSP, "Content-Length: 3\r\n\r\na\xffb", []string{"a\uFFFDb"}, "", 0},
	{framing.LSP, "Content-Length: 2\r\n\r\n\xe2\x82" + encoded(framing.LSP, "€"), []string{"\uFFFD", "€"}, "", 0},
	{framing.LSP, head(200_000) + x(199_998) + "\xe2\x82" + encoded(framing.LSP, "€"), []string{x(199_998) + "\uFFFD", "€"}, "", 0},
	{framing.LSP, encoded(framing.LSP, strings.Repeat("€", 100_000)), []string{strings.Repeat("€", 100_000)}, "", 0},
	{framing.LSP, encoded(framing.LSP, x(64<<10)), []string{x(64 << 10)}, "", 0},
	{framing.LSP, head(128<<10) + x(128<<10) + encoded(framing.LSP, "a"), []string{x(128 << 10), "a"}, "", 0},
	{framing.LSP, encoded(framing.LSP, x(1<<20)), []string{x(1 << 20)}, "", 0},
	{framing.LSP, "X: " + x(4096-3-1-len(head(1))) + "\n" + head(1) + "a", []string{"a"}, "", 0},
	{framing.Length, encoded(framing.Length, "a") + "\x00\x00\x00", []string{"a"}, "truncated length: 3 of 4 bytes", 8},
	{framing.Length, "\xff\xff\xff\xff0123456789", nil, "truncated record: 4294967285 bytes missing", 14},
	{framing.Length, "\x00\x00\x00\x05abc", nil, "truncated record: 2 bytes missing", 7},
	{framing.Length, encoded(framing.Length, "") + "\x00\x00\x00\x01", []string{""}, "truncated record: 1 bytes missing", 8},
	{framing.Length, "Hello, world\n", nil, "truncated record: 1214606435 bytes missing", 13},
	{framing.Length, "\x00\x10\x00\x00" + x(1<<20-1), nil, "truncated record: 1 bytes missing", 4 + 1<<20 - 1},
	{framing.LSP, "Hello\r\nContent-Length: 1\r\n\r\na", nil, "header line without a colon", 0},
	{framing.LSP, encoded(framing.LSP, "{}") + "Hello\n", []string{"{}"}, "header line without a colon", 23},
	{framing.LSP, "Content-Length: 1\r\n\r\na\r\nContent-Length: 1\r\n\r\nb", []string{"a"}, "header without Content-Length", 22},
	{framing.LSP, "Content-Type: x\r\n\r\n{}", nil, "header without Content-Length", 17},
	{framing.LSP, "\n", nil, "header without Content-Length", 0},
	{framing.LSP, "Content-Length : 1\r\n\r\na", nil, "header without Content-Length", 20},
	{framing.LSP, "Content-Length: 1\r\ncontent-length: 1\r\n\r\na", nil, "duplicate Content-Length", 19},
	{framing.LSP, "Content-Length: -1\r\n\r\na", nil, "invalid Content-Length", 0},
	{framing.LSP, "Content-Length: +1\r\n\r\na", nil, "invalid Content-Length", 0},
	{framing.LSP, "Content-Length: 0x1\r\n\r\na", nil, "invalid Content-Length", 0},
	{framing.LSP, "Content-Length: 1_0\r\n\r\na", nil, "invalid Content-Length", 0},
	{framing.LSP, "X: y\nContent-Length: 1, 1\r\n\r\na", nil, "invalid Content-Length", 5},
	{framing.LSP, "Content-Length:\r\n\r\na", nil, "invalid Content-Length", 0},
	{framing.LSP, "Content-Length: 9223372036854775808\r\n\r\na", nil, "invalid Content-Length", 0},
	{framing.LSP, "Content-Length: " + strings.Repeat("9", 4000) + "\r\n\r\na", nil, "invalid Content-Length", 0},
	{framing.LSP, "Content-Length: 9223372036854775807\r\n\r\nabc", nil, "truncated record: 9223372036854775804 bytes missing", 42},
	{framing.LSP, "X: " + x(5000) + "\r\nContent-Length: 1\r\n\r\na", nil, "header over 4096 bytes", 0},
	{framing.LSP, strings.Repeat("X: 4567\n", 600) + "Content-Length: 1\r\n\r\na", nil, "header over 4096 bytes", 4096},
	{framing.LSP, "X: " + x(200_000), nil, "header over 4096 bytes", 0},
	{framing.LSP, "X: " + x(4096-3-21) + "\nContent-Length: 1\r\n\r\na", nil, "header over 4096 bytes", 4095},
	{framing.LSP, encoded(framing.LSP, "a") + "Content-Length: 1\r\nX:", []string{"a"}, "truncated header", 41},
	{framing.LSP, "Content-Length: 1\r\n", nil, "truncated header", 19},
	{framing.LSP, "Content-Length: 3\r\n\r\nab", nil, "truncated record: 1 bytes missing", 23},
	{framing.LSP, "Content-Length: 1000000\r\n\r\n" + strings.Repeat("é", 499_999), nil, "truncated record: 2 bytes missing", 27 + 999_998},
	{framing.JSON, "a\n", []string{`{"stream":"stdout","data":"a"}`}, "", 0},
	{framing.JSON, "\n", []string{`{"stream":"stdout","data":""}`}, "", 0},
	{framing.JSON, "\r\n", []string{`{"stream":"stdout","data":""}`}, "", 0},
	{framing.JSON, "last", []string{`{"stream":"stdout","data":"last"}`}, "", 0},
	{framing.JSON, "é \"x\"\t\\\x01", []string{`{"stream":"stdout","data":"é \"x\"\t\\\u0001"}`}, "", 0},
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

// lengthen inserts a long run of bytes in text.
func lengthen(text []byte, fill uint32, at int) string {
	at = max(min(at, len(text)), 0)
	return string(text[:at]) + x(int(fill%(5*framing.MaxWhole))) + string(text[at:])
}

// FuzzRecordsChunking: the messages of each framing survive encoding and any chunking. Payloads
// are separated by bars in text.
func FuzzRecordsChunking(f *testing.F) {
	modes := len(framing.Names())
	for mode := range modes {
		for _, sizes := range []string{"\x01", "\x02\x01", "\x20", "\xff\x01\x80"} {
			f.Add(byte(mode), []byte("a\x00b||\x1f\"\\\u2028\xe2\x82|\xf0\x9f\x98\x80\r\n|\r\r\n|\xff"), []byte(sizes), uint32(0), 0)
			if sizes[0] > 2 {
				f.Add(byte(mode), []byte("a|\xf0\x9f\x98\x80|b"), []byte(sizes), uint32(framing.MaxWhole-3), 4)
				f.Add(byte(mode), []byte("a|\xf0\x9f\x98\x80|b"), []byte(sizes), uint32(2*framing.MaxWhole-7), 4)
			}
		}
	}
	f.Fuzz(func(t *testing.T, mode byte, text, sizes []byte, fill uint32, at int) {
		mode %= byte(modes)
		output := ""
		payloads := strings.Split(lengthen(text, fill, at), "|")
		for _, p := range payloads {
			output += encoded(framing.Framing(mode), p)
		}
		got := send(t, framing.Framing(mode), split(output, sizesOf(sizes)))
		if got.wrong != "" {
			t.Errorf("at byte %d: %s", got.position, got.wrong)
		}
		if framing.Framing(mode) == framing.Bytes {
			got.messages, payloads = []string{strings.Join(got.messages, "")}, []string{output}
		}
		same(t, got.messages, messagesOf(framing.Framing(mode), payloads))
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
				want = append(want, fmt.Sprintf(`{"stream":"stdout","data":"%s"}`, framing.AppendJSON(nil, []byte(line))))
			}
		}
	}
	return want
}

// FuzzBrokenFraming: neither the messages nor the error depend on how the output is chunked.
func FuzzBrokenFraming(f *testing.F) {
	for _, test := range outputCases {
		if test.wrong != "" && len(test.output) < 10_000 {
			f.Add(test.framing == framing.LSP, []byte(test.output), []byte("\x01\x08"), uint32(0), 0)
			f.Add(test.framing == framing.LSP, []byte(test.output), []byte("\xff\x30"), uint32(100_000), 22)
		}
	}
	f.Fuzz(func(t *testing.T, lsp bool, text, sizes []byte, fill uint32, at int) {
		mode := framing.Length
		if lsp {
			mode = framing.LSP
		}
		output := lengthen(text, fill, at)
		want := send(t, mode, &chunked{output})
		got := send(t, mode, split(output, sizesOf(sizes)))
		if got.wrong != want.wrong || got.position != want.position || got.position < 0 || got.position > int64(len(output)) {
			t.Errorf("%s at byte %d, in one chunk %s at byte %d", got.wrong, got.position, want.wrong, want.position)
		}
		same(t, got.messages, want.messages)
	})
}
