//go:build linux

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

Written by ` + "`make bench`" + `: do not edit. Each contender does each workload several times, in turn, and each time with a new server. A figure is
the median, with the least and the greatest of all rounds in parentheses; a ratio is the median of the ratios of each round. Less is better of what is marked ↓. Clients,
servers and children share the cores. KB is 1 024 bytes, MB a million, except for messages.

`

// report is the text of RESULTS.md.
func report(all []workload, results results) string {
	var s strings.Builder
	s.WriteString(heading)
	writeBars(&s, all, results)
	newest := result{}
	for _, r := range results {
		if r.When.After(newest.When) {
			newest = r
		}
	}
	fmt.Fprintf(&s, "## The machine\n\n%v\n", newest.Machine)
	for _, w := range all {
		if r, ok := results[w.name]; ok {
			writeWorkload(&s, w, r)
			same := r.Machine
			same.Wspipe = newest.Machine.Wspipe
			if same != newest.Machine {
				fmt.Fprintf(&s, "Measured with others than the rest:\n\n%v\n", r.Machine)
			} else if r.Machine != newest.Machine {
				fmt.Fprintf(&s, "Measured with %s.\n\n", r.Machine.Wspipe)
			}
		}
	}
	return strings.TrimSuffix(s.String(), "\n")
}

// writeBars writes the table of all bars.
func writeBars(s *strings.Builder, all []workload, results results) {
	s.WriteString("## Bars\n\n| workload | figure | bar | measured | |\n|---|---|---|---|---|\n")
	for _, w := range all {
		for _, b := range w.bars {
			what, limit := b.contender, fmt.Sprint("at least ", b.atLeast)
			if b.of != "" {
				what += " / " + b.of
			}
			if b.atMost > 0 {
				limit = fmt.Sprint("at most ", b.atMost)
			}
			values, met := results[w.name].judge(b)
			verdict := "**NOT MET**"
			switch {
			case len(values) == 0:
				verdict = "not measured"
			case met:
				verdict = "met"
			}
			fmt.Fprintf(s, "| [%s](#%s) | %s: %s | %s | %s | %s |\n", w.name, w.name, b.figure, what, limit, spread(values), verdict)
		}
	}
	s.WriteString("\n")
}

// writeWorkload writes the part of one workload.
func writeWorkload(s *strings.Builder, w workload, r result) {
	fmt.Fprintf(s, "## %s\n\n%s\n\n", w.name, w.what)
	for _, c := range r.Commands {
		fmt.Fprintf(s, "    %s\n", c)
	}
	names := r.contenders()
	others := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return strings.HasPrefix(name, "wspipe") })
	if !slices.Contains(names, "wspipe") {
		others = nil
	}
	fmt.Fprintf(s, "\n| | unit | %s |", strings.Join(names, " | "))
	for _, of := range others {
		fmt.Fprintf(s, " wspipe / %s |", of)
	}
	fmt.Fprintf(s, "\n|---|---|%s\n", strings.Repeat("---:|", len(names)+len(others)))
	for _, f := range r.figures() {
		mark := ""
		if f.less {
			mark = " ↓"
		}
		fmt.Fprintf(s, "| %s%s | %s |", f.name, mark, f.unit)
		for _, name := range names {
			fmt.Fprintf(s, " %s |", spread(r.values(name, f.name)))
		}
		for _, of := range others {
			fmt.Fprintf(s, " %s |", spread(r.ratios("wspipe", of, f.name)))
		}
		s.WriteString("\n")
	}
	if w.plot != "" {
		fmt.Fprintf(s, "\n![%s](%s)\n", w.name, w.plot)
	}
	fmt.Fprintf(s, "\nRounds: %d, %s", len(r.Runs)/max(1, len(names)), r.When.Format(time.DateTime))
	if r.Scale != 1 {
		fmt.Fprintf(s, ", with only %s of the work", number(r.Scale))
	}
	s.WriteString(".\n\n")
}

// spread is a median with the least and the greatest value.
func spread(values []float64) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return number(values[0])
	}
	return fmt.Sprintf("%s (%s..%s)", number(median(values)), number(slices.Min(values)), number(slices.Max(values)))
}

// number writes a value as exactly as is of use: three digits, and all before
// the point, with a space between thousands. A ratio to nothing is none.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsInf(v, 0) || math.IsNaN(v):
		return "-"
	case a < 1:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case a < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}

// inLine is figures for a person who waits.
func inLine(figures []figure) string {
	var parts []string
	for _, f := range figures {
		parts = append(parts, fmt.Sprintf("%s %s %s", f.name, number(f.value), f.unit))
	}
	return strings.Join(parts, ", ")
}
