package main

import (
	"time"

	"wspipe/bench/client"
)

// result is what load read tells.
type result struct {
	Readers group `json:"readers"`
	Late    group `json:"late,omitzero"`
	Paused  group `json:"paused,omitzero"`
	// Delay is that of the readers' messages; nil if no line has a time.
	Delay *delaySummary `json:"delay_ms"`
	// Seconds is how long the readers were there, Rate how many messages a second
	// they have got together.
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"`
	// ResumedAt is the highest number of a reader when the paused ones began to
	// read; -1 if there was none.
	ResumedAt int64 `json:"resumed_at"`
}

// group is what clients of one kind have got.
type group struct {
	Clients  int   `json:"clients"`
	Messages int64 `json:"messages"`
	// Missing counts numbers that were passed over, Wrong messages whose number
	// was not higher than the one before, or that had none.
	Missing int64 `json:"missing"`
	Wrong   int64 `json:"wrong"`
	// First and Last are the numbers that they began and ended with.
	First span `json:"first"`
	Last  span `json:"last"`
	// Older is how many messages each got that a reader had before it dialled, AtOnce
	// how many that were printed before its first came: a replay has at least the
	// one and at most the other.
	Older  span `json:"older"`
	AtOnce span `json:"at_once"`
	// Ends counts how their connections ended.
	Ends map[string]int `json:"ends"`
}

// span is from the least to the greatest value.
type span struct {
	Min int64 `json:"min"`
	Max int64 `json:"max"`
}

func (s *span) add(n int64, first bool) {
	if first {
		*s = span{n, n}
	}
	s.Min, s.Max = min(s.Min, n), max(s.Max, n)
}

// add counts what one more client has got.
func (g *group) add(s *sight, end string) {
	first := g.Clients == 0
	g.Clients++
	g.Messages += s.messages
	g.Missing += s.missing
	g.Wrong += s.wrong
	g.First.add(s.first, first)
	g.Last.add(s.last, first)
	g.Older.add(s.older, first)
	g.AtOnce.add(s.atOnce, first)
	if first {
		g.Ends = make(map[string]int)
	}
	g.Ends[end]++
}

// sight is what one client has got.
type sight struct {
	messages, missing, wrong int64
	first, last              int64
	older, atOnce            int64
	began                    int64 // when the first message came
}

// take counts a message that came at a time. before is the highest number that
// a reader had when the client came.
func (s *sight) take(number, sent int64, ok bool, before, came int64) {
	s.messages++
	switch {
	case !ok:
		s.wrong++
		return
	case s.messages == 1:
		s.first, s.began = number, came
	case number <= s.last:
		s.wrong++
	default:
		s.missing += number - s.last - 1
	}
	s.last = number
	if number <= before {
		s.older++
	}
	if sent > 0 && sent <= s.began {
		s.atOnce++
	}
}

// delaySummary has delays in milliseconds.
type delaySummary struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// summarize returns nil if there was no delay.
func summarize(d *client.Delays) *delaySummary {
	if d.Count() == 0 {
		return nil
	}
	return &delaySummary{milliseconds(d.Quantile(0.5)), milliseconds(d.Quantile(0.99)), milliseconds(d.Longest())}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
