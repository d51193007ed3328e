package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wspipe/server/admin"
)

const killName = "kill"

const aboutKill = `End sessions of a server that was started with --admin=SOCKET: their children are stopped, and
their clients get close code 1001, "ended by the operator". wspipe ps lists the IDs.
A client that reconnects by itself starts a new child.`

// addKillFlags defines the flags of "wspipe kill".
func (o *operatorOptions) addKillFlags(to *pflag.FlagSet) {
	o.addFlags(to, func(f *flagSet) {
		f.toggle("all", "false", "end all sessions", set(&o.all, boolean))
		f.nilValue("endpoint", "PATH", "", "end the sessions of the program at PATH", optional(&o.endpoint, nonEmpty))
	})
}

// killExamples returns the examples at the top of the help of a program called name.
func killExamples(name string) string {
	return strings.ReplaceAll(`  wspipe kill --admin=/run/wspipe/admin.sock 97d8870ec229601ba7248dc88ce7c830
  wspipe kill --admin=/run/wspipe/admin.sock --endpoint=/chat.sh`, "wspipe ", name+" ")
}

// killCommand returns the command "wspipe kill".
func (p *invocation) killCommand() *cobra.Command {
	cmd := &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   killName + " [flags] ID",
		Short:                 "end a session, or --all, or those of --endpoint=PATH",
		Long:                  aboutKill,
		Example:               killExamples(p.name),
		RunE:                  p.runKill,
		ValidArgsFunction:     cobra.NoFileCompletions,
	}
	p.operator.addKillFlags(cmd.Flags())
	return cmd
}

// runKill runs "wspipe kill".
func (p *invocation) runKill(cmd *cobra.Command, words []string) error {
	o := p.operator
	client, err := o.client(append(problemList(o.errs), o.killProblem(words)), killName)
	if err != nil {
		return err
	}
	if len(words) == 1 {
		err := client.EndSession(cmd.Context(), words[0])
		if errors.Is(err, admin.ErrUnknownSession) {
			return hint(fmt.Errorf("no session %s", cell(words[0])), "wspipe ps lists the sessions")
		}
		return adminError(err)
	}
	ended, err := o.endSessions(cmd.Context(), client)
	if err == nil && ended == 0 {
		fmt.Fprintln(p.stderr, "wspipe: no session to end")
	}
	return adminError(err)
}

// killProblem returns the error if there is not exactly one of ID, --all and --endpoint.
func (o *operatorOptions) killProblem(words []string) error {
	const want = "want exactly one of ID, --all and --endpoint=PATH"
	switch {
	case len(words) > 1:
		return fmt.Errorf("unexpected argument %s after the ID", shellWords(words[1:]...))
	case len(words) == 1 && words[0] == "":
		return errors.New("the ID must not be empty")
	}
	given := len(words)
	if o.all {
		given++
	}
	if o.endpoint != nil {
		given++
	}
	if given != 1 && len(o.errs) == 0 {
		return hint(errors.New(want), "wspipe ps lists the sessions and their IDs")
	}
	return nil
}

// endSessions ends all sessions, or those of the endpoint, and returns how many.
func (o *operatorOptions) endSessions(ctx context.Context, client *admin.Client) (ended int, err error) {
	sessions, err := client.Sessions(ctx)
	for _, s := range sessions {
		if o.endpoint != nil && *o.endpoint != s.Endpoint && *o.endpoint != cell(s.Endpoint) {
			continue
		}
		switch err := client.EndSession(ctx, s.ID); {
		case err == nil:
			ended++
		case !errors.Is(err, admin.ErrUnknownSession): // it has ended by itself
			return ended, err
		}
	}
	return ended, err
}
