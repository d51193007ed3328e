package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// usageError is a wrong command line.
type usageError struct{ error }

// Unwrap returns what is wrong with it.
func (m usageError) Unwrap() error { return m.error }

// hintedError is an error with lines that say what to type instead.
type hintedError struct {
	error
	hints []string
}

// Unwrap returns the error.
func (h hintedError) Unwrap() error { return h.error }

// hint adds what to type instead to err.
func hint(err error, hints ...string) error { return hintedError{err, hints} }

// fail tells of err, why there is nothing more to do, and settles the exit status.
func (p *program) fail(err error) {
	if _, wrong := errors.AsType[usageError](err); wrong {
		p.status = statusMisuse
	} else if p.status == statusOK {
		p.status = statusFailed
	}
	for _, e := range splitErrors(err) {
		p.report(levelFatal, "", e)
	}
}

// report tells of err and its hints. In a text log, prefix goes in front.
func (p *program) report(level slog.Level, prefix string, err error) {
	text, attrs := prefix+err.Error(), []any(nil)
	if h, ok := errors.AsType[hintedError](err); ok {
		for _, hint := range h.hints {
			text += "\nwspipe: hint: " + hint
		}
		attrs = []any{"hint", strings.Join(h.hints, "; ")}
	}
	p.print(level, text, err.Error(), attrs...)
}

// print writes what no --loglevel hides: text for people or, if the log is JSON,
// a record with msg and attrs.
func (p *program) print(level slog.Level, text, msg string, attrs ...any) {
	if p.opts.logFormat == formatJSON {
		newLog(p.stderr, formatJSON, slog.LevelDebug).Log(context.Background(), level, msg, attrs...)
		return
	}
	fmt.Fprintf(p.stderr, "wspipe: %s\n", text)
}

// splitErrors takes apart what errors.Join has joined.
func splitErrors(err error) []error {
	if m, ok := err.(usageError); ok {
		return splitErrors(m.error)
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || errors.Join(joined.Unwrap()...).Error() != err.Error() {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, splitErrors(e)...)
	}
	return all
}
