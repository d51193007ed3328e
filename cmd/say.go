package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// misuse is a wrong command line.
type misuse struct{ error }

// Unwrap returns what is wrong with it.
func (m misuse) Unwrap() error { return m.error }

// hinted is an error with lines that say what to type instead.
type hinted struct {
	error
	hints []string
}

// Unwrap returns the error.
func (h hinted) Unwrap() error { return h.error }

// hint adds what to type instead to err.
func hint(err error, hints ...string) error { return hinted{err, hints} }

// complain tells of err, why there is nothing more to do, and settles the exit status.
func (p *program) complain(err error) {
	if _, wrong := errors.AsType[misuse](err); wrong {
		p.status = statusMisuse
	} else if p.status == statusOK {
		p.status = statusFailed
	}
	for _, e := range parts(err) {
		p.note(levelFatal, "", e)
	}
}

// note tells of err and its hints. In a text log, prefix goes in front.
func (p *program) note(level slog.Level, prefix string, err error) {
	text, attrs := prefix+err.Error(), []any(nil)
	if h, ok := errors.AsType[hinted](err); ok {
		for _, hint := range h.hints {
			text += "\nwspipe: hint: " + hint
		}
		attrs = []any{"hint", strings.Join(h.hints, "; ")}
	}
	p.say(level, text, err.Error(), attrs...)
}

// say writes what no --loglevel hides: text for people or, if the log is JSON,
// a record with msg and attrs.
func (p *program) say(level slog.Level, text, msg string, attrs ...any) {
	if p.opts.logFormat == formatJSON {
		newLog(p.stderr, formatJSON, slog.LevelDebug).Log(context.Background(), level, msg, attrs...)
		return
	}
	fmt.Fprintf(p.stderr, "wspipe: %s\n", text)
}

// parts takes apart what errors.Join has joined.
func parts(err error) []error {
	if m, ok := err.(misuse); ok {
		return parts(m.error)
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || errors.Join(joined.Unwrap()...).Error() != err.Error() {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}
