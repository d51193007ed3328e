// Package param checks query parameters against declared types and puts their values
// into the arguments of a command, without a shell.
package param

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Param is a declared parameter. Two of the same declaration are equal for
// reflect.DeepEqual.
type Param struct {
	Name string
	Type string // as declared
	// Default is the value if the parameter is missing. Nil means that it is required.
	Default *string

	kind      kind
	low, high int64          // of kindInt
	choices   []string       // of kindChoice
	pattern   *regexp.Regexp // of kindPattern; Longest is set
}

type kind int

const (
	kindInt kind = iota
	kindWord
	kindChoice
	kindText
	kindPattern
)

// maxText is the longest value of the type text, in bytes.
const maxText = 1 << 10

const (
	form  = "NAME:TYPE or NAME:TYPE=DEFAULT, such as host:word or n:int(1..10)=3"
	types = "int, int(LOW..HIGH), word, one-of(A,B), text or /REGEXP/"
)

var (
	namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	wordPattern = regexp.MustCompile(`^[A-Za-z0-9._][A-Za-z0-9._-]*$`)
	intPattern  = regexp.MustCompile(`^-?[0-9]+$`)
)

// Parse parses a declaration, NAME:TYPE or NAME:TYPE=DEFAULT. The error says how to correct it.
func Parse(declaration string) (Param, error) {
	name, rest, ok := strings.Cut(declaration, ":")
	switch {
	case !ok:
		return Param{}, errors.New("must be " + form)
	case !isClean(declaration):
		return Param{}, errors.New("must be UTF-8 without control characters")
	case !namePattern.MatchString(name):
		return Param{}, fmt.Errorf("the name %q must consist of letters, digits and underscores and not begin with a digit", name)
	case name == "access_token" || strings.HasPrefix(name, "wspipe_"):
		return Param{}, fmt.Errorf("the name %s is reserved", name)
	}
	p := Param{Name: name}
	end := typeEnd(rest)
	p.Type = rest[:end]
	if err := p.setType(); err != nil {
		return Param{}, err
	}
	if end < len(rest) {
		p.Default = new(rest[end+1:])
		if !p.accepts(*p.Default) {
			return Param{}, fmt.Errorf("the default %q must be %s", *p.Default, p.Rule())
		}
	}
	return p, nil
}

// typeEnd returns the length of the type at the beginning of s, which ends before the "=" of the
// default or at the end of s.
func typeEnd(s string) int {
	equals := strings.IndexByte(s, '=')
	if equals < 0 {
		return len(s)
	}
	last := byte(')')
	switch paren := strings.IndexByte(s, '('); {
	case strings.HasPrefix(s, "/"):
		last = '/'
	case paren < 0 || paren > equals:
		return equals
	}
	for i := 1; i < len(s); i++ {
		switch {
		case last == '/' && s[i] == '\\':
			i++
		case s[i] == last && i+1 < len(s) && s[i+1] == '=':
			return i + 1
		}
	}
	return len(s)
}

// setType parses p.Type and sets the fields for it.
func (p *Param) setType() (err error) {
	name, inside, hasInside := strings.Cut(p.Type, "(")
	inside, closed := strings.CutSuffix(inside, ")")
	switch {
	case strings.HasPrefix(p.Type, "/"):
		return p.setPattern()
	case p.Type == "int":
		p.kind, p.low, p.high = kindInt, math.MinInt64, math.MaxInt64
	case p.Type == "word":
		p.kind = kindWord
	case p.Type == "text":
		p.kind = kindText
	case name == "int" && hasInside && closed:
		p.kind = kindInt
		p.low, p.high, err = parseRange(inside)
	case name == "one-of" && hasInside && closed:
		p.kind = kindChoice
		p.choices, err = parseChoices(inside)
	default:
		return fmt.Errorf("unknown type %q; must be %s", p.Type, types)
	}
	return err
}

func (p *Param) setPattern() (err error) {
	inside, closed := strings.CutSuffix(p.Type[1:], "/")
	if !closed || inside == "" {
		return errors.New("a regular expression must be enclosed in slashes: /REGEXP/")
	}
	p.kind = kindPattern
	if p.pattern, err = regexp.Compile(inside); err != nil {
		if wrong, ok := errors.AsType[*syntax.Error](err); ok {
			return fmt.Errorf("invalid regular expression: %s: %s", wrong.Code, wrong.Expr)
		}
		return err
	}
	p.pattern.Longest() // so that the first match is the whole value if any is
	return nil
}

func parseRange(s string) (low, high int64, err error) {
	from, to, ok := strings.Cut(s, "..")
	low, lowOK := parseInt(from)
	high, highOK := parseInt(to)
	switch {
	case !ok || !lowOK || !highOK:
		return 0, 0, fmt.Errorf("the range %q must be LOW..HIGH, such as 1..10", s)
	case low > high:
		return 0, 0, fmt.Errorf("the range %s is empty", s)
	}
	return low, high, nil
}

func parseChoices(s string) ([]string, error) {
	choices := strings.Split(s, ",")
	for i, choice := range choices {
		if choice == "" || slices.Contains(choices[:i], choice) {
			return nil, errors.New("the values of one-of must be different and not empty, such as one-of(a,b)")
		}
	}
	return choices, nil
}

// parseInt parses a decimal number with as many digits as 64 bits may need.
func parseInt(s string) (int64, bool) {
	const maxLen = len("-9223372036854775808")
	if len(s) > maxLen || !intPattern.MatchString(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// isClean reports whether s is UTF-8 without control characters.
func isClean(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// Rule describes the values that p accepts, such as "an integer from 1 to 10".
func (p *Param) Rule() string {
	switch p.kind {
	case kindInt:
		if p.Type == "int" {
			return "an integer"
		}
		return fmt.Sprintf("an integer from %d to %d", p.low, p.high)
	case kindWord:
		return "one or more of A-Z a-z 0-9 . _ - that do not begin with -"
	case kindChoice:
		return "one of " + strings.Join(p.choices, ", ")
	case kindText:
		return fmt.Sprintf("UTF-8 text of at most %d bytes without control characters", maxText)
	}
	return "UTF-8 text that matches " + p.Type
}

// accepts reports whether value follows the rule.
func (p *Param) accepts(value string) bool {
	switch p.kind {
	case kindInt:
		n, ok := parseInt(value)
		return ok && p.low <= n && n <= p.high
	case kindWord:
		return wordPattern.MatchString(value)
	case kindChoice:
		return slices.Contains(p.choices, value)
	case kindText:
		return len(value) <= maxText && isClean(value)
	}
	if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 { // NUL cannot be in an argument
		return false
	}
	match := p.pattern.FindStringIndex(value)
	return match != nil && match[0] == 0 && match[1] == len(value)
}
