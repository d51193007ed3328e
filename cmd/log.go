package cmd

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"wspipe/server"
)

// The values of --log-format.
const (
	formatText = "text"
	formatJSON = "json"
)

// levelNone is above all levels that are logged.
const levelNone = slog.Level(100)

// levels are the values of --loglevel, in ascending order.
var levels = []struct {
	name  string
	level slog.Level
}{
	{"debug", slog.LevelDebug},
	{"trace", server.LevelAccess - 1},
	{"access", server.LevelAccess},
	{"info", slog.LevelInfo},
	{"warn", slog.LevelWarn},
	{"error", slog.LevelError},
	{"fatal", levelFatal},
	{"none", levelNone},
}

// levelFatal is the level of errors that end wspipe.
const levelFatal = slog.LevelError + 4

func levelNames() []string {
	var names []string
	for _, l := range levels {
		names = append(names, l.name)
	}
	return names
}

func parseLevel(name string) (slog.Level, error) {
	for _, l := range levels {
		if l.name == name {
			return l.level, nil
		}
	}
	return 0, notOneOf(levelNames())
}

// levelName returns the name of the highest level that is at most level.
func levelName(level slog.Level) string {
	name := levels[0].name
	for _, l := range levels {
		if l.level <= level {
			name = l.name
		}
	}
	return name
}

// newLog returns a logger that writes records of at least level to w.
func newLog(w io.Writer, format string, level slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: replaceAttr}
	if format == formatJSON {
		return slog.New(slog.NewJSONHandler(escapeWriter{w}, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// replaceAttr names levels as --loglevel does, formats durations alike in text and JSON, and
// truncates long values.
func replaceAttr(groups []string, a slog.Attr) slog.Attr {
	if level, ok := a.Value.Any().(slog.Level); ok && len(groups) == 0 && a.Key == slog.LevelKey {
		return slog.String(a.Key, levelName(level))
	}
	switch value := a.Value.Any().(type) {
	case time.Duration:
		return slog.String(a.Key, value.String())
	case string:
		return truncate(a, value)
	case error:
		return truncate(a, value.Error())
	}
	return a
}

const (
	// maxLogged bounds a logged value, in bytes: clients choose the length of the path,
	// the method and the Origin of a request.
	maxLogged = 1 << 10
	// lineKey is the key of a line of the child's stderr, which is never truncated.
	lineKey = "line"
)

func truncate(a slog.Attr, text string) slog.Attr {
	if len(text) <= maxLogged || a.Key == lineKey {
		return a
	}
	end := maxLogged
	for end > maxLogged-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return slog.String(a.Key, fmt.Sprintf("%s... (%d bytes)", text[:end], len(text)))
}

// escapeWriter escapes unprintable characters in JSON strings: C1 controls, DEL and bidirectional
// marks. Unlike the text handler, the JSON handler does not escape them.
type escapeWriter struct{ to io.Writer }

// Write writes the record p.
func (e escapeWriter) Write(p []byte) (int, error) {
	if !bytes.ContainsFunc(p, mustEscape) {
		return e.to.Write(p)
	}
	escaped := make([]byte, 0, len(p)+len(p)/4)
	for rest := p; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if mustEscape(r) {
			for _, unit := range utf16.AppendRune(nil, r) {
				escaped = fmt.Appendf(escaped, `\u%04x`, unit)
			}
		} else {
			escaped = append(escaped, rest[:size]...)
		}
		rest = rest[size:]
	}
	if _, err := e.to.Write(escaped); err != nil {
		return 0, err
	}
	return len(p), nil
}

func mustEscape(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }
