package cmd

import (
	"io"
	"log/slog"

	"wspipe/server"
)

// The values of --log-format.
const (
	formatText = "text"
	formatJSON = "json"
)

// levelNone is above every level that is logged.
const levelNone = slog.Level(100)

// levels are the values of --loglevel, most talkative first.
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

// levelFatal is the level of what ends wspipe.
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

// levelName returns the name of the highest level that is not above level.
func levelName(level slog.Level) string {
	name := levels[0].name
	for _, l := range levels {
		if l.level <= level {
			name = l.name
		}
	}
	return name
}

// newLog returns a log to w of what is at least at level.
func newLog(w io.Writer, format string, level slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: readable}
	if format == formatJSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// readable names levels as --loglevel does, and writes durations alike in text and JSON.
func readable(groups []string, a slog.Attr) slog.Attr {
	if level, ok := a.Value.Any().(slog.Level); ok && len(groups) == 0 && a.Key == slog.LevelKey {
		return slog.String(a.Key, levelName(level))
	}
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return a
}
