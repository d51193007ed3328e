package param

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// List has the declared parameters of one command.
type List []Param

// With returns l with p, which replaces one of the same name.
func (l List) With(p Param) List {
	l = slices.Clone(l)
	if i := slices.IndexFunc(l, func(q Param) bool { return q.Name == p.Name }); i >= 0 {
		l[i] = p
		return l
	}
	return append(l, p)
}

// Values are the values of all parameters of a list, in its order.
type Values []Value

// Value is the value of one parameter.
type Value struct{ Name, Text string }

// Of returns the value of the parameter called name, and whether there is one.
func (v Values) Of(name string) (text string, ok bool) {
	i := slices.IndexFunc(v, func(value Value) bool { return value.Name == name })
	if i < 0 {
		return "", false
	}
	return v[i].Text, true
}

// Values returns the values of the parameters in query, the query of a URL. The error names the
// first invalid parameter and its rule, but not the value, which may be secret. Other parameters
// in query are ignored.
func (l List) Values(query string) (Values, error) {
	if len(l) == 0 {
		return nil, nil
	}
	all := make(Values, 0, len(l))
	for i := range l {
		text, problem := l[i].value(query)
		if problem != "" {
			return nil, fmt.Errorf("the query parameter %s %s; want %s", l[i].Name, problem, l[i].Rule())
		}
		all = append(all, Value{l[i].Name, text})
	}
	return all, nil
}

// value returns the value of p in query.
func (p *Param) value(query string) (text, problem string) {
	count, valid := 0, true
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != p.Name {
			continue
		}
		var err error
		if text, err = url.QueryUnescape(value); err != nil {
			valid = false
		}
		count++
	}
	switch {
	case count > 1:
		return "", "is given more than once"
	case count == 0 && p.Default == nil:
		return "", "is missing"
	case count == 0:
		return *p.Default, ""
	case !valid || !p.accepts(text):
		return "", "is invalid"
	}
	return text, ""
}
