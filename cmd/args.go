package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// commandLine is a parsed command line.
type commandLine struct {
	// flags are the flags of wspipe, each as --name or --name=value.
	flags []string
	// dashDash reports whether "--" separates the flags from the words.
	dashDash bool
	// words are the arguments from the first one that is not a flag.
	words []string
	// errs are the errors of unknown flags and missing values.
	errs []error
}

// parseArgs parses args for command, as the user types its name, whose flags are known. A long flag
// may have one dash, as with Go's flag package.
func parseArgs(args []string, command string, known *pflag.FlagSet) commandLine {
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
			line.errs = append(line.errs, unknownFlag(arg, command, known))
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

// parseMixed is like parseArgs, but finds flags behind words, too.
func parseMixed(args []string, command string, known *pflag.FlagSet) commandLine {
	line := parseArgs(args, command, known)
	rest := line.words
	line.words = nil
	for len(rest) > 0 {
		line.words = append(line.words, rest[0])
		if line.dashDash {
			line.words = append(line.words, rest[1:]...)
			break
		}
		next := parseArgs(rest[1:], command, known)
		line.flags, line.errs = append(line.flags, next.flags...), append(line.errs, next.errs...)
		line.dashDash, rest = next.dashDash, next.words
	}
	return line
}

// lookupFlag returns the flag that arg, which begins with a dash, names, or nil, and its value.
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

// args returns the arguments for cobra, which are never nil: cobra would then parse os.Args.
func (l commandLine) args() []string {
	args := append([]string{}, l.flags...)
	if len(l.words) > 0 {
		args = append(append(args, "--"), l.words...)
	}
	return args
}

// hasNoFlags reports whether there are no flags, not even invalid ones.
func (l commandLine) hasNoFlags() bool { return len(l.flags)+len(l.errs) == 0 }
