//go:build unix

package bridge

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// line is a JSON message that a client has received.
type line struct {
	Stream *string
	Data   *string
	More   bool
}

// jsonLines reads to the close frame and returns the lines of each stream, assembled from
// their parts, and the number of parts.
func jsonLines(t testing.TB, s *session, reason string) (lines map[string][]string, parts int) {
	t.Helper()
	lines = make(map[string][]string)
	begun := make(map[string]string)
	for {
		f, err := s.frame()
		if err != nil {
			t.Fatalf("no close frame: %v", err)
		}
		payload := f.payload
		for f.first&fin == 0 && err == nil {
			if f, err = s.frame(); f.first&^fin != wire.OpContinuation {
				t.Fatalf("frame %#x within a message", f.first)
			}
			payload = append(payload, f.payload...)
		}
		if f.first == fin|wire.OpClose {
			if got := string(payload); got != "\x03\xe8"+reason {
				t.Errorf("closed with %q", got)
			}
			s.write(maskedFrame(fin|wire.OpClose, payload))
			break
		}
		var l line
		d := json.NewDecoder(strings.NewReader(string(payload)))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil || l.Stream == nil || l.Data == nil || !utf8.Valid(payload) {
			t.Fatalf("not a JSON message: %.200q: %v", payload, err)
		}
		begun[*l.Stream] += *l.Data
		if l.More {
			parts++
			continue
		}
		lines[*l.Stream] = append(lines[*l.Stream], begun[*l.Stream])
		delete(begun, *l.Stream)
	}
	if len(begun) > 0 {
		t.Errorf("lines of %d streams are incomplete", len(begun))
	}
	return lines, parts
}

// Every byte and every character is encoded as JSON requires.
func TestJSONEscapes(t *testing.T) {
	t.Parallel()
	var texts []string
	for b := range 256 {
		if b != '\n' {
			texts = append(texts, "a"+string([]byte{byte(b)})+"b")
		}
	}
	texts = append(texts, "\u2028\u2029", "\x7f\u0080", "😀\xf0\x9f\x98", "\xed\xa0\x80", `\`, `"`, `\\"`, `<>&`, "\ufffd", "\U0010ffff", "", "\r", "x\r\r")
	s := newSender(t, framing.JSON)
	for i, got := range s.messages(t, &chunked{strings.Join(texts, "\n") + "\n"}) {
		var l line
		if err := json.Unmarshal([]byte(got), &l); err != nil || *l.Stream != "stdout" {
			t.Errorf("%q: %q: %v", texts[i], got, err)
			continue
		}
		if want := validText(strings.TrimSuffix(texts[i], "\r")); *l.Data != want {
			t.Errorf("%q: %q, want %q", texts[i], *l.Data, want)
		}
	}
}

func FuzzJSONEscapes(f *testing.F) {
	f.Add([]byte("a\"\\\x00\x1f\x7f\u2028\xff\xe2\x82"))
	f.Fuzz(func(t *testing.T, p []byte) {
		text := string(framing.AppendJSON([]byte(`"`), p)) + `"`
		var got string
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != validText(string(p)) {
			t.Errorf("%q became %q: %q, %v", p, text, got, err)
		}
	})
}

func TestJSONMessages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ output, want string }{
		{"a\n", `{"stream":"stdout","data":"a"}`},
		{"\n", `{"stream":"stdout","data":""}`},
		{"\r\n", `{"stream":"stdout","data":""}`},
		{"last", `{"stream":"stdout","data":"last"}`},
		{"é \"x\"\t\\\x01", `{"stream":"stdout","data":"é \"x\"\t\\\u0001"}`},
	} {
		same(t, newSender(t, framing.JSON).messages(t, &chunked{test.output}), []string{test.want})
	}
}

// A line of any length is one message while the other stream has no complete line, even if
// the other stream has begun a line or has ended.
func TestJSONLongLinesAreOneMessage(t *testing.T) {
	t.Parallel()
	for _, size := range []int{framing.MaxWhole - 1, framing.MaxWhole, framing.MaxWhole + 1, 2 * framing.MaxWhole, 10_000_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			s := start(t, child, Options{Framing: framing.JSON})
			long := strings.Repeat("é\"", size/3)
			go func() { // ends when the client has read everything
				child.far[1].WriteString(long[:len(long)/2])
				child.far[2].WriteString("begun")
				child.far[1].WriteString(long[len(long)/2:])
				child.far[2].Close()
				child.far[1].WriteString("\nlast")
				child.exit(0, "")
			}()
			lines, parts := jsonLines(t, s, "exit 0")
			same(t, lines["stdout"], []string{long, "last"})
			same(t, lines["stderr"], []string{"begun"})
			if parts > 1 { // "begun" is sent when stderr ends
				t.Errorf("%d parts of lines", parts)
			}
			if sum := s.summary(); sum.Out.Messages != int64(3+parts) || sum.Out.Bytes != int64(len(long)+len("last"+"begun")) {
				t.Errorf("counted %+v", sum.Out)
			}
		})
	}
}

// The end of one stream does not interrupt a long line of the other.
func TestJSONLongLineBesideTheOtherStreamsEnd(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := start(t, child, Options{Framing: framing.JSON})
	child.print(t, strings.Repeat("x", 2*wire.BlockSize))
	wspipetest.Eventually(t, "a part is sent", func() bool { return s.sequencer.total.total().Bytes > 0 })
	child.far[2].Close()
	wspipetest.Eventually(t, "the end of stderr", func() bool { _, err := child.near[2].Stat(); return err != nil })
	child.print(t, "y\n")
	child.exit(0, "")
	lines, parts := jsonLines(t, s, "exit 0")
	same(t, lines["stdout"], []string{strings.Repeat("x", 2*wire.BlockSize) + "y"})
	if parts != 0 {
		t.Errorf("%d parts of lines", parts)
	}
}

// A child may write to stderr within a long line of stdout. Neither waits for the other, and
// the rest of the line follows, even if it is only the newline.
func TestJSONInterruptedLine(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{"newline": "\n", "more and newline": "more\n", "end": "", "more and end": "more"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			s := startOver(t, link{buffers: 64 << 10}, child, Options{Framing: framing.JSON})
			long := strings.Repeat("x", 100_000)
			stderr := strings.Repeat(strings.Repeat("e", 99)+"\n", 20_000)
			child.print(t, long)
			wspipetest.Eventually(t, "a part is sent", func() bool { return s.sequencer.total.total().Bytes > 0 })
			go func() { // ends when the client has read everything
				child.far[2].WriteString(stderr)
				child.far[1].WriteString(end)
				child.exit(0, "")
			}()
			lines, parts := jsonLines(t, s, "exit 0")
			same(t, lines["stdout"], []string{long + strings.TrimSuffix(end, "\n")})
			if got := strings.Join(lines["stderr"], "\n") + "\n"; got != stderr {
				t.Errorf("stderr has %d bytes, want %d", len(got), len(stderr))
			}
			if parts != 1 {
				t.Errorf("%d parts of lines", parts)
			}
			if sum := s.summary(); sum.Out.Messages != int64(len(lines["stdout"])+len(lines["stderr"])+parts) {
				t.Errorf("%d messages counted", sum.Out.Messages)
			}
		})
	}
}

// Both streams flood with lines of any length: each keeps its order and every byte.
func TestJSONBothStreamsFlood(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := startOver(t, link{buffers: 64 << 10}, child, Options{Framing: framing.JSON})
	var written [3]chan []string
	for i, f := range child.far {
		if i == 0 {
			continue
		}
		written[i] = make(chan []string, 1)
		go func() { // ends when the client has read everything
			var lines []string
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for n := range 150 {
				size := r.IntN(200)
				if n%10 == 0 {
					size = r.IntN(300_000)
				}
				l := fmt.Sprint(n, " ", strings.Repeat("é", size/2))
				io.WriteString(f, l+"\n")
				lines = append(lines, l)
			}
			f.Close()
			written[i] <- lines
		}()
	}
	go func() { // ends when both have been written
		out, errs := <-written[1], <-written[2]
		written[1] <- out
		written[2] <- errs
		child.exit(0, "")
	}()
	lines, _ := jsonLines(t, s, "exit 0")
	same(t, lines["stdout"], <-written[1])
	same(t, lines["stderr"], <-written[2])
}

// stderr is logged as with other framings, and reaches the client before the end.
func TestJSONStderrIsLogged(t *testing.T) {
	t.Parallel()
	log := &records{t: t}
	child := newPuppet(t)
	s := start(t, child, Options{Framing: framing.JSON, Log: slog.New(log)})
	child.far[2].WriteString("a\r\n\nb\xff\nlast")
	child.print(t, "out")
	child.exit(0, "")
	lines, _ := jsonLines(t, s, "exit 0")
	same(t, lines["stderr"], []string{"a", "", "b\uFFFD", "last"})
	same(t, lines["stdout"], []string{"out"})
	s.summary()
	same(t, log.lines, []string{"a", "", "b\xff", "last"})
}

// A client that does not read blocks both streams, and the log gets what the child could
// write. After it disconnects, the log gets the rest.
func TestJSONClientDisconnectsInAFlood(t *testing.T) {
	t.Parallel()
	log := &records{t: t}
	child := newPuppet(t)
	child.reader = true // keeps running after Stop
	s := startOver(t, link{buffers: 64 << 10}, child, Options{Framing: framing.JSON, Log: slog.New(log)})
	written := make(chan int, 1)
	go func() { // ends when everything was read
		n := 0
		for ; n < 50_000; n++ {
			io.WriteString(child.far[2], strings.Repeat("e", 99)+"\n")
		}
		written <- n
		child.exit(0, "")
	}()
	wspipetest.Eventually(t, "output waits", func() bool { return s.wire.Out.Waiting() > wire.MaxUnsent })
	s.client.Close()
	if n := wspipetest.Wait(t, "the child", written); n != 50_000 {
		t.Errorf("wrote %d lines", n)
	}
	s.summary()
	if len(log.lines) != 50_000 {
		t.Errorf("%d lines in the log", len(log.lines))
	}
}

// A client sends lines, not JSON.
func TestJSONInput(t *testing.T) {
	t.Parallel()
	child := newPuppet(t).readAll()
	s := start(t, child, Options{Framing: framing.JSON, InputTimeout: -1})
	s.send("a")
	s.send("")
	s.send(`{"b":1}`)
	s.write(closeFrame(1000, ""))
	if got := string(wspipetest.Wait(t, "input", child.input)); got != "a\n\n{\"b\":1}\n" {
		t.Errorf("input %q", got)
	}
}
