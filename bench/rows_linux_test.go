package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == bareCommand { // the bare server of newBench
		fail(serveBare(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// smallBench does little work, with a wspipe that it builds.
func smallBench(t *testing.T) *bench {
	t.Helper()
	if _, err := exec.LookPath("websocketd"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: %v: run make deps", err)
	}
	wspipe := filepath.Join(t.TempDir(), "wspipe")
	if out, err := exec.Command("go", "build", "-C", "..", "-o", wspipe, ".").CombinedOutput(); err != nil {
		t.Fatalf("build wspipe: %v\n%s", err, out)
	}
	b, err := newBench(t.Context(), wspipe)
	if err != nil {
		t.Fatal(err)
	}
	b.divisor, b.settle = 200, 100*time.Millisecond
	return b
}

func TestServers(t *testing.T) {
	b := smallBench(t)
	t.Run("rows", func(t *testing.T) { testRows(t, b) })
	t.Run("wrong output", func(t *testing.T) { testWrongOutput(t, b) })
}

// testRows: every row measures something of each of its programs.
func testRows(t *testing.T, b *bench) {
	results, err := b.measure(regexp.MustCompile(""), 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows() {
		for i, f := range r.figures {
			values := results[r.name].values("wspipe", i)
			if len(values) != 2 {
				t.Errorf("%s: %s: %v", r.name, f.name, values)
			}
			if of := f.bar.of; of != "" && len(results[r.name].ratios(of, i)) != 2 {
				t.Errorf("%s: no ratio to %s", r.name, of)
			}
		}
	}
}

// testWrongOutput: what a server loses or adds is an error, not a measurement.
func testWrongOutput(t *testing.T, b *bench) {
	for want, test := range map[string]struct {
		command string
		use     func(s server) error
	}{
		`2 messages, the last "3"`:       {"printf '1\\n3\\n'", func(s server) error { return s.receiveLines(3, "3") }},
		`3 messages, the last "x"`:       {"printf '1\\n2\\nx\\n'", func(s server) error { return s.receiveLines(3, "3") }},
		"1000 exit 3":                    {"seq 3; exit 3", func(s server) error { return s.receiveLines(3, "3") }},
		`received "9:`:                   {"echo 9:; cat >/dev/null", func(s server) error { return s.sendMessages(10_000) }},
		`received 8 lines, the last "9"`: {`read -r l; echo "$l"; read -r l; seq 7; echo 9`, func(s server) error { _, err := s.broadcast(1, 9); return err }},
	} {
		err := b.serve(b.wspipe, nil, []string{"sh", "-c", test.command}, test.use)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", test.command, err, want)
		}
	}
}
