package cmd

import (
	"fmt"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/pflag"
)

// manHead and manTail are the manual page around the list of flags.
const (
	manHead = `%% "WSPIPE" "1" "" "wspipe %s" "User Commands"
# NAME
wspipe \- serve any program as a WebSocket

# SYNOPSIS
**wspipe** [*flags*] *COMMAND* [*ARG*...]

**wspipe** **connect** [*flags*] *URL*

**wspipe** **completion** *SHELL* | **man** | **help**

# DESCRIPTION
%s

Flags end at the first word that is no flag; the rest belongs to *COMMAND*.
One dash is as good as two. A *COMMAND* that is called like a subcommand is
reached by **--**, as in **wspipe -- help**.

# OPTIONS
`
	manConnect = `
# WSPIPE CONNECT
%s

It ends with the program's exit status, or 128 + n if signal n has ended it;
with 255 if that cannot be known, such as when the connection is lost; with 141
if nobody takes its output any more. SIGINT and SIGQUIT are passed on to the
program; a third SIGINT within a second ends **wspipe connect** alone. In a
terminal that is the program's, **~.** at the beginning of a line does that.

`
	manTail = `
# EXIT STATUS
0
: a clean stop

1
: *COMMAND* cannot be run, or an address not be listened on

2
: a wrong command line

With **--once** it is the child's: 128 + n if signal n has ended it.

# EXAMPLES
` + "```\n%s\n```\n"
)

// manPage returns wspipe's manual page. It is the same by whatever name wspipe
// is called.
func manPage() []byte {
	var page strings.Builder
	fmt.Fprintf(&page, manHead, version(), about)
	flags := pflag.NewFlagSet("wspipe", pflag.ContinueOnError)
	new(options).addFlags(flags)
	manFlags(&page, flags)
	fmt.Fprintf(&page, manConnect, aboutConnect)
	flags = pflag.NewFlagSet("wspipe connect", pflag.ContinueOnError)
	new(connectOptions).addFlags(flags)
	manFlags(&page, flags)
	fmt.Fprintf(&page, manTail, examples("wspipe")+"\n"+connectExamples("wspipe"))
	return md2man.Render([]byte(page.String()))
}

// manFlags lists flags, group by group.
func manFlags(page *strings.Builder, flags *pflag.FlagSet) {
	byGroup(flags, func(group string) {
		fmt.Fprintf(page, "## %s\n", group)
	}, func(f *pflag.Flag) {
		name, value, hasValue := strings.Cut(spelling(f), "=")
		fmt.Fprintf(page, "**%s**", name)
		if hasValue {
			fmt.Fprintf(page, "=*%s*", value)
		}
		fmt.Fprintf(page, "\n: %s\n\n", strings.ReplaceAll(usage(f), "*", `\*`))
	})
}
