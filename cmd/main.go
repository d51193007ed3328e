// Package cmd is wspipe's command line: flags, help, messages, exit status.
package cmd

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"wspipe/process"
)

// The exit statuses of wspipe itself.
const (
	statusOK     = 0
	statusFailed = 1 // cannot run
	statusMisuse = 2 // wrong command line
)

// Main runs wspipe and returns its exit status. args[0] is the name of the program. Main returns
// even if stderr is blocked, and immediately after the second SIGINT or SIGTERM.
func Main(args []string, stdout, stderr io.Writer, license string) int {
	interrupted := make(chan int, 1)
	done := make(chan int, 1)
	go func() { // ends with the command, or with the process
		done <- runUntil(context.Background(), args, stdout, stderr, license, interrupted)
	}()
	select {
	case status := <-done:
		return status
	case status := <-interrupted:
		return status
	}
}

// runUntil runs wspipe until ctx is done. It sends the exit status for a second signal to
// interrupted.
func runUntil(ctx context.Context, args []string, stdout, stderr io.Writer, license string, interrupted chan<- int) int {
	brokenPipe := make(chan os.Signal, 1) // a closed stderr does not end wspipe
	signal.Notify(brokenPipe, syscall.SIGPIPE)
	defer signal.Stop(brokenPipe)
	log := newLogWriter(stderr, logBuffer, logTimeout)
	defer log.Close()
	p := &invocation{
		name:        strings.TrimSuffix(filepath.Base(args[0]), ".exe"),
		license:     license,
		stdout:      stdout,
		stderr:      log,
		direct:      stderr,
		opts:        &options{},
		conn:        &connectOptions{},
		operator:    &operatorOptions{},
		replay:      &replayOptions{},
		interrupted: interrupted,
	}
	if os.Getpid() == 1 { // in a container
		process.ReapOrphans()
	}
	return p.run(ctx, args[1:])
}

// invocation is one run of wspipe.
type invocation struct {
	name        string // args[0], for help and --version
	license     string
	stdout      io.Writer
	stderr      *logWriter
	direct      io.Writer // stderr, for output that must not be dropped
	opts        *options
	conn        *connectOptions
	operator    *operatorOptions
	replay      *replayOptions
	interrupted chan<- int // gets the exit status at the second signal
	line        commandLine
	sub         *cobra.Command // the subcommand, or nil
	status      int            // the exit status so far
}

// run parses the command line and runs the command through cobra.
func (p *invocation) run(ctx context.Context, args []string) int {
	root := p.rootCommand()
	p.line = parseArgs(args, "wspipe", root.Flags())
	p.opts.errs = p.line.errs
	root.SetArgs(p.line.args())
	if words := p.line.words; !p.line.dashDash && len(words) > 0 {
		p.sub = findSubcommand(root, words[0])
		switch {
		case isCompletion(words[0]):
			root.SetArgs(args)
		case p.sub != nil && p.line.hasNoFlags():
			p.sub.InitDefaultHelpFlag()
			parse := parseMixed
			if p.sub.Name() == connectName { // which has the same order as wspipe itself
				parse = parseArgs
			}
			inner := parse(words[1:], "wspipe "+p.sub.Name(), p.sub.Flags())
			if err := p.takeErrors(inner.errs); err != nil {
				p.fail(usageError{err})
				return p.status
			}
			root.SetArgs(append([]string{p.sub.Name()}, inner.args()...))
		}
	}
	if err := root.ExecuteContext(ctx); err != nil {
		p.fail(err)
	}
	return p.status
}

// takeErrors gives the subcommand the errors of its command line, to be reported with others. It
// joins those of a subcommand that has no others.
func (p *invocation) takeErrors(errs []error) error {
	switch p.sub.Name() {
	case connectName:
		p.conn.errs = errs
	case psName, killName:
		p.operator.errs = errs
	case replayName:
		p.replay.errs = errs
	default:
		return errors.Join(errs...)
	}
	return nil
}

// isCompletion reports whether word is a hidden command of the completion scripts, which cobra
// implements.
func isCompletion(word string) bool {
	return word == cobra.ShellCompRequestCmd || word == cobra.ShellCompNoDescRequestCmd
}

func findSubcommand(root *cobra.Command, name string) *cobra.Command {
	for _, c := range root.Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}
