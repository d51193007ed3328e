//go:build unix

package framing

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	var whole []string
	for i, name := range Names() {
		f, err := Parse(name)
		if err != nil || f.String() != name || f != Framing(i) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
		if f.HoldsWhole() {
			whole = append(whole, name)
		}
	}
	if !slices.Equal(whole, []string{"length", "lsp"}) {
		t.Errorf("%v hold messages whole", whole)
	}
	if Framing(0) != Lines {
		t.Error("the zero value is not Lines")
	}
	for _, name := range []string{"", "Lines", "line"} {
		if _, err := Parse(name); err == nil {
			t.Errorf("%q is no framing", name)
		}
	}
}

// TestJoinAndSplit: Split returns a payload of any size that Join has encoded.
func TestJoinAndSplit(t *testing.T) {
	t.Parallel()
	for _, f := range []Framing{Lines, NUL, Length, LSP, JSON} {
		for _, size := range []int{0, 1, 9, 10, 99, 100, 255, 256, MaxWhole - 1, MaxWhole, MaxWhole + 1, 70_000} {
			c := f.NewCodec()
			var p []byte
			for _, payload := range []string{strings.Repeat("x", size), "next"} {
				before, after := c.Join(len(payload))
				p = append(p, before+payload+after...)
			}
			n, first, last, err := c.Split(p, false)
			m, second, alsoLast, err2 := c.Split(p[n:], false)
			if len(first) != size || string(second) != "next" || !last || !alsoLast || err != nil || err2 != nil || n+m != len(p) {
				t.Errorf("%s: %d bytes became %d, and then %q: %v, %v", f, size, len(first), second, err, err2)
			}
		}
	}
	longest := int64(MaxHeld) // more than an int where that has 32 bits
	if before, _ := Length.NewCodec().Join(int(longest)); before != "\xff\xff\xff\xff" {
		t.Errorf("the longest message has length %q", before)
	}
}

// FuzzAppendJSON: every byte and every character is encoded as JSON requires.
func FuzzAppendJSON(f *testing.F) {
	for b := range 256 {
		f.Add([]byte{'a', byte(b), 'b'})
	}
	for _, s := range append(strange, "\u2028\u2029", "\x7f\u0080", `\`, `"`, `\\"`, `<>&`, "😀\xf0\x9f\x98") {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		text := string(AppendJSON([]byte(`"`), p)) + `"`
		var got string
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != string(AppendValid(nil, p)) {
			t.Errorf("%q became %q: %q, %v", p, text, got, err)
		}
	})
}
