package vt

// Replay converts past output into output that brings another terminal to the same state
// without making it send anything: queries are removed, and the modes in which a terminal
// reports actions of its user are set at the end. Call Begin, Append for each part, Finish
// and Flush, in this order; what they append is the replay.
type Replay struct {
	QueryFilter
	end State // after the output so far
}

// NewReplay returns a Replay of the output after start, which it copies.
func NewReplay(start *State) Replay {
	return Replay{QueryFilter: QueryFilter{noReports: true}, end: *start}
}

// Begin appends the modes in effect at the start, and the sequence that the start is inside of.
func (r *Replay) Begin(dst []byte) []byte {
	dst = r.Filter(dst, r.end.AppendTo(nil))
	if r.end.long {
		return r.Flush(dst) // the rest cannot make it a query
	}
	r.afterQuery = r.end.after && r.end.state == inEscape // removes the ST of a string before the start
	return dst
}

// Append appends the replay of the next part of the output.
func (r *Replay) Append(dst, output []byte) []byte {
	r.end.Write(output)
	return r.Filter(dst, output)
}

// Finish appends the modes that were removed, unless the output ends inside a long string.
func (r *Replay) Finish(dst []byte) []byte {
	r.noReports = false
	if r.rest == restPasses {
		return dst
	}
	return r.end.appendReports(dst)
}

// hasReports reports whether seq sets or resets a mode in which a terminal reports actions
// of its user.
func hasReports(seq []byte) bool {
	if len(seq) < 3 || seq[1] != '[' {
		return false
	}
	c := parseCSI(seq)
	if kind := string(c.kind[:c.kindLen]); kind != "?h" && kind != "?l" {
		return false
	}
	for number := range c.numbers() {
		if isReport(number) {
			return true
		}
	}
	return false
}

func isReport(number int) bool {
	for _, p := range privateModes {
		if p.number == number && p.reports {
			return true
		}
	}
	return false
}

// appendWithoutReports appends seq, for which hasReports is true, without these modes.
func appendWithoutReports(dst, seq []byte) []byte {
	var others []int
	c := parseCSI(seq)
	for number := range c.numbers() {
		if !isReport(number) {
			others = append(others, number)
		}
	}
	if len(others) == 0 {
		return dst
	}
	return appendCSI(dst, "?", c.final(), others...)
}
