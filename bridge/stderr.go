package bridge

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
)

// maxLogLine is the longest stderr line that is one log record, in bytes. A
// longer one goes on in the next record.
const maxLogLine = 1 << 20

// awaiter is an output that calls f, in a goroutine, once there is something to
// read in it, or its end.
type awaiter interface{ Await(f func()) }

// logStderr logs what child writes to its standard error, as one of tasks, which
// ends at the end of that, and is unblocked by Child.Stop. Before the first word
// there need not be a goroutine.
func logStderr(tasks *sync.WaitGroup, child Child, log *slog.Logger) {
	tasks.Add(1)
	run := func() {
		defer tasks.Done()
		LogStderr(child.Stderr(), child.Pid(), log)
	}
	if stderr, ok := child.Stderr().(awaiter); ok {
		stderr.Await(run)
	} else {
		go run()
	}
}

// LogStderr logs the standard error of the child called pid, one record a line,
// until its end.
func LogStderr(r io.Reader, pid int, log *slog.Logger) {
	l := lineLogger{log: log, pid: pid}
	readEach(r, func(p []byte) { l.Write(p) })
	l.end()
}

// loggedReader is an output that goes to a log, too.
type loggedReader struct {
	io.Reader
	log *lineLogger
}

// Read implements io.Reader.
func (l loggedReader) Read(p []byte) (n int, err error) {
	n, err = l.Reader.Read(p)
	l.log.Write(p[:n])
	return n, err
}

// ReadNow is readNow.
func (l loggedReader) ReadNow(p []byte) (n int) {
	n = readNow(l.Reader, p)
	l.log.Write(p[:n])
	return n
}

// lineLogger logs what is written to it, one record a line.
type lineLogger struct {
	log  *slog.Logger
	pid  int
	rest []byte // the line that is not complete, at most maxLogLine
}

// Write implements io.Writer. It never fails.
func (l *lineLogger) Write(p []byte) (int, error) {
	size := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		n, whole := i+1, i >= 0
		if room := maxLogLine - len(l.rest); !whole && len(p) > room || i > room {
			n, whole = room, true
		}
		if !whole {
			l.rest = append(l.rest, p...)
			break
		}
		line := p[:n]
		if len(l.rest) > 0 {
			line = append(l.rest, line...)
			l.rest = nil
		}
		l.record(line)
		p = p[n:]
	}
	return size, nil
}

// end logs a last line without a newline.
func (l *lineLogger) end() {
	if len(l.rest) > 0 {
		l.record(l.rest)
		l.rest = nil
	}
}

func (l *lineLogger) record(line []byte) {
	line = bytes.TrimRight(line, "\r\n")
	l.log.LogAttrs(context.Background(), slog.LevelInfo, "stderr", slog.Int("pid", l.pid), slog.String("line", string(line)))
}
