package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const heading = `# Results

Written by ` + "`make %s`" + ` on %s. Both servers run on the same machine in turn, each round with new ones; clients, servers
and children share the processors. A value is the median of all rounds, with the least and the greatest in parentheses. A ratio is wspipe's value divided by the other
server's in the same round. The bar is what wspipe must reach, the aim what it should. KB is 1 024 bytes, MB a million.

| work | unit | wspipe | websocketd | ratio | bar | | aim | |
|---|---|---:|---:|---:|---|---|---|---|
`

// report returns the text of RESULTS.md.
func (b *bench) report(results map[string]samples) string {
	command := "bench"
	if b.quick {
		command = "bench-quick"
	}
	var s strings.Builder
	fmt.Fprintf(&s, heading, command, time.Now().Format(time.DateOnly))
	for _, r := range rows() {
		for i, f := range r.figures {
			all := results[r.name]
			fmt.Fprintf(&s, "| %s | %s | %s | %s | %s |", r.work, f.name,
				spread(all.values("wspipe", i)), spread(all.values("websocketd", i)), spread(all.ratios("websocketd", i)))
			for _, t := range []target{f.bar, f.aim} {
				fmt.Fprintf(&s, " %s | %s |", f.describe(t), f.verdict(t, all, i))
			}
			s.WriteString("\n")
		}
	}
	fmt.Fprintf(&s, "\n%s", b.machine())
	return s.String()
}

// describe says what a target demands.
func (f figure) describe(t target) string {
	switch {
	case t.text != "":
		return t.text
	case t.value == 0:
		return ""
	}
	text := "at least "
	if f.less {
		text = "at most "
	}
	if text += number(t.value); t.of != "" {
		text += " × " + t.of + "'s"
	}
	return text
}

// verdict says whether a target is met, with the ratio if the table has no column for it.
func (f figure) verdict(t target, all samples, figure int) string {
	if t.value == 0 {
		return ""
	}
	values, ratio := all.values("wspipe", figure), ""
	if t.of != "" {
		values = all.ratios(t.of, figure)
	}
	if t.of != "" && t.of != "websocketd" {
		ratio = ": " + spread(values)
	}
	switch {
	case len(values) == 0:
		return "not measured"
	case f.isMet(t, values):
		return "met" + ratio
	}
	return "**not met**" + ratio
}

// spread returns a median with the least and the greatest value.
func spread(values []float64) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return number(values[0])
	}
	return fmt.Sprintf("%s (%s..%s)", number(median(values)), number(slices.Min(values)), number(slices.Max(values)))
}

// number writes a value with three significant digits, or all before the point with a
// space between thousands.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsInf(v, 0) || math.IsNaN(v):
		return "-"
	case a < 100:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}

// numbers writes values in a line.
func numbers(values []float64) string {
	var all []string
	for _, v := range values {
		all = append(all, number(v))
	}
	return strings.Join(all, ", ")
}
