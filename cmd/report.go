package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// usageError is an error in the command line.
type usageError struct{ error }

// Unwrap returns the error without its type.
func (e usageError) Unwrap() error { return e.error }

// hintedError is an error with hints, each of which is printed on a line of its own.
type hintedError struct {
	error
	hints []string
}

// Unwrap returns the error without its hints.
func (h hintedError) Unwrap() error { return h.error }

// hint adds hints to err.
func hint(err error, hints ...string) error { return hintedError{err, hints} }

// fail reports err, which ends wspipe, and sets the exit status.
func (p *invocation) fail(err error) {
	if _, wrong := errors.AsType[usageError](err); wrong {
		p.status = statusMisuse
	} else if p.status == statusOK {
		p.status = statusFailed
	}
	for _, e := range splitErrors(err) {
		p.report(levelFatal, "", e)
	}
}

// report prints err and its hints. The prefix appears only in a text log.
func (p *invocation) report(level slog.Level, prefix string, err error) {
	text, attrs := prefix+err.Error(), []any(nil)
	if h, ok := errors.AsType[hintedError](err); ok {
		for _, hint := range h.hints {
			text += "\nwspipe: hint: " + hint
		}
		attrs = []any{"hint", strings.Join(h.hints, "; ")}
	}
	p.print(level, text, err.Error(), attrs...)
}

// print prints text or, if the log is JSON, a record of msg and attrs, regardless of --loglevel.
func (p *invocation) print(level slog.Level, text, msg string, attrs ...any) {
	if p.opts.logFormat == formatJSON {
		newLog(p.stderr, formatJSON, slog.LevelDebug).Log(context.Background(), level, msg, attrs...)
		return
	}
	fmt.Fprintf(p.stderr, "wspipe: %s\n", text)
}

// splitErrors returns the errors that errors.Join has joined.
func splitErrors(err error) []error {
	if m, ok := err.(usageError); ok {
		return splitErrors(m.error)
	}
	if err == nil {
		return nil
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
