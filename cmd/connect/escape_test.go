//go:build unix

package connect

import (
	"testing"
)

func TestEscapes(t *testing.T) {
	tests := []struct {
		keys, want string
		leave      bool
	}{
		{"ls\r", "ls\r", false},
		{"~.", "", true},
		{"~.ls", "", true},
		{"x~.", "x~.", false},
		{"x\r~.", "x\r", true},
		{"x\n~.", "x\n", true},
		{"~~.", "~.", false},
		{"~~~", "~~", false},
		{"~/bin\r", "~/bin\r", false},
		{"~\r~.", "~\r", true},
		{"\r~x~.", "\r~x~.", false},
		{"~~\r~~", "~\r~", false},
	}
	for _, test := range tests {
		// The result does not depend on how the keys are split.
		for size := 1; size <= len(test.keys); size++ {
			var e escapeFilter
			var got []byte
			leave := false
			for i := 0; i < len(test.keys) && !leave; i += size {
				got, leave = e.filter(got, []byte(test.keys[i:min(i+size, len(test.keys))]))
			}
			if string(got) != test.want || leave != test.leave {
				t.Errorf("%q, by %d: got %q, %t, want %q, %t", test.keys, size, got, leave, test.want, test.leave)
			}
		}
	}
}
