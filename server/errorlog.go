package server

import (
	"bytes"
	"context"
	"log"
	"log/slog"
)

// errorLog gives what net/http has to say a level: it only writes lines. Most of
// them are a client's fault, and anybody can cause as many as he likes.
type errorLog struct{ log *slog.Logger }

func newErrorLog(to *slog.Logger) *log.Logger { return log.New(errorLog{to}, "", 0) }

// Write implements io.Writer for a log.Logger, which calls it once a line.
func (l errorLog) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.HasPrefix(line, []byte("http: panic serving")) {
		level = slog.LevelError
	}
	l.log.Log(context.Background(), level, string(bytes.TrimSpace(line)))
	return len(line), nil
}
