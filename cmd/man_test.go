package cmd

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// manSections are the commands whose flags the manual page lists.
func manSections() map[string]func(*pflag.FlagSet) {
	return map[string]func(*pflag.FlagSet){
		"wspipe":         new(options).addFlags,
		"wspipe connect": new(connectOptions).addFlags,
		"wspipe ps":      new(operatorOptions).addPsFlags,
		"wspipe kill":    new(operatorOptions).addKillFlags,
		"wspipe replay":  new(replayOptions).addFlags,
	}
}

// TestManExamples checks that each example is for a flag, and that wspipe accepts its value.
func TestManExamples(t *testing.T) {
	for command, examples := range flagExamples {
		flags := pflag.NewFlagSet(command, pflag.ContinueOnError)
		var errs []error
		manSections()[command](flags)
		flags.VisitAll(func(f *pflag.Flag) { f.Value.(*flagValue).errs = &errs })
		for _, example := range examples {
			line := parseArgs(splitLines(example)[0].words, command, flags)
			if err := flags.Parse(line.flags); err != nil || line.errs != nil || errs != nil {
				t.Errorf("%s %s: %v %v %v", command, example, err, line.errs, errs)
			}
			errs = nil
		}
	}
}

func TestMan(t *testing.T) {
	golden(t, "man.golden", strings.Replace(string(manPage()), version(), "VERSION", 1))
}
