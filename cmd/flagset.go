package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// Annotations of flags: groupKey holds the help heading, endpointKey exists for the flags of one
// endpoint.
const (
	groupKey    = "group"
	endpointKey = "endpoint"
)

// flagSet defines flags. It collects their errors, so that wspipe reports all of them at once.
type flagSet struct {
	to    *pflag.FlagSet
	group string
	errs  *[]error
	// ofEndpoint marks the flags as those of one endpoint.
	ofEndpoint bool
	// inherit leaves the options at the values that they have, instead of the flags' defaults.
	inherit bool
}

// value defines --name=kind with the default def, which may be empty.
func (f *flagSet) value(name, kind, def, usage string, set func(string) error) {
	f.mustSet(set, def)
	f.nilValue(name, kind, def, usage, set)
}

// toggle defines the boolean flag --name with the default def.
func (f *flagSet) toggle(name, def, usage string, set func(string) error) {
	f.mustSet(set, def)
	f.nilToggle(name, def, usage, set)
}

func (f *flagSet) mustSet(set func(string) error, def string) {
	if !f.inherit && def != "" && set(def) != nil {
		panic("invalid default " + def)
	}
}

// nilValue is like value for an option that is nil unless the flag is given. Help shows def.
func (f *flagSet) nilValue(name, kind, def, usage string, set func(string) error) {
	f.add(name, "", kind, def, usage, set)
}

// nilToggle is like toggle for an option that is nil unless the flag is given.
func (f *flagSet) nilToggle(name, def, usage string, set func(string) error) {
	f.add(name, "", "bool", def, usage, set).NoOptDefVal = "true"
}

// add defines a flag. Its default def is shown by help and not set.
func (f *flagSet) add(name, short, kind, def, usage string, set func(string) error) *pflag.Flag {
	flag := f.to.VarPF(&flagValue{name, kind, def, set, f.errs}, name, short, usage)
	flag.Annotations = map[string][]string{groupKey: {f.group}}
	if f.ofEndpoint {
		flag.Annotations[endpointKey] = nil
	}
	return flag
}

// flagValue is a pflag.Value that records the errors of set.
type flagValue struct {
	name, kind, text string
	set              func(string) error
	errs             *[]error
}

// String returns the value as text.
func (v *flagValue) String() string { return v.text }

// Type returns the placeholder of the value in help, or "bool".
func (v *flagValue) Type() string { return v.kind }

// Set always returns nil, because pflag would stop at the first error.
func (v *flagValue) Set(s string) error {
	if err := v.set(s); err != nil {
		*v.errs = append(*v.errs, fmt.Errorf("--%s=%s: %w", v.name, shellWords(redactValue(v.name, s)), err))
		return nil
	}
	v.text = s
	return nil
}

// set returns the setter of a single value; the last one wins.
func set[T any](to *T, parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		v, err := parse(s)
		if err == nil {
			*to = v
		}
		return err
	}
}

// optional is like set for a value that is nil unless the flag is given.
func optional[T any](to **T, parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		v, err := parse(s)
		if err == nil {
			*to = &v
		}
		return err
	}
}

// each returns the setter of a flag that appends one value per use.
func each[T any](to *[]T, parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		v, err := parse(s)
		if err == nil {
			*to = append(*to, v)
		}
		return err
	}
}

// list returns the setter of a flag that appends comma-separated values. The first use replaces an
// inherited list.
func list(to *[]string, parse func(string) (string, error)) func(string) error {
	used := false
	return func(s string) error {
		if !used {
			*to, used = nil, true
		}
		var problems []string
		for item := range strings.SplitSeq(s, ",") {
			v, err := parse(strings.TrimSpace(item))
			if err != nil {
				problems = append(problems, err.Error())
				continue
			}
			*to = append(*to, v)
		}
		if problems != nil {
			return errors.New(strings.Join(problems, "; "))
		}
		return nil
	}
}
