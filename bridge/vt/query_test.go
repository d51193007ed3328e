package vt

import (
	"strings"
	"testing"
)

// queries are sequences that a terminal replies to.
var queries = []string{
	"\x05", "\x1bZ", "\u009bc", "\x1b[c", "\x1b[0c", "\x1b[>c", "\x1b[>0c", "\x1b[=c", "\x1b[5n", "\x1b[6n", "\x1b[?6n", "\x1b[?996n", "\x1b[x", "\x1b[1x",
	"\x1b[4$p", "\x1b[?2026$p", "\x1b[>q", "\x1b[>0q", "\x1b[?u", "\x1b[1$w", "\x1b[1;1;1;1;24;80*y", "\x1b[#R", "\x1b[?1;1;0S", "\x1b[?4m",
	"\x1b[11t", "\x1b[14t", "\x1b[14;2t", "\x1b[18t", "\x1b[21t", "\x1b[?2048h",
	"\x1b]4;1;?\a", "\x1b]4;0;?;1;?\x1b\\", "\x1b]10;?\x1b\\", "\x1b]11;?\u009c", "\x1b]12;?\a", "\x1b]52;c;?\a", "\x1b]22;?__current__\a", "\x1b]60\a",
	"\x1b]21;foreground=?\x1b\\", "\x1b]99;i=1:p=?;\x1b\\", "\x1b]1337;ReportCellSize\a",
	"\x1b]4;" + strings.Repeat("1;?;", 100) + "2;?\x1b\\",
	"\x1bP$qm\x1b\\", "\x1bP$q q\x1b\\", "\x1bP+q544e\x1b\\", "\x1b_Gi=1,a=q,s=1;AAAA\x1b\\", "\x1b_Ga=q;AAAA\x1b\\",
}

// statements are sequences that look like queries.
var statements = []string{
	"c", "\x1b7\x1b8", "\x1bc", "\x1b[?1;2c", "\x1b[2q", "\x1b[1 q", "\x1b[>4n", "\x1b[!p", "\x1b[2;1\"p", "\x1b[>1u", "\x1b[u", "\x1b[S", "\x1b[m", "\x1b[>4;1m",
	"\x1b[22;0t", "\x1b[8;24;80t", "\x1b[>3t", "\x1b[$r", "\x1b[?2004h", "\x1b[?2048l",
	"\x1b]0;what?\a", "\x1b]2;?\x1b\\", "\x1b]8;;http://a/?b=?\x1b\\", "\x1b]4;1;rgb:0/0/0\a", "\x1b]104\a", "\x1b]52;c;eHh4\a", "\x1b]10;#fff\x1b\\",
	"\x1b]1337;File=:AAAA\a", "\x1b]52;c;" + strings.Repeat("eHh4", 100) + "\a",
	"\x1bPq#0~\x1b\\", "\x1bP1$r0m\x1b\\", "\x1b_Ga=T,f=100;AAAA\x1b\\", "\x1b^a\x1b\\", "\x1bP" + strings.Repeat("?", 500) + "\x1b\\",
}

func TestQueriesAreRemoved(t *testing.T) {
	t.Parallel()
	for _, query := range queries {
		var f QueryFilter
		if got := string(f.Filter(nil, []byte("a\x1b[1mb"+query+"ü\x1b[c"+query+query+"\x1b[2mc"))); got != "a\x1b[1mbü\x1b[2mc" {
			t.Errorf("%q leaves %q", query, got)
		}
	}
	for _, statement := range statements {
		var f QueryFilter
		if got := string(f.Filter(nil, []byte(statement))); got != statement {
			t.Errorf("%q becomes %q", statement, got)
		}
	}
}

// TestQueriesInPieces: an incomplete sequence is withheld until more is known. A sequence
// that a removed query had ended is ended without it.
func TestQueriesInPieces(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxHeldSequence)
	for _, test := range []struct {
		pieces []string
		want   string // the filtered pieces, separated by |, and + the flushed rest
	}{
		{[]string{"a\x1b", "[", "6", "nb"}, "a|||b"},
		{[]string{"a\x1b[3", "1mb"}, "a|\x1b[31mb"},
		{[]string{"a\x1b[3"}, "a+\x1b[3"},
		{[]string{"\x1b]11;?", "\x1b", "\\b"}, "||b"},
		{[]string{"\x1b]0;" + long, long, "\ab"}, "\x1b]0;" + long + "|" + long + "|\ab"},
		{[]string{"\x1b]4;1;?;" + long, long, "\ab"}, "||b"},
		{[]string{"gr\xc3", "\xb6\xc3", "\xb6"}, "gr|ö|ö"},
		{[]string{"\x1b[3\x1b[6nm"}, "\x1b[3\x1b\\m"},
		{[]string{"\x1b]0;t\x1b[6nb\a"}, "\x1b]0;t\x1b\\b\a"},
		{[]string{"\xc2\x1b[6n\x9bc"}, "\xc2\x1b\\\x9bc"},
	} {
		var f QueryFilter
		var got []string
		for _, piece := range test.pieces {
			got = append(got, string(f.Filter(nil, []byte(piece))))
		}
		all := strings.Join(got, "|")
		if rest := f.Flush(nil); len(rest) > 0 {
			all += "+" + string(rest)
		}
		if all != test.want {
			t.Errorf("%q becomes %q, want %q", test.pieces, all, test.want)
		}
	}
}
