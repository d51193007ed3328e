package cmd

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// misplacedFlag returns a warning if an argument of COMMAND is spelled like a flag of wspipe, or
// nil. A "--" before COMMAND suppresses it.
func misplacedFlag(line commandLine, known *pflag.FlagSet) error {
	if line.dashDash {
		return nil
	}
	for i, arg := range line.words {
		if i == 0 || !strings.HasPrefix(arg, "-") {
			continue
		}
		flag, _, hasValue := lookupFlag(arg, known)
		if flag == nil || flag.Name != strings.TrimLeft(cutValue(arg), "-") {
			continue
		}
		end := i + 1
		if !hasValue && flag.NoOptDefVal == "" && end < len(line.words) {
			end++
		}
		ours, theirs := line.words[i:end], slices.Concat(line.words[:i], line.words[end:])
		command := shellWords(line.words[0])
		if filepath.Base(line.words[0]) == "wspipe" {
			command = "COMMAND " + command
		}
		return hint(
			fmt.Errorf("%s was passed to %s", redactedLine(arg), command),
			"to pass it to wspipe: "+redactedLine(slices.Concat([]string{"wspipe"}, line.flags, ours, theirs)...),
			"if this is intended: "+redactedLine(slices.Concat([]string{"wspipe"}, line.flags, []string{"--"}, line.words)...),
		)
	}
	return nil
}

func cutValue(arg string) string {
	name, _, _ := strings.Cut(arg, "=")
	return name
}
