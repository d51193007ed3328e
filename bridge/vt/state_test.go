package vt

import (
	"strings"
	"testing"
)

// TestTerminalModes: AppendTo brings a new terminal to the state after the output.
func TestTerminalModes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, output, want string }{
		{"nothing", "text\r\n\x1b[31mred\x1b[0m\x1b[2J\x1b[H", ""},
		{"vim runs", "\x1b[?1049h\x1b[22;0;0t\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h\x1b[1;24r\x1b[?12h\x1b[?25l",
			"\x1b[?1049h\x1b[1;24r\x1b[?1h\x1b[?25l\x1b[?1004h\x1b[?2004h\x1b="},
		{"vim has ended", "\x1b[?1049h\x1b[?1h\x1b=\x1b[?2004h\x1b[?25l\x1b[?2004l\x1b[?1l\x1b>\x1b[?1049l\x1b[?25h", ""},
		{"several at once", "\x1b[?1000;1006;2004h\x1b[4;20h", "\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[4h\x1b[20h"},
		{"last mouse mode", "\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1005h\x1b[?1015h", "\x1b[?1003h\x1b[?1015h"},
		{"any mouse mode off", "\x1b[?1003h\x1b[?1006h\x1b[?1000l\x1b[?1006l", ""},
		{"older alternate screens", "\x1b[?47h\x1b[?1047h", "\x1b[?1049h"},
		{"autowrap, origin, margins", "\x1b[?7l\x1b[5;9r\x1b[?6h", "\x1b[5;9r\x1b[?6h\x1b[?7l"},
		{"margins reset", "\x1b[5;9r\x1b[r", ""},
		{"keypad by DECNKM", "\x1b[?66h", "\x1b="},
		{"line drawing", "\x1b(0\x1b)0\x0e", "\x1b(0\x1b)0\x0e"},
		{"no line drawing", "\x1b(0\x0e\x0f\x1b(B", ""},
		{"cursor's shape", "\x1b[5 q", "\x1b[5 q"},
		{"colours", "\x1b[1;31m\x1b[48:2::1:2:3m\x1b[4m", "\x1b[1;31m\x1b[48:2::1:2:3m\x1b[4m"},
		{"colours since a reset", "\x1b[1;31m\x1b[0;4m\x1b[;5m", "\x1b[5m"},
		{"too many colours", strings.Repeat("\x1b[38;2;250;251;252m", 4) + "\x1b[7m", "\x1b[38;2;250;251;252m\x1b[7m"},
		{"not colours", "\x1b[>4;2m\x1b[?4m", ""},
		{"saved and restored", "\x1b[31m\x1b7\x1b(0\x1b[42m\x1b8", "\x1b[31m"},
		{"saved by the alternate screen", "\x1b[31m\x1b[?1049h\x1b[0m\x1b7\x1b[?1049l", "\x1b[31m"},
		{"a soft reset", "\x1b[?1049h\x1b[?1h\x1b=\x1b[?25l\x1b[4h\x1b[3;4r\x1b[31m\x1b[!p", "\x1b[?1049h"},
		{"a full reset", "\x1b[?1049h\x1b[?2004h\x1b[31m\x1bc", ""},
		{"inside a character", "\x1b[1mgr\xc3", "\x1b[1m\xc3"},
		{"inside a sequence", "\x1b[?2004h\x1b[38;5", "\x1b[?2004h\x1b[38;5"},
		{"inside a title", "\x1b]0;some ti", "\x1b]0;some ti"},
		{"inside a long string", "\x1b]52;c;" + strings.Repeat("x", 500), "\x1b]9999;"},
		{"inside a long image", "\x1bPq" + strings.Repeat("~", 500), "\x1bP~"},
		{"unknown", "\x1b[?9998h\x1b[99999999999999999999h\x1b[$$$$p\x1b[", "\x1b["},
	} {
		state := NewState()
		state.Write([]byte(test.output))
		if got := string(state.AppendTo(nil)); got != test.want {
			t.Errorf("%s: %q leaves %q, want %q", test.name, test.output, got, test.want)
		}
	}
}

// TestTerminalModesAllocateNothing, because State parses every byte of a terminal's output.
func TestTerminalModesAllocateNothing(t *testing.T) {
	output := []byte("größer \x1b[1;38;5;9mred\x1b[0m\x1b]0;title\a\x1b[?1049h\x1b[2;20r\x1b[?1000;1006h\x1b[!p\x1b(0\x1bc\xc2")
	state := NewState()
	if n := testing.AllocsPerRun(100, func() { state.Write(output) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTerminalModes(b *testing.B) {
	for name, line := range map[string]string{
		"plain":  "The quick brown fox jumps over the lazy dog, with seventy-nine characters.\r\n",
		"colour": "\x1b[01;34mdirectory\x1b[0m  \x1b[01;32mexecutable\x1b[0m  file.txt  \x1b[38;5;208mother\x1b[39m\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			output := []byte(strings.Repeat(line, 4095/len(line)))
			state := NewState()
			b.SetBytes(int64(len(output)))
			for b.Loop() {
				state.Write(output)
			}
		})
	}
}
