package cmd

import (
	"errors"
	"fmt"

	"wspipe/bridge/framing"

	"github.com/spf13/cobra"
)

// rootCommand returns the command wspipe and its subcommands.
func (p *invocation) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:               p.name + " [flags] COMMAND [ARG...]",
		Short:             "serve any program as a WebSocket",
		Long:              about,
		Example:           examples(p.name),
		Args:              cobra.ArbitraryArgs,
		RunE:              p.runRoot,
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	p.opts.addFlags(root.Flags())
	completeValues(root)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetHelpFunc(p.help)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	help := p.helpCommand()
	root.SetHelpCommand(help)
	root.AddCommand(p.completionCommand(), p.connectCommand(), p.killCommand(), p.manCommand(), p.psCommand(), p.replayCommand(), help)
	return root
}

// runRoot runs a command line without a subcommand.
func (p *invocation) runRoot(cmd *cobra.Command, words []string) error {
	o := p.opts
	if o.helpAll || p.sub != nil && p.sub.Name() == "help" {
		return cmd.Help()
	}
	cfg, err := o.config()
	switch {
	case p.sub != nil:
		err = errors.Join(err, flagsBeforeSubcommand(p.line))
	case len(words) == 0 && p.line.hasNoFlags():
		p.status = statusMisuse
		fmt.Fprint(p.stderr, shortUsage(p.name))
		return nil
	case o.version || o.license:
	case len(words) == 0 && o.dir+o.routes+o.staticDir+o.cgiDir == "":
		err = errors.Join(err, hint(errors.New("no COMMAND to serve"), "wspipe --port=8080 ./script.sh"))
	case len(words) > 0 && o.dir != "":
		err = errors.Join(err, fmt.Errorf("--dir=%s and COMMAND %s cannot be combined", shellWords(o.dir), shellWords(words[0])))
	case len(words) > 0 && o.routes != "":
		err = errors.Join(err, fmt.Errorf("--routes=%s and COMMAND %s cannot be combined", shellWords(o.routes), shellWords(words[0])))
	}
	if err = errors.Join(err, o.placeholderProblems(words)); err != nil {
		return usageError{err}
	}
	switch {
	case o.version:
		_, err = fmt.Fprintln(p.stdout, versionLine(p.name))
	case o.license:
		_, err = fmt.Fprint(p.stdout, p.license, "\n", notices)
	default:
		err = p.serve(cmd.Context(), cfg, words, cmd.Flags())
	}
	return err
}

// flagsBeforeSubcommand returns the error for flags that line has before a subcommand.
func flagsBeforeSubcommand(line commandLine) error {
	name := line.words[0]
	return hint(
		fmt.Errorf("%s cannot be used with wspipe %s", redactedLine(line.flags...), name),
		"to serve a program named "+name+": "+redactedLine(append([]string{"wspipe"}, line.args()...)...),
	)
}

// completeValues registers the completions of flag values.
func completeValues(root *cobra.Command) {
	words := map[string][]string{
		"framing":    framing.Names(),
		"share":      shareNames,
		"share-by":   {"program", "path", "query:"},
		"slow":       slowNames,
		"loglevel":   levelNames(),
		"log-format": {formatText, formatJSON},
	}
	for name, values := range words {
		root.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	for _, name := range []string{"cwd", "dir", "staticdir", "cgidir", "record"} {
		root.MarkFlagDirname(name)
	}
}
