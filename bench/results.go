//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"
)

// results are what the workloads have measured, by name.
type results map[string]result

// result is what one workload has measured.
type result struct {
	Workload string
	When     time.Time
	Scale    float64
	Machine  machine
	Commands []string
	Runs     []turn
}

// turn is what one contender has measured in one round.
type turn struct {
	Contender string
	Figures   []figure
}

// loadResults reads them from a file, one a line; there are none without a file.
func loadResults(file string) (results, error) {
	all := results{}
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		var r result
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		all[r.Workload] = r
	}
	return all, nil
}

func (all results) save(file string) error {
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := lines.Encode(all[name]); err != nil {
			return err
		}
	}
	return os.WriteFile(file, text.Bytes(), 0o666)
}

// jsonFigure is how a figure is kept.
type jsonFigure struct {
	Name, Unit string
	Value      float64
	Less       bool `json:",omitempty"`
}

func (f figure) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonFigure{f.name, f.unit, f.value, f.less})
}

func (f *figure) UnmarshalJSON(text []byte) error {
	var j jsonFigure
	err := json.Unmarshal(text, &j)
	*f = figure{j.Name, j.Unit, j.Value, j.Less}
	return err
}

// contenders returns who took part, in order.
func (r result) contenders() (names []string) {
	for _, t := range r.Runs {
		if !slices.Contains(names, t.Contender) {
			names = append(names, t.Contender)
		}
	}
	return names
}

// figures returns what was measured, each once, in order.
func (r result) figures() (all []figure) {
	for _, t := range r.Runs {
		for _, f := range t.Figures {
			if !slices.ContainsFunc(all, func(g figure) bool { return g.name == f.name }) {
				all = append(all, f)
			}
		}
	}
	return all
}

// values returns a contender's figure of each round.
func (r result) values(contender, figure string) (all []float64) {
	for _, t := range r.Runs {
		for _, f := range t.Figures {
			if t.Contender == contender && f.name == figure {
				all = append(all, f.value)
			}
		}
	}
	return all
}

// ratios returns the ratio of each round, so that what changes on the machine
// while hours go by has no part in it.
func (r result) ratios(contender, of, figure string) (all []float64) {
	above, below := r.values(contender, figure), r.values(of, figure)
	for i := range min(len(above), len(below)) {
		all = append(all, above[i]/below[i])
	}
	return all
}

// median returns the middle value, or the mean of the two; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// judge returns what a bar asks for as far as it was measured, one value a
// round, and whether their median meets it.
func (r result) judge(b bar) (values []float64, met bool) {
	values = r.values(b.contender, b.figure)
	if b.of != "" {
		values = r.ratios(b.contender, b.of, b.figure)
	}
	m := median(values)
	return values, len(values) > 0 && m >= b.atLeast && (b.atMost == 0 || m <= b.atMost)
}
