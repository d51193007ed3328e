package bridge

import (
	"bytes"
	"fmt"
	"log/slog"
	"time"
)

// maxMuxLine is the longest line that a Mux child may write, in bytes.
const maxMuxLine = 4 << 20

var errLineTooLong = fmt.Errorf("line over %d bytes", maxMuxLine)

// muxLines splits the output of a Mux child into lines and handles each of them.
type muxLines struct {
	do  func(line []byte) error // does not retain line
	log invalidLineLog

	rest     []byte // the incomplete line, or nil if it is too long
	size     int    // of the incomplete line
	position int64  // of its first byte in the output
}

func (l *muxLines) write(p []byte) {
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		l.line(p[:i])
		p = p[i+1:]
	}
	if l.size += len(p); l.size <= maxMuxLine {
		l.rest = append(l.rest, p...)
	} else {
		l.rest = nil
	}
}

// line completes the incomplete line with end.
func (l *muxLines) line(end []byte) {
	size, err := l.size+len(end), errLineTooLong
	switch {
	case size > maxMuxLine:
	case l.size > 0:
		err = l.do(append(l.rest, end...))
	default:
		err = l.do(end)
	}
	if err != nil {
		l.log.add(err, l.position, size)
	}
	l.rest, l.size = nil, 0
	l.position += int64(size) + 1
}

// end completes the last line if it has no newline.
func (l *muxLines) end() {
	if l.size > 0 {
		l.line(nil)
	}
	l.log.end()
}

// invalidLineInterval is the least time between two records about invalid lines.
const invalidLineInterval = time.Second

// invalidLineLog logs why lines are invalid: the first one at once. It only counts those
// that follow within invalidLineInterval.
type invalidLineLog struct {
	log    *slog.Logger
	pid    int
	logged time.Time // time of the last record
	more   int       // invalid lines since then
}

// add logs that a line of size bytes, at position of the output, is dropped.
func (l *invalidLineLog) add(cause error, position int64, size int) {
	if time.Since(l.logged) < invalidLineInterval {
		l.more++
		return
	}
	l.end()
	l.logged = time.Now()
	l.log.Error("invalid line from child dropped", "pid", l.pid, "cause", cause, "position", position, "length", size)
}

// end logs the number of lines that were only counted.
func (l *invalidLineLog) end() {
	if l.more > 0 {
		l.log.Error("further invalid lines from child dropped", "pid", l.pid, "count", l.more)
		l.more = 0
	}
}
