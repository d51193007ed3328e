package cmd

import "testing"

func TestNearest(t *testing.T) {
	flags := []string{"port", "passenv", "maxforks", "max-runtime", "max-per-ip", "origin", "once"}
	for typed, want := range map[string]string{
		"prot":      "port",
		"ports":     "port",
		"maxfork":   "maxforks",
		"max-forks": "maxforks",
		"max-run":   "max-runtime",
		"orgin":     "origin",
		"oen":       "",
		"dir":       "",
		"p":         "",
		"":          "",
		"zzzzzzzz":  "",
	} {
		if got := nearest(typed, flags); got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
	}
}

func TestSlips(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"prot", "port", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}, {"abcd", "badc", 2},
	}
	for _, test := range tests {
		if got := editDistance(test.a, test.b); got != test.want {
			t.Errorf("%q, %q: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
