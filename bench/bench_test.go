//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"wspipe/bench/client"
	"wspipe/cmd/wspipetest"
)

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // of the servers
	os.Exit(wspipetest.Main(m))
}

// TestWorkloads: each does a little of its work without an error, measures all
// that it should, and comes to stand in the report.
func TestWorkloads(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	build(t, bin, "wspipe/bench/bare", "wspipe/bench/profiled")
	for _, w := range workloads() {
		if w.name == "idle" || w.name == "soak" { // which take long, and have tests of their own
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			b := benchOf(t, 0.002)
			b.websocketd = wspipetest.Need(t, "websocketd")
			b.wspipe = wspipetest.Binary(t)
			b.bare, b.profiled = filepath.Join(bin, "bare"), filepath.Join(bin, "profiled")
			output := filepath.Join(b.dir, "RESULTS.md")
			if err := b.all([]workload{w}, regexp.MustCompile(""), output); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(output)
			if err != nil {
				t.Fatal(err)
			}
			results, err := loadResults(filepath.Join(b.dir, "RESULTS.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			checkFigures(t, w, results[w.name], string(text))
		})
	}
}

// mayBeNone matches what so little work may not take enough of to be seen.
var mayBeNone = regexp.MustCompile("CPU time$|memory|growth")

func checkFigures(t *testing.T, w workload, r result, report string) {
	t.Helper()
	if m := r.Machine; m.Cores != runtime.NumCPU() || m.Memory < 0.1 || m.Kernel == "" || !strings.HasPrefix(m.Wspipe, "wspipe") || !strings.HasPrefix(m.Websocketd, "websocketd") {
		t.Errorf("machine %+v", m)
	}
	for _, c := range w.contenders {
		if !strings.Contains(report, " "+c.name+" ") {
			t.Errorf("the report lacks %s:\n%s", c.name, report)
		}
		figures := 0
		for _, f := range r.figures() {
			values := r.values(c.name, f.name)
			figures += len(values)
			for _, v := range values {
				if math.IsNaN(v) || math.IsInf(v, 0) || v <= 0 && !mayBeNone.MatchString(f.name) {
					t.Errorf("%s, %s: %v", c.name, f.name, v)
				}
			}
			if !strings.Contains(report, "\n| "+f.name+" ") {
				t.Errorf("the report lacks %q:\n%s", f.name, report)
			}
		}
		if figures == 0 {
			t.Errorf("%s has measured nothing", c.name)
		}
	}
	for _, b := range w.bars {
		if values, _ := r.judge(b); len(values) != 1 {
			t.Errorf("bar %+v has %v in %+v", b, values, r)
		}
	}
}

// TestServe: the server and all below it run while it is used, and not any more
// afterwards; its command line is noted.
func TestServe(t *testing.T) {
	t.Parallel()
	b := benchOf(t, 1)
	var pids []int
	_, err := b.serve(b.wspipe, nil, []string{"sh", "-c", "cat | cat"}, func(s *server) ([]figure, error) {
		c, err := client.Open(s.url, client.Options{Deadline: b.deadline()})
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if err := newTrip().make(c); err != nil {
			return nil, err
		}
		pids = append(descendants(s.pid), s.pid)
		for _, pid := range pids {
			if !running(pid) {
				t.Errorf("process %d does not run", pid)
			}
		}
		if len(pids) != 4 {
			t.Errorf("%d processes, not server, shell, cat and cat", len(pids))
		}
		return nil, nil
	})
	if err != nil || slices.ContainsFunc(pids, running) {
		t.Errorf("afterwards: %v", err)
	}
	if want := []string{"wspipe-race=false --loglevel=fatal sh -c 'cat | cat'"}; !slices.Equal(b.commands, want) {
		t.Errorf("noted %q, want %q", b.commands, want)
	}
}

// TestServeTellsWhy a server has not come up, with what it said.
func TestServeTellsWhy(t *testing.T) {
	t.Parallel()
	b := benchOf(t, 1)
	for want, path := range map[string]string{"no-such-flag": b.wspipe, "no such file": filepath.Join(b.temp, "none")} {
		_, err := b.serve(path, []string{"--no-such-flag"}, nil, func(*server) ([]figure, error) { return nil, nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// TestWrongOutputIsNoResult: what a server loses or adds is an error.
func TestWrongOutputIsNoResult(t *testing.T) {
	t.Parallel()
	b := benchOf(t, 1)
	for want, command := range map[string][]string{
		`2 messages, the last "3"`: {"printf", `1\n3\n`},
		`3 messages, the last "x"`: {"printf", `1\n2\nx\n`},
		"1000 exit 3":              {"sh", "-c", "seq 3; exit 3"},
	} {
		_, err := b.serve(b.wspipe, nil, command, func(s *server) ([]figure, error) { return receiveLines(b, s, 3, "3") })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", command, err, want)
		}
	}
}

// TestArithmetic: medians, ratios round by round, and bars.
func TestArithmetic(t *testing.T) {
	t.Parallel()
	for want, values := range map[float64][]float64{0: nil, 3: {3}, 2.5: {4, 1, 2, 3}, 5: {9, 1, 5}} {
		if got := median(values); got != want {
			t.Errorf("median of %v is %v, want %v", values, got, want)
		}
	}
	r := result{}
	for _, v := range [][2]float64{{10, 5}, {20, 5}, {90, 30}} { // 2, 4 and 3 times
		r.Runs = append(r.Runs, turn{"a", []figure{{name: "rate", value: v[0]}}}, turn{"b", []figure{{name: "rate", value: v[1]}}})
	}
	if got := r.ratios("a", "b", "rate"); !slices.Equal(got, []float64{2, 4, 3}) {
		t.Errorf("ratios %v", got)
	}
	for _, test := range []struct {
		bar bar
		met bool
	}{
		{bar{figure: "rate", contender: "a", of: "b", atLeast: 3}, true},
		{bar{figure: "rate", contender: "a", of: "b", atLeast: 3.1}, false},
		{bar{figure: "rate", contender: "a", of: "b", atMost: 3}, true},
		{bar{figure: "rate", contender: "a", of: "b", atMost: 2.9}, false},
		{bar{figure: "rate", contender: "a", atLeast: 20}, true},
		{bar{figure: "rate", contender: "a", atMost: 19}, false},
		{bar{figure: "other", contender: "a", atMost: 19}, false},
		{bar{figure: "rate", contender: "c", of: "b", atMost: 19}, false},
	} {
		if values, met := r.judge(test.bar); met != test.met {
			t.Errorf("%+v: %t with %v", test.bar, met, values)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]float64{"0": 0, "0.123": 0.12345, "1.23": 1.2345, "12.3": 12.345, "123": 123.45,
		"1 235": 1234.5678, "12 345 678": 12345678, "-12 346": -12345.6, "-123": -123, "-": math.Inf(1)} {
		if got := number(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

// TestReport: one workload of two keeps its part while the other is run again;
// which bars are met stands on top.
func TestReport(t *testing.T) {
	t.Parallel()
	value := 1.0
	contend := func(name string) contender {
		return contender{name, func(*bench) ([]figure, error) {
			value *= 2
			return []figure{{"time", "s", value, true}}, nil
		}}
	}
	all := []workload{
		{name: "first", what: "The first.", contenders: []contender{contend("wspipe"), contend("peer")}, rounds: 3, plot: "first.svg",
			bars: []bar{{figure: "time", contender: "wspipe", of: "peer", atMost: 1}, {figure: "time", contender: "peer", atMost: 10}}},
		{name: "second", what: "The second.", contenders: []contender{contend("bare")}},
	}
	b := &bench{ctx: t.Context(), rounds: 1, scale: 0.5}
	output := filepath.Join(t.TempDir(), "RESULTS.md")
	for _, which := range []string{"first", "second", "second"} {
		if err := b.all(all, regexp.MustCompile(which), output); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.all(all, regexp.MustCompile("third"), output); err == nil {
		t.Error("a workload that is none is no error")
	}
	got, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| [first](#first) | time: wspipe / peer | at most 1 | 0.5 (0.5..0.5) | met |\n",
		"| [first](#first) | time: peer | at most 10 | 16.0 (4.00..64.0) | **NOT MET** |\n",
		"| | unit | wspipe | peer | wspipe / peer |\n|---|---|---:|---:|---:|\n| time ↓ | s | 8.00 (2.00..32.0) | 16.0 (4.00..64.0) | 0.5 (0.5..0.5) |\n",
		"![first](first.svg)\n\nRounds: 3, ", ", with only 0.5 of the work.\n",
		"## second\n\nThe second.\n", "| time ↓ | s | 256 |\n\nRounds: 1, ",
	} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("the report lacks %q:\n%s", want, got)
		}
	}
}

// TestFailure: a workload that fails keeps what it had, and the others go on.
func TestFailure(t *testing.T) {
	t.Parallel()
	var fails error
	all := []workload{
		{name: "bad", contenders: []contender{{"wspipe", func(*bench) ([]figure, error) { return []figure{{name: "of before"}}, fails }}}},
		{name: "good", contenders: []contender{{"wspipe", func(*bench) ([]figure, error) { return []figure{{name: "of now"}}, nil }}}},
	}
	b := &bench{ctx: t.Context(), rounds: 1, scale: 1}
	output := filepath.Join(t.TempDir(), "RESULTS.md")
	if err := b.all(all, regexp.MustCompile("bad"), output); err != nil {
		t.Fatal(err)
	}
	fails = os.ErrDeadlineExceeded
	if err := b.all(all, regexp.MustCompile(""), output); err == nil || !strings.Contains(err.Error(), "bad: wspipe: i/o timeout") {
		t.Errorf("error %v", err)
	}
	if got, _ := os.ReadFile(output); !bytes.Contains(got, []byte("of before")) || !bytes.Contains(got, []byte("of now")) {
		t.Errorf("the report is\n%s", got)
	}
}

// TestFigureIsKept: what is written to RESULTS.jsonl comes back.
func TestFigureIsKept(t *testing.T) {
	t.Parallel()
	want := figure{"name", "µs", 1.5, true}
	text, err := json.Marshal(want)
	var got figure
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil || got != want {
		t.Errorf("%s became %+v, %v", text, got, err)
	}
}

// build builds commands of ours into a directory.
func build(t *testing.T, dir string, commands ...string) {
	t.Helper()
	if out, err := exec.Command("go", append([]string{"build", "-o", dir + "/"}, commands...)...).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", commands, err, out)
	}
}
