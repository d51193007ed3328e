package param

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// parse returns the list of declarations, which must be valid.
func parse(t testing.TB, declarations ...string) (l List) {
	t.Helper()
	for _, d := range declarations {
		p, err := Parse(d)
		if err != nil {
			t.Fatalf("%s: %v", d, err)
		}
		l = l.With(p)
	}
	return l
}

func TestValues(t *testing.T) {
	for _, test := range []struct {
		declaration string
		valid       []string
		invalid     []string
	}{
		{"x:int", []string{"0", "-1", "7", "007", "9223372036854775807", "-9223372036854775808"},
			[]string{"", "+1", "1.0", "0x1", "1e3", "1_0", " 1", "1 ", "1\n", "-", "--1", "9223372036854775808", "-9223372036854775809", "٣", strings.Repeat("0", 21)}},
		{"x:int(1..10)", []string{"1", "10"}, []string{"0", "11", "-1", ""}},
		{"x:int(-5..-3)", []string{"-5", "-3"}, []string{"-6", "-2", "3"}},
		{"x:word", []string{"a", "a-b", "_.9", "..", "localhost"}, []string{"", "-", "-a", "a b", "a/b", "a\n", "é", "a;b", "$x", "a\x00"}},
		{"x:one-of(a,b c,d=e)", []string{"a", "b c", "d=e"}, []string{"", "A", "c", "a,b c", "a\n"}},
		{"x:text", []string{"", "a b;$(c) `d` \"e\" 'f' \\ {x} é", "-n", strings.Repeat("a", 1024), strings.Repeat("é", 512)},
			[]string{"a\nb", "\t", "\r", "\x00", "\x1b[m", "\x7f", "\u0080", "\u009f", "\x80", "\xff", strings.Repeat("a", 1025), strings.Repeat("é", 513)}},
		{"x:/a|ab/", []string{"a", "ab"}, []string{"", "abc", "b", "a\n", "ba"}},
		{"x:/a+?/", []string{"aaa"}, []string{"aaab"}},
		{`x:/\Qa.b/`, []string{"a.b"}, []string{"axb"}},
		{`x:/[a\/=]+/`, []string{"a/=", "="}, []string{"b"}},
		{"x:/^a$/", []string{"a"}, []string{"a\n", "\na"}},
		{"x:/(?m)^a$/", []string{"a"}, []string{"a\nb"}},
		{"x:/(?s).*/", []string{"", "a\nb", "é"}, []string{"\x00", "a\x00", "\xff"}},
	} {
		l := parse(t, test.declaration)
		for _, text := range append(test.valid, test.invalid...) {
			got, err := l.Values("y=1&x=" + url.QueryEscape(text) + "&xx=2")
			if valid := slices.Contains(test.valid, text); (err == nil) != valid || valid && !slices.Equal(got, Values{{"x", text}}) {
				t.Errorf("%s: %q: got %q, %v", test.declaration, text, got, err)
			}
		}
	}
}

// The error names the parameter and its rule, and no value.
func TestErrors(t *testing.T) {
	l := parse(t, "n:int(1..3)=2", "host:word", "to:one-of(a,b)=a", "note:text=", `id:/[a-f]+/=a`)
	for query, want := range map[string]string{
		"":                        "the query parameter host is missing; want one or more of A-Z a-z 0-9 . _ - that do not begin with -",
		"HOST=x":                  "the query parameter host is missing; want one or more of A-Z a-z 0-9 . _ - that do not begin with -",
		"host":                    "the query parameter host is invalid; want one or more of A-Z a-z 0-9 . _ - that do not begin with -",
		"host=a&host=a":           "the query parameter host is given more than once; want one or more of A-Z a-z 0-9 . _ - that do not begin with -",
		"host=a&%68ost=b":         "the query parameter host is given more than once; want one or more of A-Z a-z 0-9 . _ - that do not begin with -",
		"host=%zz":                "the query parameter host is invalid; want one or more of A-Z a-z 0-9 . _ - that do not begin with -",
		"host=SECRET%2F":          "the query parameter host is invalid; want one or more of A-Z a-z 0-9 . _ - that do not begin with -",
		"host=a;n=4":              "the query parameter host is invalid; want one or more of A-Z a-z 0-9 . _ - that do not begin with -",
		"host=a&n=":               "the query parameter n is invalid; want an integer from 1 to 3",
		"host=a&n=4":              "the query parameter n is invalid; want an integer from 1 to 3",
		"host=a&to=c":             "the query parameter to is invalid; want one of a, b",
		"host=a&note=%zz":         "the query parameter note is invalid; want UTF-8 text of at most 1024 bytes without control characters",
		"host=a&note=%00":         "the query parameter note is invalid; want UTF-8 text of at most 1024 bytes without control characters",
		"host=a&id=A":             "the query parameter id is invalid; want UTF-8 text that matches /[a-f]+/",
		"host=a&n=1&to=b&note=+x": "",
		"%68ost=a":                "",
		"a=%zz&host=a":            "",
	} {
		got, err := l.Values(query)
		if want == "" && (err != nil || len(got) != len(l)) || want != "" && (err == nil || err.Error() != want || got != nil) {
			t.Errorf("%s: got %q, %v, want %q", query, got, err, want)
		}
	}
}

func TestDeclarations(t *testing.T) {
	for declaration, want := range map[string]string{
		"":                     "must be NAME:TYPE",
		"host":                 "must be NAME:TYPE",
		"host=a":               "must be NAME:TYPE",
		":int":                 "the name",
		"1a:int":               "the name",
		"a-b:int":              "the name",
		"é:int":                "the name",
		"wspipe_session:word":  "reserved",
		"access_token:word":    "reserved",
		"a:":                   "unknown type",
		"a:Int":                "unknown type",
		"a:int()":              "the range",
		"a:int(1)":             "the range",
		"a:int(1..)":           "the range",
		"a:int(1..+2)":         "the range",
		"a:int(2..1)":          "is empty",
		"a:int(1..2":           "unknown type",
		"a:int(1..2)x":         "unknown type",
		"a:one-of()":           "values of one-of",
		"a:one-of(b,)":         "values of one-of",
		"a:one-of(b,b)":        "values of one-of",
		"a:one-of":             "unknown type",
		"a:one-of(b\n)":        "control characters",
		"a:text=\u0085":        "control characters",
		"a:text=\xff":          "UTF-8",
		"a:/b":                 "slashes",
		"a:/":                  "slashes",
		"a://":                 "slashes",
		"a:/b/i":               "slashes",
		"a:/(/":                "missing closing )",
		"a:/a)|(b/":            "unexpected )",
		`a:/b\/`:               "trailing backslash",
		"a:int=":               `the default "" must be an integer`,
		"a:int=+1":             "the default",
		"a:int(1..3)=4":        `the default "4" must be an integer from 1 to 3`,
		"a:word=":              "the default",
		"a:word=b c":           "the default",
		"a:one-of(b,c)=d":      `the default "d" must be one of b, c`,
		"a:/b/=c":              "the default",
		"a:text=" + long("x"):  "the default",
		"a:text=":              "",
		"a:text=b=(c)=d":       "",
		"a:one-of(b=1,c)=b=1":  "",
		"a:one-of(b=1,c)":      "",
		"a:/b=/":               "",
		`a:/[\/=]+/=/=`:        "",
		"a:/b/=b":              "",
		"_9:int(-1..1)=-1":     "",
		"A:one-of(é,-x,y z)=é": "",
	} {
		p, err := Parse(declaration)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", declaration, err, want)
		}
		if again, _ := Parse(declaration); !reflect.DeepEqual(p, again) {
			t.Errorf("%q is not equal to itself", declaration)
		}
	}
}

func long(s string) string { return strings.Repeat(s, maxText+1) }

func TestWithReplaces(t *testing.T) {
	base := parse(t, "a:int=1", "b:int=2")
	more := base.With(parse(t, "a:word=x")[0]).With(parse(t, "c:int=3")[0])
	if got, _ := more.Values(""); !slices.Equal(got, Values{{"a", "x"}, {"b", "2"}, {"c", "3"}}) {
		t.Errorf("got %q", got)
	}
	if got, _ := base.Values(""); !slices.Equal(got, Values{{"a", "1"}, {"b", "2"}}) {
		t.Errorf("the base has become %q", got)
	}
}

func TestExpand(t *testing.T) {
	l := parse(t, "n:int", "host:word", "s:text")
	v, err := l.Values("n=3&host=h&s={n}+{{+%24(x)+'\"")
	if err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]string{
		"{n}":            "3",
		"-c{n}x{host}":   "-c3xh",
		"{s}":            `{n} {{ $(x) '"`, // not expanded again
		"{{n}":           "{n}",
		"{{n}}":          "{n}}",
		"{{{n}":          "{3",
		"{{{{":           "{{",
		"{":              "{",
		"}{":             "}{",
		"{}":             "{}",
		"{ n }":          "{ n }",
		"{n":             "{n",
		"{N}":            "{N}",
		"{a,n}":          "{a,n}",
		"${n}":           "${n}",
		"$n$":            "$n$",
		"{print}":        "{print}",
		"{print $1}":     "{print $1}",
		`{"n":{n}}`:      `{"n":3}`,
		"{1}":            "{1}",
		"{h\u00f6st}{é}": "{höst}{é}",
	} {
		if got := v.Expand([]string{arg, "x"}); !slices.Equal(got, []string{want, "x"}) {
			t.Errorf("%s: got %q, want %q", arg, got, want)
		}
		if got := Values(nil).Expand([]string{arg}); !slices.Equal(got, []string{arg}) {
			t.Errorf("%s without parameters: got %q", arg, got)
		}
	}
	if got, want := v.Environment(), []string{"PARAM_n=3", "PARAM_host=h", `PARAM_s={n} {{ $(x) '"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPlaceholders(t *testing.T) {
	for _, test := range []struct {
		args       []string
		undeclared []string
		inScript   string
	}{
		{[]string{"ping", "-c", "{n}", "{host}"}, nil, ""}, // a number
		{[]string{"ping", "-c", "{n}x", "{hots}", "{hots} {x}"}, []string{"{hots}", "{x}"}, "{n}"},
		{[]string{"sh", "-c", "ping {host}"}, nil, "{host}"},
		{[]string{"sh", "-c", "{host}"}, nil, "{host}"},
		{[]string{"bash", "-lc", "head -n {n} {host}"}, nil, "{n}"},
		{[]string{"sh", "-c", `ping "$PARAM_host" ${HOME} ${host}`, "{host}"}, nil, ""},
		{[]string{"sh", "-c", "echo {{host}"}, nil, ""},
		{[]string{"awk", "{print}", "{next}"}, nil, ""},
		{[]string{"jq", "{name}"}, []string{"{name}"}, ""},
		{[]string{"jq", "{{name}", "{{{name}"}, []string{"{name}"}, ""},
		{[]string{"find", "{}", "{ x }", "{1}", "{a-b}"}, nil, ""},
		{nil, nil, ""},
	} {
		l := parse(t, "n:int=1", "host:word")
		if got := l.Undeclared(test.args); !slices.Equal(got, test.undeclared) {
			t.Errorf("%q: undeclared %q, want %q", test.args, got, test.undeclared)
		}
		if got := l.InScript(test.args); got != test.inScript {
			t.Errorf("%q: in a script %q, want %q", test.args, got, test.inScript)
		}
		if got, in := List(nil).Undeclared(test.args), List(nil).InScript(test.args); got != nil || in != "" {
			t.Errorf("%q without parameters: %q, %q", test.args, got, in)
		}
	}
	if got := parse(t, "print:int").Undeclared([]string{"{print}", "{exit}"}); got != nil {
		t.Errorf("undeclared %q", got)
	}
	if got := parse(t, "print:int").InScript([]string{"-c", "x {print}"}); got != "{print}" {
		t.Errorf("in a script %q", got)
	}
}

// FuzzValues: whatever is declared and given, a value that is accepted can be an argument,
// and replaces its placeholder alone.
func FuzzValues(f *testing.F) {
	f.Add("int(1..10)=3", "x=3", "{x}{{x}")
	f.Add("one-of(a,b=c)", "x=b%3Dc", "${x}{{{x}")
	f.Add(`/(?s).*\/=/=/=`, "x=%00&y", "{x")
	f.Add("text=", "x={x}&x=", "{print}")
	f.Fuzz(func(t *testing.T, declared, query, arg string) {
		p, err := Parse("x:" + declared)
		if err != nil {
			return
		}
		if p.Default != nil && declared != p.Type+"="+*p.Default || p.Default == nil && declared != p.Type {
			t.Errorf("%q has become %q, %v", declared, p.Type, p.Default)
		}
		v, err := List{p}.Values(query)
		if err != nil {
			if v != nil || !strings.Contains(err.Error(), "parameter x ") || !strings.HasSuffix(err.Error(), p.Rule()) {
				t.Errorf("got %q, %v", v, err)
			}
			return
		}
		text, ok := v.Of("x")
		if !ok || !p.accepts(text) || strings.Contains(text, "\x00") || !utf8.ValidString(text) {
			t.Errorf("%q accepts %q", declared, text)
		}
		if !strings.Contains(arg, "{{") && !strings.Contains(arg, "${") {
			if got, want := v.Expand([]string{arg})[0], strings.ReplaceAll(arg, "{x}", text); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}
