package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"wspipe/bridge"
	"wspipe/process"
	"wspipe/server"
)

// fillRoutes sets the routes of cfg.
func (o *options) fillRoutes(cfg *server.Config) (err error) {
	if o.routes == "" {
		return nil
	}
	cfg.RoutesFile = o.routes
	cfg.ReadRoutes = func() ([]server.Route, error) {
		routes, err := o.readRoutes()
		return routes, errors.Join(splitErrors(err)...)
	}
	cfg.Routes, err = o.readRoutes()
	return err
}

// readRoutes reads the file of --routes. An error for its content is a usageError that joins all
// mistakes, each with its line.
func (o *options) readRoutes() ([]server.Route, error) {
	text, err := os.ReadFile(o.routes)
	if err != nil {
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			err = failed.Err
		}
		return nil, fmt.Errorf("cannot read --routes=%s: %w", shellWords(o.routes), err)
	}
	routes, err := o.parseRoutes(string(text))
	if err != nil {
		return nil, usageError{err}
	}
	return routes, nil
}

// parseRoutes returns the routes in text, the content of the file of --routes.
func (o *options) parseRoutes(text string) ([]server.Route, error) {
	var routes []server.Route
	var problems []error
	first := make(map[string]int) // lines by path
	for _, line := range splitLines(text) {
		route, err := o.parseRoute(line)
		if before, isTwice := first[route.Path]; isTwice && route.Path != "" {
			err = errors.Join(err, fmt.Errorf("line %d already has the path %s", before, shellWords(line.words[0])))
		} else {
			first[route.Path] = line.number
		}
		route.Source = fmt.Sprintf("%s:%d", o.routes, line.number)
		for _, e := range splitErrors(err) {
			problems = append(problems, fmt.Errorf("%s: %w", route.Source, e))
		}
		routes = append(routes, route)
	}
	if len(routes) == 0 {
		problems = append(problems, hint(fmt.Errorf("%s has no routes", shellWords(o.routes)), "the form of a line is "+routeForm))
	}
	return routes, errors.Join(problems...)
}

const routeForm = "PATH [FLAGS] -- COMMAND [ARG...], such as: /echo --framing=bytes -- cat"

// parseRoute returns the route of one line. The error joins all mistakes; the path is set even then
// if it is correct.
func (o *options) parseRoute(line shellLine) (route server.Route, err error) {
	if line.err != nil {
		return route, line.err
	}
	path, pathErr := routePath(line.words[0])
	route.Path = path
	r := options{endpointOptions: o.endpointOptions.clone(), once: o.once}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	r.define(&flagSet{to: flags, errs: &r.errs, inherit: true})
	parsed := parseArgs(line.words[1:], "wspipe", flags)
	r.errs = append(r.errs, pathErr)
	r.errs = append(r.errs, parsed.errs...)
	r.setFlags(parsed.flags, flags)
	r.combine(flags.Changed)
	r.errs = append(r.errs, commandProblem(line.words, parsed))
	chosen, framingErr := r.chosenFraming()
	r.errs = append(r.errs, framingErr, r.endpointConflicts())
	route.Endpoint = r.endpoint(chosen)
	if parsed.dashDash {
		r.errs = append(r.errs, r.fillChild(&route.Endpoint.Child, parsed.words), r.placeholderProblems(parsed.words))
	}
	return route, errors.Join(append(r.errs, checkTerminal(route.Endpoint.Child.Terminal))...)
}

// setFlags sets the flags of a route. Those of the server are errors.
func (o *options) setFlags(words []string, flags *pflag.FlagSet) {
	for _, word := range words {
		name, value, hasValue := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		flag := flags.Lookup(name)
		if _, ok := flag.Annotations[endpointKey]; !ok {
			o.errs = append(o.errs, hint(fmt.Errorf("--%s belongs to the server, not to one route", name), "remove it here and pass it on the command line"))
			continue
		}
		if !hasValue {
			value = flag.NoOptDefVal
		}
		flags.Set(name, value) // records the error in o.errs
	}
}

// commandProblem returns the error if words, those of a line, have no "--" and COMMAND.
func commandProblem(words []string, parsed commandLine) error {
	switch {
	case parsed.dashDash && len(parsed.words) > 0:
		return nil
	case len(parsed.words) > 0:
		flags := words[:len(words)-len(parsed.words)]
		return hint(fmt.Errorf("-- is missing before COMMAND %s", shellWords(parsed.words[0])), redactedLine(slices.Concat(flags, []string{"--"}, parsed.words)...))
	}
	return hint(errors.New("COMMAND is missing"), "the form of a line is "+routeForm)
}

// routePath returns the path that the first word of a line means, in the form in which it matches
// requests.
func routePath(word string) (string, error) {
	if !strings.HasPrefix(word, "/") {
		return "", hint(fmt.Errorf("the path %s does not begin with /", shellWords(word)), "the form of a line is "+routeForm)
	}
	if i := strings.IndexAny(word, "?#"); i >= 0 {
		return "", fmt.Errorf("the path %s must not contain %c", shellWords(word), word[i])
	}
	path, err := url.PathUnescape(word)
	if err != nil {
		return "", fmt.Errorf("the path %s is invalid: %w", shellWords(word), err)
	}
	for element := range strings.SplitSeq(path[1:], "/") {
		if element == "." || element == ".." {
			return "", fmt.Errorf("the path %s must not contain the element %s", shellWords(word), element)
		}
	}
	if strings.Contains(path+"/", server.ReservedPath) {
		return "", fmt.Errorf("the path %s is reserved", shellWords(word))
	}
	return path, nil
}

// clone returns a copy of o that shares no list with it and has no errors.
func (o *endpointOptions) clone() endpointOptions {
	c := *o
	c.subprotocols, c.passEnv, c.setEnv = slices.Clone(o.subprotocols), slices.Clone(o.passEnv), slices.Clone(o.setEnv)
	c.errs, c.declared = nil, nil
	return c
}

// combine decides between the flags that were given to a route and those that o has inherited: a
// flag replaces those that exclude it, and flags that have no effect without another one are dropped.
func (o *endpointOptions) combine(given func(name string) bool) {
	isNew := func(name string, isOn bool) bool { return given(name) && isOn }
	if given("framing") || given("binary") || given("passstderr") || isNew("pty", o.pty) {
		reset(given("framing"), &o.framing, nil)
		reset(given("binary"), &o.binary, nil)
		reset(given("passstderr"), &o.passStderr, nil)
	}
	reset(!isNew("pty", o.pty) || given("line-buffered"), &o.lineBuffered, false)
	reset(!isNew("line-buffered", o.lineBuffered) || given("pty"), &o.pty, false)
	reset(!isNew("share", o.share != server.ShareNone) || given("resume"), &o.grace, 0)
	reset(!isNew("resume", o.grace != 0) || given("share"), &o.share, server.ShareNone)
	if o.paramConflicts() != nil {
		reset(!isNew("share", o.share != server.ShareNone) || given("param"), &o.params, nil)
		reset(!given("param") || given("share"), &o.share, server.ShareNone)
	}
	isShared := o.share != server.ShareNone
	reset(isShared || given("share-by"), &o.shareBy, server.ShareBy{})
	reset(isShared || given("replay"), &o.replay, 0)
	reset(isShared || given("linger"), &o.linger, 0)
	reset(isShared || given("slow"), &o.slow, bridge.SlowDisconnect)
	reset(isShared || given("readonly"), &o.readOnly, false)
	reset(o.grace != 0 || given("resume-buffer"), &o.buffer, defaultResumeBuffer)
	reset(o.terminal() != process.NoTerminal || given("size"), &o.size, process.WindowSize{})
}

// reset sets an option to its default unless keep is set.
func reset[T any](keep bool, option *T, def T) {
	if !keep {
		*option = def
	}
}
