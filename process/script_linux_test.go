package process

import "testing"

// TestRegisteredFormats: files in formats that are registered with the kernel are not refused.
func TestRegisteredFormats(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		entry, path, head string
		want              bool
	}{
		{"enabled\ninterpreter /usr/bin/python3\nflags: \nextension .py\n", "/x/run.py", "print()", true},
		{"enabled\ninterpreter /usr/bin/python3\nflags: \nextension .py\n", "/x/run.sh", "echo", false},
		{"disabled\ninterpreter /usr/bin/python3\nflags: \nextension .py\n", "/x/run.py", "print()", false},
		{"enabled\ninterpreter /i\nflags: OC\noffset 1\nmagic 616263\n", "/x", "xabcd", true},
		{"enabled\ninterpreter /i\nflags: OC\noffset 0\nmagic 616263\n", "/x", "xabcd", false},
		{"enabled\ninterpreter /i\nflags: OC\noffset 1\nmagic 414200\nmask dfdf00\n", "/x", "xabcd", true},
		{"enabled\ninterpreter /i\nflags: OC\noffset 3\nmagic 616263\n", "/x", "xabcd", false},
		{"enabled\n", "/x", "", false}, // the file named status
	} {
		if got := matchesFormat(test.entry, test.path, test.head); got != test.want {
			t.Errorf("%q for %s %q: %v", test.entry, test.path, test.head, got)
		}
	}
}
