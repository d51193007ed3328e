package server

import (
	"bytes"
	"context"
	"log"
	"log/slog"
)

// errorLog is the writer of http.Server.ErrorLog. It logs panics as errors and all other lines
// at debug level, because clients cause those and can cause any number.
type errorLog struct{ log *slog.Logger }

func newErrorLog(to *slog.Logger) *log.Logger { return log.New(errorLog{to}, "", 0) }

// Write implements io.Writer. A log.Logger calls it once per line.
func (l errorLog) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.HasPrefix(line, []byte("http: panic serving")) {
		level = slog.LevelError
	}
	l.log.Log(context.Background(), level, string(bytes.TrimSpace(line)))
	return len(line), nil
}
