package vt

// Replay turns past output into what brings another terminal to the same state
// without making it send anything: queries are removed, and the modes in which a
// terminal reports what its user does are set at the end. The replay is what begin,
// append, finish and flush append, in this order.
type Replay struct {
	QueryFilter
	end State // after the output so far
}

// NewReplay returns a replay of the output after start.
func NewReplay(start *State) Replay {
	return Replay{QueryFilter: QueryFilter{noReports: true}, end: *start}
}

// Begin appends the modes in effect at the start, and the sequence that it is inside of.
func (r *Replay) Begin(dst []byte) []byte {
	dst = r.Filter(dst, r.end.AppendTo(nil))
	if r.end.long {
		return r.Flush(dst) // nothing more is to be learned of it
	}
	r.afterQuery = r.end.after && r.end.state == inEscape // removes the ST of a string before the start
	return dst
}

// Append appends output, which follows.
func (r *Replay) Append(dst, output []byte) []byte {
	r.end.Write(output)
	return r.Filter(dst, output)
}

// Finish appends the modes that were removed, unless the output ends inside a long
// string.
func (r *Replay) Finish(dst []byte) []byte {
	r.noReports = false
	if r.rest == restPasses {
		return dst
	}
	return r.end.appendReports(dst)
}

// hasReports reports whether seq sets or resets a mode in which a terminal reports what
// its user does.
func hasReports(seq []byte) bool {
	if len(seq) < 4 || string(seq[:3]) != "\x1b[?" || seq[len(seq)-1] != 'h' && seq[len(seq)-1] != 'l' {
		return false
	}
	for params, number := seq[3:len(seq)-1], 0; len(params) > 0; {
		if number, params = nextParam(params); isReport(number) {
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

// appendWithoutReports appends seq without such modes.
func appendWithoutReports(dst, seq []byte) []byte {
	var others []int
	for params, number := seq[3:len(seq)-1], 0; len(params) > 0; {
		if number, params = nextParam(params); !isReport(number) {
			others = append(others, number)
		}
	}
	if len(others) == 0 {
		return dst
	}
	return appendCSI(dst, "?", seq[len(seq)-1], others...)
}
