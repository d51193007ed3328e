package cmd

import (
	"slices"
	"testing"

	"github.com/spf13/pflag"
)

func knownFlags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("wspipe", pflag.ContinueOnError)
	new(options).addFlags(flags)
	return flags
}

func TestTakeApart(t *testing.T) {
	tests := []struct {
		args, flags, words []string
		dashed             bool
		problems           int
	}{
		{args: []string{"./x.sh"}, words: []string{"./x.sh"}},
		{args: []string{"--port=80", "./x.sh"}, flags: []string{"--port=80"}, words: []string{"./x.sh"}},
		{args: []string{"-port=80", "./x.sh"}, flags: []string{"--port=80"}, words: []string{"./x.sh"}},
		{args: []string{"-port", "80", "./x.sh"}, flags: []string{"--port=80"}, words: []string{"./x.sh"}},
		{args: []string{"--port", "80", "./x.sh"}, flags: []string{"--port=80"}, words: []string{"./x.sh"}},
		{args: []string{"-port", "-1", "./x.sh"}, flags: []string{"--port=-1"}, words: []string{"./x.sh"}},
		{args: []string{"-binary", "./x.sh"}, flags: []string{"--binary"}, words: []string{"./x.sh"}},
		{args: []string{"-binary=false", "./x.sh"}, flags: []string{"--binary=false"}, words: []string{"./x.sh"}},
		{args: []string{"-setenv=A=B=C"}, flags: []string{"--setenv=A=B=C"}},
		{args: []string{"-setenv", "A=B", "x"}, flags: []string{"--setenv=A=B"}, words: []string{"x"}},
		{args: []string{"-h"}, flags: []string{"--help"}},
		{args: []string{"-max-per-ip=1", "x", "-port=1"}, flags: []string{"--max-per-ip=1"}, words: []string{"x", "-port=1"}},
		{args: []string{"--", "help"}, words: []string{"help"}, dashed: true},
		{args: []string{"-once", "--", "-x", "--", "-port"}, flags: []string{"--once"}, words: []string{"-x", "--", "-port"}, dashed: true},
		{args: []string{"x", "--", "y"}, words: []string{"x", "--", "y"}},
		{args: []string{"-", "-port=1"}, words: []string{"-", "-port=1"}},
		{args: []string{"", "-port=1"}, words: []string{"", "-port=1"}},
		{args: []string{"-port"}, problems: 1},
		{args: []string{"--nope", "-p", "---port=1", "-=", "--=", "x"}, words: []string{"x"}, problems: 5},
	}
	for _, test := range tests {
		line := parseArgs(test.args, "wspipe", knownFlags())
		if !slices.Equal(line.flags, test.flags) || !slices.Equal(line.words, test.words) ||
			line.dashDash != test.dashed || len(line.errs) != test.problems {
			t.Errorf("%q: got %+v, want %+v", test.args, line, test)
		}
	}
}

func FuzzOneDash(f *testing.F) {
	f.Add("-port=8080", "./x.sh", "-port=1", "--")
	f.Add("-port", "8080", "--", "help")
	f.Add("--binary", "-binary=false", "-h", "-")
	f.Add("---", "-=", "--=x", "")
	f.Add("-once", "--port", "--", "--port")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		args := []string{a, b, c, d}
		known := knownFlags()
		line := parseArgs(slices.Clone(args), "wspipe", known)
		if n := len(args) - len(line.words); !slices.Equal(args[n:], line.words) {
			t.Fatalf("%q: the words %q have been touched", args, line.words)
		}
		again := parseArgs(line.args(), "wspipe", known)
		if !slices.Equal(again.flags, line.flags) || !slices.Equal(again.words, line.words) || len(again.errs) != 0 {
			t.Fatalf("%q: first %+v, then %+v", args, line, again)
		}
		if err := known.Parse(line.args()); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		if !slices.Equal(known.Args(), line.words) {
			t.Fatalf("%q: pflag takes %q for words, not %q", args, known.Args(), line.words)
		}
	})
}
