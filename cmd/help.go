package cmd

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const about = `wspipe turns a program that reads stdin and writes stdout into a WebSocket service.
Each connection starts its own COMMAND, or all connections share one (--share). Each line
that COMMAND prints becomes a message, and each message becomes a line that it reads.`

// examples returns the examples at the top of the help of a program called name.
func examples(name string) string {
	return strings.ReplaceAll(`  wspipe ./count.sh                         serve it at ws://127.0.0.1:8080/
  wspipe --port=0 --devconsole ./greet.py   on a free port, with a test page
  wspipe --address=0.0.0.0 --host=pi.lan --max-runtime=1h -- tail -F /var/log/dpkg.log
  wspipe --binary --once sh -c 'tar -c .'   raw bytes, for one client`, "wspipe", name)
}

// shortUsage is printed if there are no arguments.
func shortUsage(name string) string {
	return strings.ReplaceAll(`usage: wspipe [flags] COMMAND [ARG...]
  wspipe --port=8080 ./script.sh    serve a script at ws://127.0.0.1:8080/
  wspipe --help                     show the most common flags
`, "wspipe", name)
}

// commonFlags are the flags in the help of wspipe. --help-all lists all of them.
var commonFlags = strings.Fields(`port address ssl dir routes staticdir devconsole param framing http pty line-buffered
	share replay resume once passenv origin basic-auth loglevel`)

// help prints the help of cmd.
func (p *invocation) help(cmd *cobra.Command, _ []string) {
	text := subHelp(cmd)
	if !cmd.HasParent() {
		text = rootHelp(cmd, p.opts.helpAll)
	}
	if _, err := io.WriteString(p.stdout, text); err != nil {
		p.fail(err)
	}
}

// rootHelp returns the help of wspipe itself, with all flags or the common ones.
func rootHelp(root *cobra.Command, all bool) string {
	var text strings.Builder
	line := func(usage, what string) { fmt.Fprintf(&text, "  %-34s %s\n", usage, what) }
	fmt.Fprintf(&text, "Examples:\n%s\n\n%s\n\nUsage:\n", root.Example, root.Long)
	line(root.UseLine(), "serve COMMAND")
	line(root.Name()+" [flags] --dir=DIR", "serve each program in DIR")
	line(root.Name()+" [flags] --routes=FILE", "serve each line of FILE: PATH [FLAGS] -- COMMAND [ARG...]")
	line(root.Name()+" [flags] --staticdir=DIR", "serve files, alone or with one of the above")
	for _, sub := range root.Commands() {
		if !sub.Hidden {
			line(sub.UseLine(), sub.Short)
		}
	}
	line(root.Name()+" [flags] -- COMMAND [ARG...]", "serve a COMMAND that has the name of a subcommand")
	if all {
		writeFlags(&text, root.Flags())
		return text.String()
	}
	text.WriteString("\nCommon flags:\n")
	root.Flags().VisitAll(func(f *pflag.Flag) {
		if slices.Contains(commonFlags, f.Name) {
			writeFlag(&text, f)
		}
	})
	fmt.Fprintf(&text, "\n%s --help-all lists all flags, and %[1]s man describes them.\n", root.Name())
	return text.String()
}

// subHelp returns the help of a subcommand.
func subHelp(sub *cobra.Command) string {
	var text strings.Builder
	if sub.Example != "" {
		fmt.Fprintf(&text, "Examples:\n%s\n\n", sub.Example)
	}
	fmt.Fprintf(&text, "%s\n\nUsage:\n  %s\n", sub.Long, sub.UseLine())
	writeFlags(&text, sub.Flags())
	return text.String()
}

// writeFlags writes one line per flag.
func writeFlags(text *strings.Builder, flags *pflag.FlagSet) {
	byGroup(flags, func(group string) {
		fmt.Fprintf(text, "\n%s:\n", group)
	}, func(f *pflag.Flag) { writeFlag(text, f) })
}

func writeFlag(text *strings.Builder, f *pflag.Flag) {
	fmt.Fprintf(text, "  %-22s %s\n", spelling(f), usage(f))
}

// byGroup calls each for every flag, and heading before the first flag of each group.
func byGroup(flags *pflag.FlagSet, heading func(group string), each func(*pflag.Flag)) {
	last := ""
	flags.VisitAll(func(f *pflag.Flag) {
		if group := f.Annotations[groupKey]; len(group) == 0 {
			return // a flag of cobra
		} else if group[0] != last {
			heading(group[0])
			last = group[0]
		}
		each(f)
	})
}

// spelling returns f as it is written on a command line.
func spelling(f *pflag.Flag) string {
	word := "--" + f.Name
	switch {
	case f.NoOptDefVal == "":
		word += "=" + f.Value.Type()
	case f.DefValue == "true": // its name alone would change nothing
		word += "=false"
	}
	if f.Shorthand != "" {
		word = "-" + f.Shorthand + ", " + word
	}
	return word
}

// usage returns the description of f and its default value.
func usage(f *pflag.Flag) string {
	if f.DefValue == "" || f.NoOptDefVal != "" {
		return f.Usage
	}
	return f.Usage + " (default " + f.DefValue + ")"
}
