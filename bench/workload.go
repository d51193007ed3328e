//go:build linux

package main

import (
	"context"
	"time"
)

// workload is one kind of work. Its contenders do it in turn, A B A B.
type workload struct {
	name, what string
	rounds     int // how often each does it; 0: as often as the flag says
	contenders []contender
	bars       []bar
	plot       string // a picture beside the report that shows it; "": none
}

// contender does the work of a workload once and returns what it measured.
type contender struct {
	name string
	run  func(b *bench) ([]figure, error)
}

// figure is one thing measured.
type figure struct {
	name, unit string
	value      float64
	less       bool // less is better
}

// bar is what is asked of a contender's figure: of its ratio to the same figure
// of another contender, or of itself if of is empty. One of atLeast and atMost
// is not 0.
type bar struct {
	figure, contender, of string
	atLeast, atMost       float64
}

// bench is what the workloads share.
type bench struct {
	ctx                                      context.Context // ends when the user wants no more
	wspipe, websocketd, load, profiled, bare string          // paths of the binaries
	dir                                      string          // where the report goes
	temp                                     string          // for files that nobody needs afterwards
	scale                                    float64         // how much of the work is done; 1: the whole
	rounds                                   int
	commands                                 []string // what serve started, each once
}

// limit is how long one run of a contender may take at most: then it hangs.
const limit = 15 * time.Minute

// n returns a number of things to do, scaled, at least 1.
func (b *bench) n(whole int) int { return max(1, int(float64(whole)*b.scale)) }

// length returns how long something is done, scaled.
func (b *bench) length(whole time.Duration) time.Duration {
	return time.Duration(float64(whole) * b.scale)
}

// deadline is when a connection made now fails.
func (b *bench) deadline() time.Time { return time.Now().Add(limit) }
