package cmd

import (
	"fmt"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/pflag"
)

// manHead, manConnect and manTail surround the lists of flags in the manual page.
const (
	manHead = `%% "WSPIPE" "1" "" "wspipe %s" "User Commands"
# NAME
wspipe \- serve any program as a WebSocket

# SYNOPSIS
**wspipe** [*flags*] *COMMAND* [*ARG*...]

**wspipe** [*flags*] **--dir**=*DIR* | **--routes**=*FILE* | **--staticdir**=*DIR*

**wspipe** **connect** [*flags*] *URL*

**wspipe** **ps** [*flags*]

**wspipe** **kill** [*flags*] *ID*

**wspipe** **replay** [*flags*] *FILE*

**wspipe** **completion** *SHELL* | **man** | **help**

# DESCRIPTION
%s

Flags end at the first word that is not a flag; the rest belongs to *COMMAND*.
Flags may begin with one dash or two. If *COMMAND* has the name of a
subcommand, write **--** before it, as in **wspipe -- help**.

# OPTIONS
`
	manConnect = `
# WSPIPE CONNECT
%s

The exit status is that of the program, or 128 + n if signal n killed it. It is
255 if the status is unknown, for example after the connection was lost, and 141
if stdout was closed by its reader. SIGINT and SIGQUIT are passed to the program;
a third SIGINT within a second ends **wspipe connect** itself, as does **~.** at
the beginning of a line in a terminal.

`
	manPs = `
# WSPIPE PS
%s

`
	manKill = `
# WSPIPE KILL
%s

`
	manReplay = `
# WSPIPE REPLAY
%s

`
	manTail = `
# EXIT STATUS
0
: clean stop

1
: *COMMAND* cannot be run, or wspipe cannot listen

2
: wrong command line

With **--once**, it is the exit status of the child, or 128 + n if signal n killed it.

# EXAMPLES
` + "```\n%s\n```\n"
)

// manPage returns the manual page, which does not depend on the program's name.
func manPage() []byte {
	var page strings.Builder
	fmt.Fprintf(&page, manHead, version(), about)
	section := func(command string, add func(*pflag.FlagSet)) {
		flags := pflag.NewFlagSet(command, pflag.ContinueOnError)
		add(flags)
		manFlags(&page, flags, flagExamples[command])
	}
	section("wspipe", new(options).addFlags)
	fmt.Fprintf(&page, manConnect, aboutConnect)
	section("wspipe connect", new(connectOptions).addFlags)
	fmt.Fprintf(&page, manPs, aboutPs)
	section("wspipe ps", new(operatorOptions).addPsFlags)
	fmt.Fprintf(&page, manKill, aboutKill)
	section("wspipe kill", new(operatorOptions).addKillFlags)
	fmt.Fprintf(&page, manReplay, aboutReplay)
	section("wspipe replay", new(replayOptions).addFlags)
	fmt.Fprintf(&page, manTail, examples("wspipe")+"\n"+connectExamples("wspipe"))
	return md2man.Render([]byte(page.String()))
}

// manFlags writes the flags, group by group, with their examples.
func manFlags(page *strings.Builder, flags *pflag.FlagSet, examples []string) {
	byGroup(flags, func(group string) {
		fmt.Fprintf(page, "## %s\n", group)
	}, func(f *pflag.Flag) {
		name, value, hasValue := strings.Cut(spelling(f), "=")
		fmt.Fprintf(page, "**%s**", name)
		if hasValue {
			fmt.Fprintf(page, "=*%s*", value)
		}
		fmt.Fprintf(page, "\n: %s\n\n", strings.ReplaceAll(f.Usage, "*", `\*`)+manDefault(f)+manExamples(f, examples))
	})
}

// units describes the values of flags by their placeholders.
var units = map[string]string{
	"MS":   " In milliseconds.",
	"DUR":  " A number with the unit ms, s, m or h, as in 1h30m.",
	"SIZE": " In bytes, or with the unit KiB, MiB or GiB.",
}

// manDefault returns the unit and the default value of f, unless its usage describes the default.
func manDefault(f *pflag.Flag) string {
	text := "." + units[f.Value.Type()]
	switch {
	case strings.Contains(f.Usage, "default"):
		return text
	case f.DefValue == "":
		return text + " Default: none."
	case f.DefValue == "false":
		return text + " Default: off."
	case f.DefValue == "true":
		return text + " Default: on."
	}
	return text + " Default: " + f.DefValue + "."
}

// manExamples returns the examples that are for f.
func manExamples(f *pflag.Flag, examples []string) string {
	text := ""
	for _, example := range examples {
		if name, _, _ := strings.Cut(example, "="); name == "--"+f.Name {
			text += " Example: `" + example + "`"
		}
	}
	return text
}
