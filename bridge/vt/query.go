package vt

import (
	"bytes"
	"slices"

	"wspipe/bridge/framing"
)

// QueryFilter removes the sequences that a terminal replies to (queries) from a program's
// output. The zero value is at the beginning of the output. It is not safe for concurrent
// use.
type QueryFilter struct {
	parser
	rest       restOfSequence
	afterQuery bool // the last sequence was a query; its ST may follow
	afterOpen  bool // the last sequence was passed on without its final byte or ST
	noReports  bool // also removes the modes in which a terminal reports actions of its user
}

// restOfSequence is what happens to the rest of a long sequence.
type restOfSequence uint8

const (
	restUnknown restOfSequence = iota
	restPasses
	restRemoved
)

// Filter appends p without queries to dst. It withholds an incomplete sequence until more
// bytes show whether it is a query.
func (f *QueryFilter) Filter(dst, p []byte) []byte {
	for len(p) > 0 {
		n, what := f.next(p)
		switch {
		case what == tokenText:
			dst = append(dst, p[:n]...)
			f.afterQuery, f.afterOpen = false, false
		case what == tokenPart && !f.long: // withheld
		case f.rest == restUnknown:
			dst = f.decide(dst, what)
		case f.rest == restPasses:
			dst = append(dst, p[:n]...)
		}
		if what == tokenSequence || what == tokenBroken {
			f.afterOpen = f.open && f.rest == restPasses
			f.rest = restUnknown
		}
		p = p[n:]
	}
	return dst
}

// AtText reports whether the output so far ends outside of any sequence or character.
func (f *QueryFilter) AtText() bool { return f.state == inText }

// decide appends the withheld sequence unless it is a query.
func (f *QueryFilter) decide(dst []byte, what token) []byte {
	seq := f.sequence()
	isEnd := f.afterQuery && string(seq) == "\x1b\\"
	f.afterQuery = what != tokenBroken && isQuery(seq)
	if !f.afterQuery && !isEnd {
		f.rest = restPasses
		if f.noReports && what == tokenSequence && hasReports(seq) {
			return appendWithoutReports(dst, seq)
		}
		return f.appendHeld(dst)
	}
	f.rest = restRemoved
	if f.afterOpen || framing.IncompleteTail(dst) > 0 {
		return append(dst, "\x1b\\"...) // ends the sequence or character that the query ended
	}
	return dst
}

// Flush appends the withheld bytes. The rest of their sequence passes.
func (f *QueryFilter) Flush(dst []byte) []byte {
	if f.state == inText || f.rest != restUnknown {
		return dst
	}
	f.long, f.rest = true, restPasses
	return f.appendHeld(dst)
}

// isQuery reports whether some terminal replies to a sequence that begins with seq,
// according to the documentation of xterm (ctlseqs), kitty, iTerm2, foot and DEC terminals.
func isQuery(seq []byte) bool {
	switch {
	case seq[0] == enq:
		return true
	case len(seq) < 2 || seq[0] != esc:
		return false
	}
	body := seq[2:]
	switch seq[1] {
	case 'Z': // DECID
		return true
	case '[':
		return isCSIQuery(parseCSI(seq))
	case ']':
		return isOSCQuery(bytes.TrimRight(body, "\a\x9c\xc2"))
	case 'P': // DECRQSS, XTGETTCAP, XTGETXRES
		body = bytes.TrimLeft(body, "0123456789;")
		return bytes.HasPrefix(body, []byte("$q")) || bytes.HasPrefix(body, []byte("+q")) || bytes.HasPrefix(body, []byte("+Q"))
	case '_': // kitty's graphics
		control, _, _ := bytes.Cut(body, []byte{';'})
		return bytes.HasPrefix(control, []byte("Ga=q")) || bytes.HasPrefix(control, []byte{'G'}) && bytes.Contains(control, []byte(",a=q"))
	}
	return false
}

func isCSIQuery(c csi) bool {
	switch string(c.kind[:c.kindLen]) {
	case "c", ">c", "=c", // DA1, DA2, DA3
		"n", "?n", // DSR, CPR
		"x",         // DECREQTPARM
		"$p", "?$p", // DECRQM
		">q",       // XTVERSION
		"?u",       // kitty's keyboard
		"&u",       // DECRQUPSS
		"$u",       // DECRQTSR
		"$w",       // DECRQPSR
		"*y",       // DECRQCRA
		`"v`,       // DECRQDE
		"'|",       // DECRQLP
		"#R",       // XTREPORTCOLORS
		"#S",       // XTTITLEPOS
		"#|",       // XTREPORTSGR
		"?S",       // XTSMGRAPHICS
		"?m", "?g": // XTQMODKEYS, XTQFMTKEYS
		return true
	case "t": // XTWINOPS
		number, _ := nextParam(c.params)
		return slices.Contains([]int{11, 13, 14, 15, 16, 18, 19, 20, 21}, number)
	case "?h": // mode 2048: the terminal reports its size at once
		return string(c.params) == "2048"
	}
	return false
}

func isOSCQuery(body []byte) bool {
	number, rest, _ := bytes.Cut(body, []byte{';'})
	switch string(number) {
	case "4", "5", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", // colours
		"22", "50", "52", "176": // pointer, font, clipboard, application
		for field := range bytes.SplitSeq(rest, []byte{';'}) {
			if bytes.HasPrefix(field, []byte{'?'}) {
				return true
			}
		}
	case "60", "61": // features
		return true
	case "21", "99": // kitty's colours and notifications
		return bytes.Contains(rest, []byte("=?"))
	case "5522": // kitty's clipboard
		return bytes.Contains(rest, []byte("type=read"))
	case "1337": // iTerm2
		for _, name := range []string{"Report", "Request", "Capabilities"} {
			if bytes.HasPrefix(rest, []byte(name)) {
				return true
			}
		}
	}
	return false
}
