package bridge

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
)

// maxLogLine is the longest line of stderr in one log record, in bytes. A longer line
// continues in the next record.
const maxLogLine = 1 << 20

// awaiter is a stream that calls f, in its own goroutine, once it has data or has ended.
type awaiter interface{ Await(f func()) }

// logStderr logs the child's stderr, as one of tasks. The task ends with the stream and is
// unblocked by Child.Stop. If possible it has no goroutine before the first data.
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

// LogStderr logs each line of r, the stderr of the child pid, until r ends.
func LogStderr(r io.Reader, pid int, log *slog.Logger) {
	l := lineLogger{log: log, pid: pid}
	readEach(r, func(p []byte) { l.Write(p) })
	l.end()
}

// loggedReader is a stream that is also logged.
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

// ReadNow reads and logs without waiting, for readNow.
func (l loggedReader) ReadNow(p []byte) (n int) {
	n = readNow(l.Reader, p)
	l.log.Write(p[:n])
	return n
}

// lineLogger logs each line that is written to it.
type lineLogger struct {
	log  *slog.Logger
	pid  int
	rest []byte // the incomplete line, at most maxLogLine bytes
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

// end logs the last line if it has no newline.
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
