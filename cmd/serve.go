package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"wspipe/process"
	"wspipe/server"
)

// serve serves the COMMAND words with cfg, to which it adds what depends on
// this machine. It returns when ctx is done or cfg says so.
func (p *program) serve(ctx context.Context, cfg server.Config, words []string) error {
	if warning := misplaced(p.line, p.rootCommand().Flags()); warning != nil {
		p.note(slog.LevelWarn, "warning: ", warning)
	}
	if err := p.opts.fillChild(&cfg.Child, words); err != nil {
		return err
	}
	cfg.Log = newLog(p.stderr, p.opts.logFormat, p.opts.logLevel)
	p.stderr.TellLost(p.lostRecords)
	srv, err := server.Listen(cfg)
	if err != nil {
		return cannotListen(err)
	}
	p.announce(words[0], srv.URLs())
	p.status, err = srv.Serve(ctx)
	return err
}

// fillChild says in child what to run where and as whom. The error joins
// everything that stands against it.
func (o *options) fillChild(child *process.Spec, words []string) error {
	var problems []error
	path, err := process.Resolve(words[0])
	if err != nil {
		problems = append(problems, cannotRun(words[0], err))
	}
	if o.cwd != "" {
		if err := isDir(o.cwd); err != nil {
			problems = append(problems, err)
		}
		if path, err = filepath.Abs(path); err != nil {
			problems = append(problems, err)
		}
	}
	if o.user != "" {
		if child.User, err = process.LookupUser(o.user); err != nil {
			problems = append(problems, fmt.Errorf("cannot %w", err))
		}
	}
	child.Path, child.Args, child.Dir = path, words[1:], o.cwd
	return errors.Join(problems...)
}

func isDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && info.IsDir() {
		return nil
	}
	cause := errors.New("not a directory")
	if err != nil {
		cause = errors.Unwrap(err)
	}
	return fmt.Errorf("--cwd=%s: %w", shellWords(dir), cause)
}

// announce tells where what is served: the one thing nobody else can know if
// the port is 0.
func (p *program) announce(command string, urls []string) {
	if p.opts.logLevel == levelNone && p.opts.port != 0 {
		return
	}
	for _, url := range urls {
		p.say(slog.LevelInfo, "serving "+shellWords(command)+" at "+url, "serving", "command", command, "url", url)
	}
	if !p.opts.devConsole {
		return
	}
	for _, url := range urls {
		url = "http" + strings.TrimPrefix(url, "ws")
		p.say(slog.LevelInfo, "console at "+url, "console", "url", url)
	}
}

// lostRecords is the line that tells of records which a stuck stderr cost.
func (p *program) lostRecords(lost int) string {
	var line bytes.Buffer
	newLog(&line, p.opts.logFormat, slog.LevelWarn).Warn("log records lost, nobody read stderr", "count", lost)
	return line.String()
}
