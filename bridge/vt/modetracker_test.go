package vt

import (
	"strings"
	"testing"
)

// AppendReset resets exactly the modes that the program has left set.
func TestModeTracker(t *testing.T) {
	for output, want := range map[string][2]string{ // want of AppendReset and AppendSet
		"":                         {},
		"\x1b[1;31mred\x1b[0m\r\n": {},
		"\x1b[?1049h\x1b[?1h\x1b=\x1b[?25l\x1b[>4;2m\x1b[?25h\x1b>\x1b[?1l\x1b[>4;m\x1b[?1049l": {},
		"\x1b[?1049h\x1b[?2004h\x1b[>1u\x1bc":                                                   {},
		"\x1b[?1049h":                                                                           {"\x1b[?1049l", "\x1b[?1049h"},
		"\x1b[?1003;1006h\x1b[?1002l":                                                           {"\x1b[?1006l", "\x1b[?1006h"},
		"\x1b[?25l\x1b[?7l":                                                                     {"\x1b[?7h\x1b[?25h", "\x1b[?7l\x1b[?25l"},
		"\x1b[5;9r":                                                                             {"\x1b7\x1b[r\x1b8", "\x1b[5;9r"},
		"\x1b[4h\x1b[3 q\x1b(0\x0e\x1b[44m":                                                     {"\x1b[4l\x1b[0 q\x1b(B\x0f\x1b[m", "\x1b[4h\x1b[3 q\x1b(0\x0e\x1b[44m"},
		"\x1b[>1u\x1b[>5u":                                                                      {"\x1b[<2u", "\x1b[>1u\x1b[>5u"},
		"\x1b[>1u\x1b[>5u\x1b[<u\x1b[=2;2u":                                                     {"\x1b[<1u", "\x1b[>3u"},
		"\x1b[>1u\x1b[<u\x1b[=1u":                                                               {"\x1b[=0u", "\x1b[=1u"},
		"\x1b[>1u\x1b[?1049h\x1b[>7u":                                                           {"\x1b[<1u\x1b[?1049l\x1b[<1u", "\x1b[?1049h\x1b[>7u"},
		"\x1b[?2004h\x1b]0;a tit":                                                               {"\x18\x1b[?2004l", "\x1b[?2004h"},
		"\x1b[?2048h\x1b[?2026h":                                                                {"\x1b[?2048l\x1b[?2026l", "\x1b[?2048h"},
		"\x1b[?2026h\x1b[?2026l":                                                                {},
		"\xe2\x82":                                                                              {},
		"\x1b=":                                                                                 {"\x1b>", "\x1b="},
		"\x1b(0\x1b(B":                                                                          {},
		"\x1b[>4;2m":                                                                            {"\x1b[>4m", "\x1b[>4;2m"},
		"\x1b[>4;2m\x1b[>m":                                                                     {},
		"\x1b[>1;2m":                                                                            {},
		"\x1b[?1049h\x1b[>4;2m":                                                                 {"\x1b[?1049l\x1b[>4m", "\x1b[?1049h\x1b[>4;2m"},
		"\x1b[>1u\x1bc":                                                                         {},
		"\x1b[>1u\x1b[>5u\x1b[<2u":                                                              {},
		"\x1b[<9u\x1b[>1u":                                                                      {"\x1b[<1u", "\x1b[>1u"},
		"\x1b[=5u\x1b[=1;3u":                                                                    {"\x1b[=0u", "\x1b[=4u"},
		strings.Repeat("\x1b[>1u", 9):                                                           {"\x1b[<7u", strings.Repeat("\x1b[>1u", 7)},
		"\x1b[?2004;" + strings.Repeat("1;", maxHeldSequence) + "25l": {},
	} {
		tracker := NewModeTracker()
		for i := range len(output) {
			tracker.Write([]byte(output[i : i+1]))
		}
		if got := string(tracker.AppendReset(nil)); got != want[0] {
			t.Errorf("%q is reset by %q, want %q", output, got, want[0])
		}
		if got := string(tracker.AppendSet(nil)); got != want[1] {
			t.Errorf("%q is set by %q, want %q", output, got, want[1])
		}
	}
}
