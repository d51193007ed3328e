package cmd

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"wspipe/cmd/wspipetest"
)

func (l shellLine) String() string {
	if l.err != nil {
		return fmt.Sprintf("%d %v", l.number, l.err)
	}
	return fmt.Sprintf("%d %q", l.number, l.words)
}

func TestSplitLines(t *testing.T) {
	const open, openSingle = `the quote " does not end on its line`, "the quote ' does not end on its line"
	for text, want := range map[string][]string{
		"":                          nil,
		" \t\n\n# a\n  # b":         nil,
		"a b\tc\n d ":               {`1 ["a" "b" "c"]`, `2 ["d"]`},
		"a #b\nc#d '#' \\# \"\"#":   {`1 ["a"]`, `2 ["c#d" "#" "#" "#"]`},
		"a \\\nb\\\nc\nd":           {`1 ["a" "bc"]`, `4 ["d"]`},
		"a # b \\\nc":               {`1 ["a"]`, `2 ["c"]`},
		"\n\na\\":                   {`3 ["a"]`},
		"\\\n\\\na":                 {`1 ["a"]`},
		"a\r\nb \\\r\nc\r\n":        {`1 ["a"]`, `2 ["b" "c"]`},
		"\ufeffa":                   {`1 ["a"]`},
		"a 'b\nc 'd'":               {"1 " + openSingle, `2 ["c" "d"]`},
		"a 'b \\\nc \"d\ne\nf \"":   {"1 " + open, `3 ["e"]`, "4 " + open},
		"a \"b\\\nc\"\nd":           {"1 " + open, `3 ["d"]`},
		"a b\x00c\nd":               {"1 the line contains a NUL byte", `2 ["d"]`},
		"a; b | c > d & e && f < g": {`1 ["a;" "b" "|" "c" ">" "d" "&" "e" "&&" "f" "<" "g"]`},
		"$A ${B} $(c) `d` ~ * ? {e,f} !g [h] $'i' \"$j\"": {"1 [\"$A\" \"${B}\" \"$(c)\" \"`d`\" \"~\" \"*\" \"?\" \"{e,f}\" \"!g\" \"[h]\" \"$i\" \"$j\"]"},
	} {
		var got []string
		for _, line := range splitLines(text) {
			got = append(got, line.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Where a shell would expand nothing, the words are those of the shell.
func TestSplitLinesLikeAShell(t *testing.T) {
	sh := wspipetest.Need(t, "sh")
	for _, line := range []string{
		`a b  c`, `'a b' "c d" e\ f`, `'' "" a''b`, `"a\"b\\c\$d\` + "`" + `e\f\'g"`, `'a\b"c\'`, `a'b'"c"d\e`, `\"\'\\`, `a#b '#' \#`, "a \\\nb\\\nc", `"'" '"'`, `'it'\''s'`,
	} {
		out, err := exec.Command(sh, "-c", `printf '%s\0' `+line).Output()
		if err != nil {
			t.Fatal(err)
		}
		got := splitLines(line)
		if want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); len(got) != 1 || !slices.Equal(got[0].words, want) {
			t.Errorf("%s: got %v, want %q", line, got, want)
		}
	}
}

// Quoted words stay the same, and the lines have their numbers, whatever is between them.
func FuzzSplitLines(f *testing.F) {
	f.Add("a b", `c"d\`, "# '", uint8(3))
	f.Fuzz(func(t *testing.T, first, second, between string, blank uint8) {
		oneLine := strings.NewReplacer("\n", " ", "\r", " ", "\x00", " ", "\ufeff", " ")
		first, second, between = oneLine.Replace(first), oneLine.Replace(second), oneLine.Replace(between)
		double := `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "$", `\$`, "`", "\\`").Replace(second) + `"`
		single := "'" + strings.ReplaceAll(first, "'", `'\''`) + "'"
		gap := strings.Repeat("\n", int(blank))
		lines := splitLines(gap + single + " \\\n\t" + double + "\n#" + between + "\n" + between + "\n" + single)
		if len(lines) < 2 {
			t.Fatalf("got %v", lines)
		}
		if l := lines[0]; l.number != int(blank)+1 || !slices.Equal(l.words, []string{first, second}) {
			t.Errorf("got %v, want %q", l, []string{first, second})
		}
		for i, l := range lines[1:] {
			if l.number <= lines[i].number || l.number > int(blank)+5 {
				t.Errorf("line %d follows line %d", l.number, lines[i].number)
			}
		}
	})
}
