package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpCommand returns the command "wspipe help".
func (p *invocation) helpCommand() *cobra.Command {
	return &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   "help [SUBCOMMAND]",
		Short:                 "print this help",
		Long:                  "Print the help of wspipe, or of one of its subcommands.",
		RunE: func(cmd *cobra.Command, words []string) error {
			if len(words) == 0 {
				return cmd.Root().Help()
			}
			sub := findSubcommand(cmd.Root(), words[0])
			if sub == nil || len(words) > 1 {
				return usageError{hint(fmt.Errorf("no help for %s", shellWords(words...)), seeHelp)}
			}
			return sub.Help()
		},
	}
}

// shells are the shells that have a completion script.
var shells = []string{"bash", "zsh", "fish", "powershell"}

// completionCommand returns the command "wspipe completion".
func (p *invocation) completionCommand() *cobra.Command {
	return &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   "completion SHELL",
		Short:                 "print a completion script for " + strings.Join(shells, ", "),
		Long:                  "Print a script that completes wspipe's flags in a shell: " + strings.Join(shells, ", ") + ".\nFor bash, for example: source <(" + p.name + " completion bash)",
		ValidArgs:             shells,
		RunE: func(cmd *cobra.Command, words []string) error {
			if len(words) == 1 {
				switch root := cmd.Root(); words[0] {
				case "bash":
					return root.GenBashCompletionV2(p.stdout, true)
				case "zsh":
					return root.GenZshCompletion(p.stdout)
				case "fish":
					return root.GenFishCompletion(p.stdout, true)
				case "powershell":
					return root.GenPowerShellCompletionWithDesc(p.stdout)
				}
			}
			return usageError{hint(fmt.Errorf("completion requires one of %s", strings.Join(shells, ", ")), "wspipe completion bash")}
		},
	}
}

// manCommand returns the command "wspipe man".
func (p *invocation) manCommand() *cobra.Command {
	return &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   "man",
		Short:                 "print the manual page, for man -l -",
		Long:                  "Print the manual page in man format. To read it: " + p.name + " man | man -l -",
		RunE: func(_ *cobra.Command, words []string) error {
			if len(words) > 0 {
				return usageError{hint(fmt.Errorf("unexpected argument %s", shellWords(words[0])), "wspipe man | man -l -")}
			}
			_, err := p.stdout.Write(manPage())
			return err
		},
	}
}
