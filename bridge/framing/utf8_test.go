//go:build unix

package framing

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os/exec"
	"testing"
	"unicode/utf8"

	"wspipe/cmd/wspipetest"
)

// whatwg decodes src step by step as in section 8.1.1 of the WHATWG Encoding Standard. open reports
// whether src ends within a sequence, bad whether it is invalid before that.
func whatwg(src []byte) (dst []byte, open, bad bool) {
	const replacement = "\uFFFD"
	var seen, needed int
	var point rune
	lower, upper := byte(0x80), byte(0xBF)
	for i := 0; i < len(src); i++ {
		b := src[i]
		switch {
		case needed == 0 && b < 0x80:
			dst = append(dst, b)
		case needed == 0 && b >= 0xC2 && b <= 0xDF:
			needed, point = 1, rune(b&0x1F)
		case needed == 0 && b >= 0xE0 && b <= 0xEF:
			if b == 0xE0 {
				lower = 0xA0
			} else if b == 0xED {
				upper = 0x9F
			}
			needed, point = 2, rune(b&0xF)
		case needed == 0 && b >= 0xF0 && b <= 0xF4:
			if b == 0xF0 {
				lower = 0x90
			} else if b == 0xF4 {
				upper = 0x8F
			}
			needed, point = 3, rune(b&0x7)
		case needed == 0:
			dst, bad = append(dst, replacement...), true
		case b < lower || b > upper:
			dst, bad = append(dst, replacement...), true
			seen, needed, lower, upper = 0, 0, 0x80, 0xBF
			i-- // decode b again
		default:
			lower, upper = 0x80, 0xBF
			point = point<<6 | rune(b&0x3F)
			if seen++; seen == needed {
				dst = utf8.AppendRune(dst, point)
				seen, needed = 0, 0
			}
		}
	}
	if needed > 0 {
		return append(dst, replacement...), true, bad
	}
	return dst, false, bad
}

// strange has valid and invalid pieces of text, with every kind of error.
var strange = []string{
	"", "a", "hello", "é", "€", "😀", "\uFFFD", "\u0000", "\U0010FFFF", "\uD7FF", "\uE000",
	"\xc3", "\xe2", "\xe2\x82", "\xf0", "\xf0\x9f", "\xf0\x9f\x98", // truncated
	"\x80", "\xbf", "\x80\x80\x80\x80", // continuations alone
	"\xed\xa0\x80", "\xed\xbf\xbf", "\xed\xa0", // surrogates
	"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", // overlong
	"\xf4\x90\x80\x80", "\xf4\x8f\xbf", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
}

func TestAppendValid(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"plain", "plain"},
		{"zß水🍌", "zß水🍌"},
		{"\uFFFD", "\uFFFD"},
		{"a\xffb", "a\uFFFDb"},
		{"\x80", "\uFFFD"},
		{"\x80\xbf", "\uFFFD\uFFFD"},
		{"\xc3", "\uFFFD"},
		{"\xc3(", "\uFFFD("},
		{"\xe2\x82", "\uFFFD"},
		{"\xe2\x82|", "\uFFFD|"},
		{"\xe2\x82\xe2\x82\xac", "\uFFFD€"},
		{"\xf0\x9f\x98", "\uFFFD"},
		{"\xf0\x9f\x98x", "\uFFFDx"},
		{"\xf0\x9f\x98\xf0\x9f\x98\x80", "\uFFFD😀"},
		{"\xc0\x80", "\uFFFD\uFFFD"},
		{"\xe0\x80\x80", "\uFFFD\uFFFD\uFFFD"},
		{"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},
		{"\xf0\x80\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
		{"\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
		{"\xf5\x80\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
		{"\xfe\xff", "\uFFFD\uFFFD"},
		// The Unicode Standard, chapter 3, table 3-8.
		{"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "\uFFFD\uFFFD\uFFFD\uFFFDA"},
	} {
		if got := AppendValid([]byte("before"), []byte(test.in)); string(got) != "before"+test.want {
			t.Errorf("%q: %q, want %q", test.in, got[len("before"):], test.want)
		}
		if got, _, _ := whatwg([]byte(test.in)); string(got) != test.want {
			t.Errorf("the oracle is wrong about %q: %q", test.in, got)
		}
	}
}

func FuzzAppendValid(f *testing.F) {
	for _, a := range strange {
		for _, b := range strange {
			f.Add([]byte(a + b))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		got := AppendValid(nil, src)
		if want, _, _ := whatwg(src); !bytes.Equal(got, want) {
			t.Errorf("%q: %q, want %q", src, got, want)
		}
		if !utf8.Valid(got) {
			t.Errorf("%q: %q is not UTF-8", src, got)
		}
		if utf8.Valid(src) && !bytes.Equal(got, src) {
			t.Errorf("valid %q became %q", src, got)
		}
	})
}

// Python's decoder follows the same standard.
func TestAppendValidAgreesWithPython(t *testing.T) {
	t.Parallel()
	python := wspipetest.Need(t, "python3")
	const script = `
import struct, sys
data, at = sys.stdin.buffer.read(), 0
while at < len(data):
    n, = struct.unpack_from('>I', data, at)
    out = data[at+4:at+4+n].decode('utf-8', 'replace').encode()
    sys.stdout.buffer.write(struct.pack('>I', len(out)) + out)
    at += 4 + n
`
	var inputs, want []byte
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var in []byte
		for range r.IntN(6) {
			in = append(in, strange[r.IntN(len(strange))]...)
			if r.IntN(3) == 0 {
				in = append(in, byte(0x80+r.IntN(0x80)))
			}
		}
		inputs = append(binary.BigEndian.AppendUint32(inputs, uint32(len(in))), in...)
		out := AppendValid(nil, in)
		want = append(binary.BigEndian.AppendUint32(want, uint32(len(out))), out...)
	}
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin = bytes.NewReader(inputs)
	got, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("Python decodes something differently")
	}
}

func TestIncompleteTail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   string
		want int
	}{
		{"", 0}, {"a", 0}, {"é", 0}, {"€", 0}, {"😀", 0}, {"😀a", 0},
		{"a\xc3", 1}, {"\xe2", 1}, {"\xe2\x82", 2}, {"\xf0", 1}, {"\xf0\x9f", 2}, {"€\xf0\x9f\x98", 3},
		{"\xff", 0}, {"\x80", 0}, {"\x80\x80\x80\x80", 0}, {"\xed\xa0", 0}, {"\xe0\x80", 0}, {"\xf4\x90", 0}, {"\xc0", 0},
	} {
		if got := IncompleteTail([]byte(test.in)); got != test.want {
			t.Errorf("%q: %d, want %d", test.in, got, test.want)
		}
	}
}

// The result does not depend on how the text is split, and an error is reported as soon as the
// invalid bytes have arrived.
func FuzzValidPrefix(f *testing.F) {
	for _, a := range strange {
		for _, b := range strange {
			f.Add([]byte(a+b), uint64(0x5555))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, cuts uint64) {
		from, to := 0, 0 // text[from:to] has not been validated yet
		for to < len(text) {
			for to++; to < len(text) && cuts>>(to%64)&1 == 0; to++ {
			}
			n, ok := ValidPrefix(text[from:to])
			if _, _, bad := whatwg(text[:to]); bad == ok {
				t.Fatalf("after %q: right is %t", text[:to], ok)
			}
			if !ok {
				return
			}
			from += n
			if to-from >= utf8.UTFMax || !utf8.Valid(text[:from]) {
				t.Fatalf("%q: %d bytes right, of %d", text[:to], from, to)
			}
		}
		if _, open, _ := whatwg(text); open != (from < to) {
			t.Errorf("%q: %d bytes left over", text, to-from)
		}
	})
}
