package main

import (
	"fmt"
	"os"
	"slices"
)

// row is one kind of work, and what is measured of it.
type row struct {
	name                string // for -run
	work                string // what is done, for the report
	figures             []figure
	rounds, quickRounds int
	measure             func(b *bench, rounds int) (samples, error)
}

// figure is one thing that a row measures, with the bar that it must reach and the
// aim that it should.
type figure struct {
	name     string // of the unit, such as "lines/s"
	less     bool   // less is better
	bar, aim target
}

// target is a value to reach: by the figure itself or by its ratio to another program's.
// The zero value asks for nothing.
type target struct {
	value float64
	of    string // the other program; empty: none
	text  string // instead of a value, for a target that nobody can compute
}

// samples are the values of one row by program: for each round one for each of the
// row's figures.
type samples map[string][][]float64

// rows are the rows of the table, in its order.
func rows() []row {
	return []row{seqRow(), linesRow(), upRow(), echoRow(), connectRow(), idleRow(), broadcastRow(), downloadRow(), uploadRow()}
}

// inTurn returns the measure function of a row in which the programs work one after the
// other, A B A B.
func inTurn(programs func(b *bench) []program, work func(b *bench, p program) ([]float64, error)) func(*bench, int) (samples, error) {
	return func(b *bench, rounds int) (samples, error) {
		s := make(samples)
		for round := range rounds {
			for _, p := range programs(b) {
				values, err := work(b, p)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", p.name, err)
				}
				s.add(p.name, round, values...)
			}
		}
		return s, nil
	}
}

// both are the programs of most rows.
func both(b *bench) []program { return []program{b.wspipe, b.websocketd} }

// add adds what a program has done in a round.
func (s samples) add(program string, round int, values ...float64) {
	s[program] = append(s[program], values)
	fmt.Fprintf(os.Stderr, "  round %d, %s: %s\n", round+1, program, numbers(values))
}

// values returns a program's values of the figure with this index, one for each round.
func (s samples) values(program string, figure int) (all []float64) {
	for _, round := range s[program] {
		all = append(all, round[figure])
	}
	return all
}

// ratios returns wspipe's ratio to another program in each round. What changes on the
// machine in the course of a run is nearly the same for both.
func (s samples) ratios(of string, figure int) (all []float64) {
	above, below := s.values("wspipe", figure), s.values(of, figure)
	for i := range min(len(above), len(below)) {
		all = append(all, above[i]/below[i])
	}
	return all
}

// median returns the middle value, or the mean of the middle two. There must be one.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// isMet reports whether the median of values reaches a target.
func (f figure) isMet(t target, values []float64) bool {
	if f.less {
		return median(values) <= t.value
	}
	return median(values) >= t.value
}
