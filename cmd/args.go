package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// commandLine is a command line taken apart.
type commandLine struct {
	// flags are our own, each as --name or --name=value.
	flags []string
	// dashed says that "--" stood between the flags and the words.
	dashDash bool
	// words are the rest, untouched: from the first one that is no flag.
	words []string
	// problems are the flags that are none of ours, or lack their value. They
	// are not among flags.
	errs []error
}

// parseArgs splits args for a command that knows the flags known. One dash is
// as good as two in front of a long name, as with Go's flag package. of is that
// command as one types it.
func parseArgs(args []string, of string, known *pflag.FlagSet) commandLine {
	var line commandLine
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			line.dashDash = true
			args = args[1:]
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			break
		}
		args = args[1:]
		flag, value, hasValue := lookupFlag(arg, known)
		switch {
		case flag == nil:
			line.errs = append(line.errs, unknownFlag(arg, of, known))
			continue
		case !hasValue && flag.NoOptDefVal == "" && len(args) == 0:
			line.errs = append(line.errs, fmt.Errorf("%s requires a value: --%s=%s", arg, flag.Name, flag.Value.Type()))
			continue
		case !hasValue && flag.NoOptDefVal == "":
			value, hasValue = args[0], true
			args = args[1:]
		}
		word := "--" + flag.Name
		if hasValue {
			word += "=" + value
		}
		line.flags = append(line.flags, word)
	}
	line.words = args
	return line
}

// lookupFlag finds the flag that arg, which begins with a dash, spells. It returns
// nil if there is none.
func lookupFlag(arg string, known *pflag.FlagSet) (flag *pflag.Flag, value string, hasValue bool) {
	name, value, hasValue := strings.Cut(arg, "=")
	name = strings.TrimPrefix(name[1:], "-")
	switch {
	case len(name) > 1:
		flag = known.Lookup(name)
	case len(name) == 1 && arg[1] != '-':
		flag = known.ShorthandLookup(name)
	}
	return flag, value, hasValue
}

// args returns the command line as cobra takes it, which never is nil: cobra
// would take that for os.Args.
func (l commandLine) args() []string {
	args := append([]string{}, l.flags...)
	if len(l.words) > 0 {
		args = append(append(args, "--"), l.words...)
	}
	return args
}

// hasNoFlags reports whether there was no flag, not even a wrong one.
func (l commandLine) hasNoFlags() bool { return len(l.flags)+len(l.errs) == 0 }
