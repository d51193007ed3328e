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
)

// serve serves the COMMAND words with cfg, to which it adds what depends on
// this machine. flags are those of wspipe. It returns when ctx is done or cfg says so.
func (p *program) serve(ctx context.Context, cfg server.Config, words []string, flags *pflag.FlagSet) error {
	if warning := misplacedFlag(p.line, flags); warning != nil {
		p.report(slog.LevelWarn, "warning: ", warning)
	}
	if err := p.opts.fillChild(&cfg.Child, words); err != nil {
		return err
	}
	if err := p.opts.fillSecret(&cfg.Auth); err != nil {
		return usageError{err}
	}
	if err := checkTerminal(cfg.Child.Terminal); err != nil {
		return usageError{err}
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

// fillChild says in child what to run where and as whom. The error joins
// everything that stands against it.
func (o *options) fillChild(child *process.Spec, words []string) error {
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

// checkTerminal says why this machine cannot give a child the terminal that it is
// to have.
func checkTerminal(wanted process.Terminal) error {
	if wanted == process.NoTerminal {
		return nil
	}
	if err := process.CheckTerminal(); err != nil {
		return fmt.Errorf("--pty and --line-buffered require terminals, which are not available here: %w", err)
	}
	return nil
}

// fillSecret takes the password from the environment, where no ps shows it.
func (o *options) fillSecret(auth *server.Auth) error {
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

// servedName names what the server is for, in the words of the command line.
func (o *options) servedName(words []string) string {
	switch {
	case len(words) > 0:
		return shellWords(words[0])
	case o.dir != "":
		return "the programs in " + shellWords(o.dir)
	case o.staticDir != "":
		return "the files in " + shellWords(o.staticDir)
	}
	return "the CGI programs in " + shellWords(o.cgiDir)
}

// announce tells where what is served: the one thing nobody else can know if
// the port is 0.
func (p *program) announce(words, urls []string) {
	if p.opts.logLevel == levelNone && p.opts.chosenPort() != 0 {
		return
	}
	what, isWebSocket := p.opts.servedName(words), len(words) > 0 || p.opts.dir != ""
	for _, url := range urls {
		if !isWebSocket {
			url = pageAt(url)
		}
		p.print(slog.LevelInfo, "serving "+what+" at "+url, "serving", "what", what, "url", url)
	}
	for _, url := range urls {
		if page := pageAt(url); p.opts.devConsole && page != url { // a browser knows no unix sockets
			p.print(slog.LevelInfo, "console at "+page, "console", "url", page)
		}
	}
}

// pageAt returns the http URL where url is a ws one.
func pageAt(url string) string {
	if rest, ok := strings.CutPrefix(url, "ws"); ok {
		return "http" + rest
	}
	return url
}

// lostRecordsLine is the line that tells of records which a stuck stderr cost.
func (p *program) lostRecordsLine(lost int) string {
	var line bytes.Buffer
	newLog(&line, p.opts.logFormat, slog.LevelWarn).Warn("log records lost because stderr was not read", "count", lost)
	return line.String()
}
