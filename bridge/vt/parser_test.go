package vt

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// tokens returns the tokens of output as text.
func tokens(output string) string {
	var p parser
	var found strings.Builder
	for rest := []byte(output); len(rest) > 0; {
		n, what := p.next(rest)
		switch what {
		case tokenText:
			fmt.Fprintf(&found, "%q ", rest[:n])
		case tokenSequence:
			fmt.Fprintf(&found, "<%q> ", p.sequence())
		case tokenBroken:
			fmt.Fprintf(&found, "broken<%q> ", p.appendHeld(nil))
		}
		rest = rest[n:]
	}
	if p.state != inText {
		fmt.Fprintf(&found, "in<%q>", p.appendHeld(nil))
	}
	return strings.TrimSpace(strings.ReplaceAll(found.String(), `\x1b`, "^"))
}

func TestTerminalParser(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ output, want string }{
		{"plain text\r\n", `"plain text\r\n"`},
		{"a\x1b[1;31mb", `"a" <"^[1;31m"> "b"`},
		{"\x1b[?25", `in<"^[?25">`},
		{"\x1b(0\x1b=\x1b#8\x1b%G", `<"^(0"> <"^="> <"^#8"> <"^%G">`},
		{"\x1b]0;title\ax", `<"^]0;title\a"> "x"`},
		{"\x1b]0;title\x1b\\x", `<"^]0;title"> <"^\\"> "x"`},
		{"\x1bPq#1~~\a~\x1b\\", `<"^Pq#1~~~"> <"^\\">`},
		{"\x1b_Ga=q\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\", `<"^_Ga=q"> <"^\\"> <"^^pm"> <"^\\"> <"^Xsos"> <"^\\">`},
		{"\x1bOab\x1bN", `<"^Oa"> "b" in<"^N">`},
		{"\x0ea\x0fb\x05", `<"\x0e"> "a" <"\x0f"> "b" <"\x05">`},
		// C1 controls in UTF-8; other characters of two bytes with the same first byte.
		{"\u009b1m\u009d0;t\u009c\u0085", `<"^[1m"> <"^]0;t\u009c"> <"^E">`},
		{"°C \u00a0 é", `"°C ` + `\u00a0 é"`},
		// Incomplete characters at the end, and invalid bytes.
		{"gr\xc3", `"gr" in<"\xc3">`},
		{"\xe2\x82", `in<"\xe2\x82">`},
		{"\xe2\x1b[m", `"\xe2" <"^[m">`},
		{"\xff\x80\xc2", `"\xff\x80" in<"\xc2">`},
		// Broken sequences.
		{"\x1b[1\x1b[2m", `broken<"^[1"> <"^[2m">`},
		{"\x1b[1\x18a\x1b]0;t\x1ab", `broken<"^[1\x18"> "a" broken<"^]0;t\x1a"> "b"`},
		{"\x1b[1é2m", `<"^[12m">`},
		{"\x1b[1\r\n;2m", `<"^[1;2m">`},
	} {
		if got := tokens(test.output); got != test.want {
			t.Errorf("%q: %s, want %s", test.output, got, test.want)
		}
	}
}

// TestTerminalParserIsBounded: it holds only the beginning of a long string.
func TestTerminalParserIsBounded(t *testing.T) {
	t.Parallel()
	var p parser
	output := []byte("\x1b]52;c;" + strings.Repeat("x", 1<<20))
	for rest := output; len(rest) > 0; {
		n, what := p.next(rest)
		if rest = rest[n:]; what != tokenPart {
			t.Fatalf("found %v", what)
		}
	}
	if !p.long || !bytes.Equal(p.sequence(), output[:maxHeldSequence]) {
		t.Errorf("long %v, held %q", p.long, p.sequence())
	}
	if n, what := p.next([]byte("\aabc")); n != 1 || what != tokenSequence {
		t.Errorf("the end is %d bytes, %v", n, what)
	}
}

// FuzzTerminalChunks: modes, queries and state do not depend on how the output is split.
// The output without queries sets the same modes.
func FuzzTerminalChunks(f *testing.F) {
	for _, seed := range []string{
		"a\x1b[?1049h\x1b[2;5r\x1b[1;38;5;9m\x1b(0\x0e\x1b]11;?\x1b\\b\x1b[6n",
		"\u009b?1h\x1b7\x1b[!p\x1b8\xe2\x82\xac\xc2", "\x1b]52;c;" + strings.Repeat("y", 200) + "\x1b\\\x1bP$qm\x1b\\",
		"\x1b[1\r;\n2m\x1b[>c\x1bOa\x1b[?2004h\x1bc\x18\x1bZ\x05",
	} {
		f.Add([]byte(seed), uint64(0x9e3779b97f4a7c15))
	}
	f.Fuzz(func(t *testing.T, output []byte, cuts uint64) {
		whole, parts := NewState(), NewState()
		whole.Write(output)
		var one, many QueryFilter
		want := one.Filter(nil, output)
		var got []byte
		for rest := output; len(rest) > 0; cuts = cuts>>3 | cuts<<61 {
			n := min(len(rest), 1+int(cuts&7))
			parts.Write(rest[:n])
			got = many.Filter(got, rest[:n])
			rest = rest[n:]
		}
		if a, b := whole.AppendTo(nil), parts.AppendTo(nil); whole.modes != parts.modes || !bytes.Equal(a, b) {
			t.Errorf("%q leaves %q in one piece, and %q in parts", output, a, b)
		}
		if !bytes.Equal(got, want) || !bytes.Equal(many.Flush(nil), one.Flush(nil)) {
			t.Errorf("%q without queries is %q in one piece, and %q in parts", output, want, got)
		}
		again := NewState()
		again.Write(whole.AppendTo(nil))
		if a, b := whole.AppendTo(nil), again.AppendTo(nil); !bytes.Equal(a, b) {
			t.Errorf("%q leaves %q, which leaves %q", output, a, b)
		}
		filtered := NewState()
		filtered.Write(want)
		if filtered.modes != whole.modes {
			t.Errorf("%q without queries is %q, which leaves other modes", output, want)
		}
		var p parser
		for rest := want; len(rest) > 0; {
			n, what := p.next(rest)
			if rest = rest[n:]; what == tokenSequence && isQuery(p.sequence()) {
				t.Errorf("%q without queries is %q, which has %q", output, want, p.sequence())
			}
		}
	})
}
