package main

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for want, values := range map[float64][]float64{3: {3}, 2.5: {4, 1, 2, 3}, 5: {9, 1, 5}} {
		if got := median(values); got != want {
			t.Errorf("%v: %v, want %v", values, got, want)
		}
	}
}

// TestTargets: ratios are taken round by round; a target is met or not, in its direction.
func TestTargets(t *testing.T) {
	t.Parallel()
	s := make(samples)
	for round, v := range [][2]float64{{10, 5}, {20, 5}, {90, 30}} { // 2, 4 and 3 times
		s.add("wspipe", round, -1, v[0])
		s.add("websocketd", round, -1, v[1])
		s.add("bare server", round, -1, 10)
	}
	if got := s.ratios("websocketd", 1); !slices.Equal(got, []float64{2, 4, 3}) {
		t.Errorf("ratios %v", got)
	}
	for _, test := range []struct {
		less          bool
		target        target
		text, verdict string
	}{
		{false, target{value: 3, of: "websocketd"}, "at least 3 × websocketd's", "met"},
		{false, target{value: 3.1, of: "websocketd"}, "at least 3.1 × websocketd's", "**not met**"},
		{true, target{value: 3, of: "websocketd"}, "at most 3 × websocketd's", "met"},
		{true, target{value: 2.9, of: "websocketd"}, "at most 2.9 × websocketd's", "**not met**"},
		{false, target{value: 1.5, of: "bare server"}, "at least 1.5 × bare server's", "met: 2 (1..9)"},
		{false, target{value: 20}, "at least 20", "met"},
		{true, target{value: 19}, "at most 19", "**not met**"},
		{false, target{text: "memory bandwidth"}, "memory bandwidth", ""},
		{false, target{}, "", ""},
	} {
		f := figure{less: test.less}
		if text, verdict := f.describe(test.target), f.verdict(test.target, s, 1); text != test.text || verdict != test.verdict {
			t.Errorf("%+v: %q: %q", test, text, verdict)
		}
		if verdict := f.verdict(test.target, nil, 1); test.verdict != "" && verdict != "not measured" {
			t.Errorf("%+v without samples: %q", test, verdict)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]float64{"0": 0, "0.123": 0.12345, "1.23": 1.2345, "12.3": 12.345, "123": 123.45,
		"1 235": 1234.5678, "12 345 678": 12345678, "-12 346": -12345.6, "-123": -123, "-": math.Inf(1)} {
		if got := number(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

// TestReport: every figure has a line with its values, or without.
func TestReport(t *testing.T) {
	t.Parallel()
	b := &bench{wspipe: program{words: []string{"true"}}, websocketd: program{words: []string{"true"}}}
	got := b.report(map[string]samples{"idle": {"wspipe": {{17}, {18}, {25}}, "websocketd": {{50}, {72}, {100}}}})
	for _, want := range []string{
		"| server memory per idle connection, 1 000 of them | KB | 18 (17..25) | 72 (50..100) | 0.25 (0.25..0.34) | at most 18 | met | at most 12 | **not met** |\n",
		"| 2 GB of binary to the client (`head -c 2G /dev/zero`) | MB/s |  |  |  | at least 2 × websocketd's | not measured | memory bandwidth |  |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
