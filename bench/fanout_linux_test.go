package main

import (
	"strings"
	"testing"
)

// TestFlooded: all clients get all that the child prints, and what it took is
// plausible.
func TestFlooded(t *testing.T) {
	t.Parallel()
	b := benchOf(t, 1)
	figures, err := flooded(b, 20, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if rate := valueOf(t, figures, "delivered, clients: 20"); rate < 10_000 || rate > 1e9 {
		t.Errorf("%v messages a second", rate)
	}
	if mb := valueOf(t, figures, "memory at the end, clients: 20"); mb < 5 || mb > 500 {
		t.Errorf("%v MB", mb)
	}
	if s := valueOf(t, figures, "server's CPU time, clients: 20"); s < 0.001 || s > 100 {
		t.Errorf("%v s for a million messages", s)
	}
}

// TestPaced: the delays are those of lines that come at a pace.
func TestPaced(t *testing.T) {
	t.Parallel()
	figures, err := paced(benchOf(t, 1), 10, 50)
	if err != nil {
		t.Fatal(err)
	}
	p50, p99 := valueOf(t, figures, "delay, p50"), valueOf(t, figures, "delay, p99")
	if p50 <= 0 || p99 < p50*0.99 || p99 > 10_000 {
		t.Errorf("delays %v and %v ms", p50, p99)
	}
}

// TestHearingMustBeComplete: a child that prints too little, or in disorder, or fails,
// is no measurement.
func TestHearingMustBeComplete(t *testing.T) {
	t.Parallel()
	b := benchOf(t, 1)
	for command, want := range map[string]string{
		"seq 9":          "want all to number 10",
		"seq 8; echo 10": "Missing:3",
		"seq 10; exit 3": "exit 3:3",
		"echo 10; seq 9": "Wrong:",
		"seq 10":         "",
	} {
		_, err := b.serve(b.wspipe, []string{"--share=broadcast"}, []string{"sh", "-c", "read go; " + command}, func(s *server) ([]figure, error) {
			_, err := b.hear(s, 3, 10)
			return nil, err
		})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", command, err, want)
		}
	}
}
