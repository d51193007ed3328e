package param

import (
	"regexp"
	"slices"
	"strings"
)

// A placeholder is {NAME} in an argument. "{{" stands for "{". The braces of a shell's
// ${NAME} and of awk's one-word actions are not ours.
var (
	bracePattern = regexp.MustCompile(`\{\{|\$?\{[A-Za-z_][A-Za-z0-9_]*\}`)
	awkActions   = []string{"{print}", "{next}", "{nextfile}", "{getline}", "{exit}"}
)

// nameIn returns the name in match, a match of bracePattern, or "".
func nameIn(match string) string {
	if match == "{{" || match[0] == '$' {
		return ""
	}
	return match[1 : len(match)-1]
}

// Expand returns args with the values in place of the placeholders. An argument stays
// one argument. Without values, no brace is special.
func (v Values) Expand(args []string) []string {
	if len(v) == 0 {
		return args
	}
	expanded := make([]string, len(args))
	for i, arg := range args {
		expanded[i] = bracePattern.ReplaceAllStringFunc(arg, func(match string) string {
			if match == "{{" {
				return "{"
			}
			if text, ok := v.Of(nameIn(match)); ok {
				return text
			}
			return match
		})
	}
	return expanded
}

// placeholders returns the placeholders in arg.
func (l List) placeholders(arg string) (found []string) {
	for _, match := range bracePattern.FindAllString(arg, -1) {
		if name := nameIn(match); name != "" && (l.has(name) || !slices.Contains(awkActions, match)) {
			found = append(found, match)
		}
	}
	return found
}

func (l List) has(name string) bool {
	return slices.ContainsFunc(l, func(p Param) bool { return p.Name == name })
}

// Undeclared returns the placeholders in args without a declared parameter. If l is empty, it
// returns none.
func (l List) Undeclared(args []string) (found []string) {
	if len(l) == 0 {
		return nil
	}
	for _, arg := range args {
		for _, placeholder := range l.placeholders(arg) {
			if !l.has(nameIn(placeholder)) && !slices.Contains(found, placeholder) {
				found = append(found, placeholder)
			}
		}
	}
	return found
}

// scriptFlag matches the flag that the script of a shell follows.
var scriptFlag = regexp.MustCompile(`^-[A-Za-z]*c$`)

// InScript returns the first placeholder in the argument after -c, which a shell would
// interpret, or "". A number that is the whole argument is not a script: ping -c {n}.
func (l List) InScript(args []string) string {
	for i := range args {
		if i > 0 && scriptFlag.MatchString(args[i-1]) {
			if found := l.InCommandLine(args[i : i+1]); found != "" {
				return found
			}
		}
	}
	return ""
}

// InCommandLine returns the first placeholder in args, or "", if all are parts of a command
// line. A number that is the whole argument is harmless.
func (l List) InCommandLine(args []string) string {
	for _, arg := range args {
		found := l.placeholders(arg)
		if len(l) > 0 && len(found) > 0 && (found[0] != arg || !l.isInt(nameIn(arg))) {
			return found[0]
		}
	}
	return ""
}

func (l List) isInt(name string) bool {
	return slices.ContainsFunc(l, func(p Param) bool { return p.Name == name && p.kind == kindInt })
}

// variablePrefix precedes the name of a parameter in the environment.
const variablePrefix = "PARAM_"

// Variable returns the environment variable of the parameter in placeholder.
func Variable(placeholder string) string {
	return variablePrefix + strings.Trim(placeholder, "{}")
}

// Environment returns NAME=VALUE for each value.
func (v Values) Environment() (env []string) {
	for _, value := range v {
		env = append(env, variablePrefix+value.Name+"="+value.Text)
	}
	return env
}
