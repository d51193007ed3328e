package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"wspipe/process"
	"wspipe/server"
	"wspipe/server/param"
)

func (o *endpointOptions) addParams(f *flagSet) {
	f.group = "Parameters"
	f.value("param", "NAME:TYPE", "", "query parameter {NAME}: int, int(1..9)=3, word, one-of(a,b), text, /regexp/", o.addParam)
}

// addParam adds the declaration of a parameter. In a route it replaces an inherited one of the same
// name.
func (o *endpointOptions) addParam(declaration string) error {
	p, err := param.Parse(declaration)
	if err != nil {
		return err
	}
	if slices.Contains(o.declared, p.Name) {
		return fmt.Errorf("%s is declared twice; remove one of the two", p.Name)
	}
	o.declared = append(o.declared, p.Name)
	o.params = o.params.With(p)
	return nil
}

// paramConflicts returns the error if clients with different parameters would share a child.
func (o *endpointOptions) paramConflicts() error {
	if len(o.params) == 0 || o.share == server.ShareNone || len(o.params) == 1 && o.params[0].Name == o.shareBy.Query {
		return nil
	}
	return hint(errors.New("--param and --share cannot be combined: clients that share a COMMAND cannot have different parameters"), "remove one of them", "or make a room of each value of one parameter: --share-by=query:NAME --param=NAME:TYPE")
}

// placeholderProblems returns the error for placeholders in words, COMMAND and its arguments, that
// are not declared.
func (o *endpointOptions) placeholderProblems(words []string) error {
	if len(words) == 0 {
		return nil
	}
	undeclared := o.params.Undeclared(words[1:])
	if len(undeclared) == 0 {
		return nil
	}
	first := undeclared[0]
	return hint(fmt.Errorf("no --param declares %s", strings.Join(undeclared, ", ")),
		"declare it: --param="+strings.Trim(first, "{}")+":word", "or, if the brace is meant literally, double it: {"+first)
}

// scriptWarnings returns a warning for each endpoint that puts a parameter into a script.
func scriptWarnings(cfg *server.Config) (warnings []error) {
	for _, r := range append([]server.Route{{Endpoint: cfg.Endpoint}}, cfg.Routes...) {
		placeholder, place := r.Params.InScript(r.Child.Args), "the script after -c"
		batch := process.InterpretsArguments(r.Child.Path)
		if batch {
			placeholder, place = r.Params.InCommandLine(r.Child.Args), "a command line of cmd.exe"
		}
		if placeholder == "" {
			continue
		}
		warning := fmt.Errorf("%s becomes part of %s, which can run what the client sends", placeholder, place)
		remedy := fmt.Sprintf(`to pass it as data, write "$%s" instead of %s`, param.Variable(placeholder), placeholder)
		if batch {
			remedy = "a program that is not a batch file gets its arguments unchanged"
		}
		if r.Source != "" {
			warning = fmt.Errorf("%s: %w", r.Source, warning)
		}
		warnings = append(warnings, hint(warning, remedy))
	}
	return warnings
}
