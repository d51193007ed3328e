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

	"github.com/spf13/pflag"

	"wspipe/process"
	"wspipe/server"
	"wspipe/server/access"
)

// serve completes cfg with what depends on the machine, and serves COMMAND, given by words, until
// ctx is done or cfg ends the server. flags are those of wspipe.
func (p *invocation) serve(ctx context.Context, cfg server.Config, words []string, flags *pflag.FlagSet) error {
	if warning := misplacedFlag(p.line, flags); warning != nil {
		p.report(slog.LevelWarn, "warning: ", warning)
	}
	if err := p.opts.fillChild(&cfg.Endpoint.Child, words); err != nil {
		return err
	}
	if err := p.opts.fillSecret(&cfg.Auth); err != nil {
		return usageError{err}
	}
	if err := checkTerminal(cfg.Endpoint.Child.Terminal); err != nil {
		return usageError{err}
	}
	if err := p.opts.fillRoutes(&cfg); err != nil {
		return err
	}
	for _, warning := range scriptWarnings(&cfg) {
		p.report(slog.LevelWarn, "warning: ", warning)
	}
	ctx, reload, stop := handleSignals(ctx, p.interrupted)
	defer stop()
	cfg.Reload = reload
	cfg.StartHint = startHint
	cfg.Log = newLog(p.stderr, p.opts.logFormat, p.opts.logLevel)
	p.stderr.OnLost(p.lostRecordsLine)
	process.Prepare()
	srv, err := server.Listen(cfg)
	if err != nil {
		return p.opts.listenError(err)
	}
	p.announce(words, srv.URLs())
	p.status, err = srv.Serve(ctx)
	return err
}

// fillChild sets the program, directory and user of child. The error joins all problems.
func (o *endpointOptions) fillChild(child *process.Spec, words []string) error {
	var problems []error
	var err error
	if len(words) > 0 {
		if child.Path, err = process.Resolve(words[0]); err != nil {
			problems = append(problems, runError(words[0], err))
		}
		child.Args = words[1:]
	}
	if o.cwd != "" {
		if err := isDir(o.cwd); err != nil {
			problems = append(problems, err)
		}
		child.Dir = o.cwd
		if child.Path != "" {
			if child.Path, err = filepath.Abs(child.Path); err != nil {
				problems = append(problems, err)
			}
		}
	}
	if o.user != "" {
		if child.User, err = process.LookupUser(o.user); err != nil {
			problems = append(problems, fmt.Errorf("cannot %w", err))
		}
	}
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

// checkTerminal returns an error if this machine cannot provide the terminal.
func checkTerminal(wanted process.Terminal) error {
	if wanted == process.NoTerminal {
		return nil
	}
	if err := process.CheckTerminal(); err != nil {
		return fmt.Errorf("--pty and --line-buffered require terminals, which are not available here: %w", err)
	}
	return nil
}

// fillSecret reads the password from the environment, which ps does not show.
func (o *options) fillSecret(auth *access.Auth) error {
	pair, ok := os.LookupEnv(server.BasicAuthVariable)
	if !ok || auth.Basic != "" {
		return nil
	}
	var err error
	if auth.Basic, err = credentials(pair); err != nil {
		return fmt.Errorf("%s: %w", server.BasicAuthVariable, err)
	}
	return nil
}

// servedName describes what is served, using the words of the command line.
func (o *options) servedName(words []string) string {
	switch {
	case len(words) > 0:
		return shellWords(words[0])
	case o.dir != "":
		return "the programs in " + shellWords(o.dir)
	case o.routes != "":
		return "the routes in " + shellWords(o.routes)
	case o.staticDir != "":
		return "the files in " + shellWords(o.staticDir)
	}
	return "the CGI programs in " + shellWords(o.cgiDir)
}

// announce prints the URLs. With --port=0, the user cannot know them otherwise.
func (p *invocation) announce(words, urls []string) {
	if p.opts.logLevel == levelNone && p.opts.chosenPort() != 0 {
		return
	}
	what, isWebSocket := p.opts.servedName(words), len(words) > 0 || p.opts.dir+p.opts.routes != ""
	for _, url := range urls {
		if !isWebSocket {
			url = pageAt(url)
		}
		p.print(slog.LevelInfo, "serving "+what+" at "+url, "serving", "what", what, "url", url)
	}
	for _, url := range urls {
		if page := pageAt(url); p.opts.devConsole && page != url { // browsers do not support unix sockets
			p.print(slog.LevelInfo, "console at "+page, "console", "url", page)
		}
	}
}

// pageAt returns the http URL for a ws URL.
func pageAt(url string) string {
	if rest, ok := strings.CutPrefix(url, "ws"); ok {
		return "http" + rest
	}
	return url
}

// lostRecordsLine formats the log record about lost records.
func (p *invocation) lostRecordsLine(lost int) string {
	var line bytes.Buffer
	newLog(&line, p.opts.logFormat, slog.LevelWarn).Warn("log records lost because stderr was not read", "count", lost)
	return line.String()
}
