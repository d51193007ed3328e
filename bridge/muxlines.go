package bridge

import (
	"bytes"
	"fmt"
	"log/slog"
	"time"
)

// maxMuxLine is the longest line that a Mux's child may write, in bytes.
const maxMuxLine = 4 << 20

var errLineTooLong = fmt.Errorf("line over %d bytes", maxMuxLine)

// muxLines cuts what is written to it into lines and does what each says.
type muxLines struct {
	do  func(line []byte) error // keeps nothing of the line
	log invalidLineLog

	rest     []byte // the line that is not complete, unless it is too long
	size     int    // of that
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

// line completes the line at hand.
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

// end takes a last line without a newline.
func (l *muxLines) end() {
	if l.size > 0 {
		l.line(nil)
	}
	l.log.end()
}

// invalidLineInterval is the time between two records about lines that are no good.
const invalidLineInterval = time.Second

// invalidLineLog logs what is wrong with a child's lines: the first at once, and
// those that soon follow with their number alone.
type invalidLineLog struct {
	log    *slog.Logger
	pid    int
	logged time.Time // when the last record was
	more   int       // since then
}

// add logs that the line at position of the output, of size bytes, is dropped.
func (c *invalidLineLog) add(cause error, position int64, size int) {
	if time.Since(c.logged) < invalidLineInterval {
		c.more++
		return
	}
	c.end()
	c.logged = time.Now()
	c.log.Error("invalid line from child dropped", "pid", c.pid, "cause", cause, "position", position, "length", size)
}

// end logs how many there were that have not been logged.
func (c *invalidLineLog) end() {
	if c.more > 0 {
		c.log.Error("further invalid lines from child dropped", "pid", c.pid, "count", c.more)
		c.more = 0
	}
}
