package bridge

import (
	"bytes"
	"context"
	"io"
	"log/slog"
)

// maxRecord is the longest stderr line that is one log record, in bytes. A
// longer one goes on in the next record.
const maxRecord = 1 << 20

// LogStderr logs the standard error of the child called pid, one record a line,
// until its end.
func LogStderr(r io.Reader, pid int, log *slog.Logger) {
	small := make([]byte, smallBlock)
	buf, used := small, 0
	for {
		n, err := r.Read(buf[used:])
		used += n
		rest := logLines(log, pid, buf[:used], err != nil)
		if err != nil {
			return
		}
		switch {
		case len(rest) == len(buf): // a line as long as the buffer
			grown := make([]byte, min(2*len(buf), maxRecord))
			used = copy(grown, rest)
			buf = grown
		case len(rest) == 0 && n < smallBlock:
			buf, used = small, 0
		default:
			used = copy(buf, rest)
		}
	}
}

// logLines logs the lines in p and returns the incomplete one at its end,
// unless that is the last or too long to grow any further.
func logLines(log *slog.Logger, pid int, p []byte, last bool) (rest []byte) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			if !last && len(p) < maxRecord {
				return p
			}
			i = len(p) - 1
		}
		line := bytes.TrimRight(p[:i+1], "\r\n")
		log.LogAttrs(context.Background(), slog.LevelInfo, "stderr", slog.Int("pid", pid), slog.String("line", string(line)))
		p = p[i+1:]
	}
	return nil
}
