package wspipetest_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
)

// One child and many viewers, which bench/load plays. What is asserted is that
// nobody misses anything, not how soon it comes: that is in the test's log.

// viewed is what bench/load tells of clients of one kind.
type viewed struct {
	Clients, Messages, Missing, Wrong int
	First, Last, Older                span
	AtOnce                            span `json:"at_once"`
	Ends                              map[string]int
}

type span struct{ Min, Max int }

// outcome is what bench/load tells.
type outcome struct {
	Readers, Late, Paused viewed
	Delay                 struct{ P50, P99, Max float64 } `json:"delay_ms"`
	Rate                  float64
	ResumedAt             int `json:"resumed_at"`
}

// startLoad runs bench/load with args.
func startLoad(t *testing.T, args ...string) (result func() outcome) {
	t.Helper()
	cmd := exec.Command(wspipetest.LoadBinary(t), append([]string{"read"}, args...)...)
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return func() (o outcome) {
		t.Helper()
		if err := cmd.Wait(); err != nil {
			t.Fatalf("bench/load: %v: %s", err, complaints.String())
		}
		if err := json.Unmarshal([]byte(out.String()), &o); err != nil {
			t.Fatal(err)
		}
		t.Logf("readers: %.0f messages a second, delays in ms: p50 %.1f, p99 %.1f, longest %.1f", o.Rate, o.Delay.P50, o.Delay.P99, o.Delay.Max)
		return o
	}
}

// expectAll checks that clients clients got each number from their first to
// last, and the child's exit.
func (v viewed) expectAll(t *testing.T, who string, clients, last int) {
	t.Helper()
	if v.Clients != clients || v.Missing != 0 || v.Wrong != 0 || v.Last != (span{last, last}) || v.Ends["1000 exit 0"] != clients {
		t.Errorf("%s: %+v, want %d clients and all to number %d", who, v, clients, last)
	}
}

// broadcast is a wspipe whose child prints numbered lines at 500 a second as
// soon as somebody says go.
func broadcast(t *testing.T, lines, width int, flags ...string) *wspipetest.Server {
	t.Helper()
	args := slices.Concat([]string{"--share=broadcast"}, flags, []string{wspipetest.LoadBinary(t), "print", "-wait", "-rate=500",
		fmt.Sprintf("-lines=%d", lines), fmt.Sprintf("-width=%d", width)})
	return startPlain(t, args...)
}

// sayGo makes one more client and lets the child begin, when so many others
// are there.
func sayGo(t *testing.T, s *wspipetest.Server, others int) *wspipetest.Client {
	t.Helper()
	c := dial(t, s.WS)
	until(t, "all clients are there", func() bool { return strings.Count(s.Stderr(), "msg=connect ") == others+1 })
	c.Send("go")
	return c
}

// expectLine reads a line, which must have this number.
func expectLine(t *testing.T, c *wspipetest.Client, number int) {
	t.Helper()
	line := c.Next()
	if got, _, _ := strings.Cut(line, " "); got != strconv.Itoa(number) {
		t.Fatalf("line %d is %.100q", number, line)
	}
}

// TestAThousandViewers: for half a minute each gets every number. Whoever comes meanwhile gets
// as many old ones as he should, and who reads nothing is dropped.
func TestAThousandViewers(t *testing.T) {
	const viewers, late, replay, lines = 1000, 50, 100, 15_000
	s := broadcast(t, lines, 500, "--slow=disconnect", fmt.Sprintf("--replay=%d", replay))
	idle := descriptors(t, s.Pid())
	result := startLoad(t, fmt.Sprintf("-clients=%d", viewers), fmt.Sprintf("-late=%d", late), "-every=250", "-paused=1", "-buffer=65536", s.WS)
	c := sayGo(t, s, viewers+1)
	settled := 0
	for i := range lines {
		expectLine(t, c, i)
		if i == lines/6 {
			settled = memory(t, s.Pid(), "VmRSS")
		}
	}
	end := memory(t, s.Pid(), "VmRSS")
	c.ExpectEnd(1000, "exit 0")
	o := result()
	t.Logf("memory: %d MB, then %d MB", settled/mb, end/mb)
	if end-settled > 20*mb {
		t.Errorf("memory has grown from %d to %d MB", settled/mb, end/mb)
	}
	o.Readers.expectAll(t, "viewers", viewers, lines-1)
	o.Late.expectAll(t, "late viewers", late, lines-1)
	if o.Readers.First != (span{0, 0}) {
		t.Errorf("viewers begin with %+v", o.Readers.First)
	}
	if o.Late.Older.Max > replay || o.Late.AtOnce.Min < replay {
		t.Errorf("late viewers get no replay of %d: between %+v and %+v", replay, o.Late.Older, o.Late.AtOnce)
	}
	if o.Paused.Ends["1000 exit 0"] != 0 || o.Paused.Missing+o.Paused.Wrong != 0 {
		t.Errorf("who reads nothing: %+v", o.Paused)
	}
	s.AwaitStderr("code=1013")
	expectNothingLeft(t, s, idle)
	if n := strings.Count(s.Stderr(), "code=1013"); n != 1 {
		t.Errorf("%d were dropped", n)
	}
}

// expectNothingLeft waits until all that s had for clients is gone.
func expectNothingLeft(t *testing.T, s *wspipetest.Server, idle int) {
	t.Helper()
	until(t, "the child is gone", func() bool { return children(s.Pid()) == 0 })
	until(t, "every descriptor is closed", func() bool { return descriptors(t, s.Pid()) <= idle+2 })
	until(t, "all that have come have gone", func() bool {
		log := s.Stderr()
		return strings.Count(log, "msg=connect ") == strings.Count(log, "msg=disconnect ")
	})
}

// TestAViewerThatPauses: with --slow=drop it has a hole, which is logged, and
// the others have none; with --slow=block nobody has, but all wait.
func TestAViewerThatPauses(t *testing.T) {
	const viewers, lines, width = 200, 2500, 3000 // more than all kernel buffers
	run := func(t *testing.T, slow, until string) (*wspipetest.Server, outcome) {
		s := broadcast(t, lines, width, slow)
		idle := descriptors(t, s.Pid())
		result := startLoad(t, fmt.Sprintf("-clients=%d", viewers), "-paused=1", "-buffer=65536", "-until="+until, s.WS)
		c := sayGo(t, s, viewers+1)
		for i := range lines {
			expectLine(t, c, i)
		}
		c.ExpectEnd(1000, "exit 0")
		o := result()
		o.Readers.expectAll(t, "viewers", viewers, lines-1)
		expectNothingLeft(t, s, idle)
		return s, o
	}
	t.Run("drop", func(t *testing.T) {
		s, o := run(t, "--slow=drop", strconv.Itoa(lines-100))
		p := o.Paused
		if p.Missing == 0 || p.Wrong != 0 || p.Messages+p.Missing != lines || p.Last.Min != lines-1 || p.Ends["1000 exit 0"] != 1 {
			t.Errorf("who paused: %+v", p)
		}
		s.AwaitStderr(fmt.Sprintf("count=%d", p.Missing))
	})
	t.Run("block", func(t *testing.T) {
		_, o := run(t, "--slow=block", "stall")
		o.Paused.expectAll(t, "who paused", 1, lines-1)
		if o.ResumedAt >= lines-1 {
			t.Error("nobody waited")
		}
	})
}

// TestManyThatDoNotRead: what waits for viewers that read nothing, of a child
// that writes 200 MB as fast as it can, is bounded, whatever becomes of them.
func TestManyThatDoNotRead(t *testing.T) {
	const lines, width = 20_000, 10_000
	for slow, test := range map[string]struct {
		readers, paused int
		until           string
	}{
		"disconnect": {5, 95, "end"},
		"drop":       {5, 95, "end"},
		"block":      {5, 15, "stall"}, // each gets all
	} {
		t.Run(slow, func(t *testing.T) {
			s := startPlain(t, "--share=broadcast", "--slow="+slow, wspipetest.LoadBinary(t), "print", "-wait",
				fmt.Sprintf("-lines=%d", lines), fmt.Sprintf("-width=%d", width))
			idle := descriptors(t, s.Pid())
			result := startLoad(t, fmt.Sprintf("-clients=%d", test.readers), fmt.Sprintf("-paused=%d", test.paused), "-until="+test.until, s.WS)
			c := sayGo(t, s, test.readers+test.paused)
			before := memory(t, s.Pid(), "VmHWM")
			c.CloseNow()
			o := result()
			grown := memory(t, s.Pid(), "VmHWM") - before
			t.Logf("memory: %d MB, at most %d MB more", before/mb, grown/mb)
			if grown > 60*mb {
				t.Errorf("memory has grown by %d MB", grown/mb)
			}
			if o.Readers.Wrong+o.Paused.Wrong != 0 {
				t.Errorf("readers: %+v\npaused: %+v", o.Readers, o.Paused)
			}
			if slow == "block" {
				o.Readers.expectAll(t, "readers", test.readers, lines-1)
				o.Paused.expectAll(t, "who paused", test.paused, lines-1)
			}
			expectNothingLeft(t, s, idle)
		})
	}
}
