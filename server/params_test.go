//go:build unix

package server_test

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
	"wspipe/server/access"
	"wspipe/server/param"
)

// Section 17 of the contract: query parameters in the arguments of a child.

// withParams is a server whose child runs script with the arguments args.
func withParams(t *testing.T, script string, args []string, declarations ...string) server.Config {
	t.Helper()
	var params param.List
	for _, d := range declarations {
		p, err := param.Parse(d)
		if err != nil {
			t.Fatal(err)
		}
		params = params.With(p)
	}
	child := process.Spec{Path: "/bin/sh", Args: append([]string{"-c", script, "sh"}, args...)}
	return server.Config{Endpoint: server.Endpoint{Child: child, Params: params, HTTP: true}}
}

// tellParams prints what a child gets, one line each.
const tellParams = `for arg; do echo "arg $arg"; done; env | grep ^PARAM_ | sort; `

func TestParams(t *testing.T) {
	t.Parallel()
	cfg := withParams(t, tellParams, []string{"{s}{n}", "${n}", "{{n}", "{}"}, "n:int(1..10)=3", "s:text", `id:/(?s)[^x]*/=`)
	cfg.Endpoint.PassEnv = []string{"PATH", "PARAM_n"}
	s := serve(t, cfg)
	plain := cfg
	plain.Endpoint.Params = nil
	cfg.Endpoint.SetEnv = []string{"PARAM_s=set"}
	for _, test := range []struct {
		url  string
		want []string
	}{
		{s.ws + "?s=a", []string{"arg a3", "arg ${n}", "arg {n}", "arg {}", "PARAM_id=", "PARAM_n=3", "PARAM_s=a"}},
		{s.ws + "any/path?n=10&other=1&s=", []string{"arg 10", "arg ${n}", "arg {n}", "arg {}", "PARAM_id=", "PARAM_n=10", "PARAM_s="}},
		{s.ws + "?s=%24(id)+{n}+%22'%60*;%20%26&wspipe_session=" + newID(),
			[]string{"arg $(id) {n} \"'`*; &3", "arg ${n}", "arg {n}", "arg {}", "PARAM_id=", "PARAM_n=3", "PARAM_s=$(id) {n} \"'`*; &"}},
		{s.ws + "?s=a&id=a%0Ab", []string{"arg a3", "arg ${n}", "arg {n}", "arg {}", "PARAM_id=a b", "PARAM_n=3", "PARAM_s=a"}},
		{serve(t, plain).ws + "?s=a", []string{"arg {s}{n}", "arg ${n}", "arg {{n}", "arg {}"}},
		{serve(t, cfg).ws + "?s=a", []string{"arg a3", "arg ${n}", "arg {n}", "arg {}", "PARAM_id=", "PARAM_n=3", "PARAM_s=set"}},
	} {
		got, _ := dial(t, test.url).Rest()
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%s: got %q, want %q", test.url, got, test.want)
		}
		if _, body := get(t, "http"+strings.TrimPrefix(test.url, "ws")); body != strings.Join(test.want, "\n")+"\n" {
			t.Errorf("%s over HTTP: got %q, want %q", test.url, body, test.want)
		}
	}
}

// A variable of ours does not replace that of a parameter.
func TestParamsPassEnv(t *testing.T) {
	t.Setenv("PARAM_n", "ours")
	cfg := withParams(t, "", nil, "n:int")
	cfg.Endpoint.PassEnv, cfg.Endpoint.Child = []string{"PARAM_n"}, process.Spec{Path: "/usr/bin/env"} // a shell would drop the second
	lines, _ := dial(t, serve(t, cfg).ws+"?n=1").Rest()
	if text := strings.Join(lines, " "); strings.Count(text, "PARAM_n=") != 1 || !strings.Contains(text, "PARAM_n=1") {
		t.Errorf("got %q", lines)
	}
}

// TestParamsRefused: in the words that the console and the log have, before anything
// starts.
func TestParamsRefused(t *testing.T) {
	t.Parallel()
	dir := withParams(t, "", nil, "n:int(1..3)", "note:text=")
	dir.Dir, dir.Endpoint.Child = wspipetest.Tree(t, map[string]string{"a": "#!/bin/sh\n" + tellParams}), process.Spec{}
	for name, cfg := range map[string]server.Config{
		"command": withParams(t, tellParams, []string{"{n}"}, "n:int(1..3)", "note:text="),
		"resume":  {Endpoint: server.Endpoint{Resume: resuming("").Endpoint.Resume, ResumeBuffer: 1 << 20, MaxMessage: 1 << 20, HTTP: true}},
		"dir":     dir,
	} {
		if name == "resume" {
			command := withParams(t, tellParams, []string{"{n}"}, "n:int(1..3)", "note:text=")
			cfg.Endpoint.Child, cfg.Endpoint.Params = command.Endpoint.Child, command.Endpoint.Params
		}
		cfg.MaxChildren = 1
		s := serve(t, cfg)
		path := "/" + map[string]string{"dir": "a"}[name] + "?wspipe_session=" + newID() + "&"
		for query, problem := range map[string]string{
			"":                   "n is missing; want an integer from 1 to 3",
			"n=":                 "n is invalid; want an integer from 1 to 3",
			"n=SECRET":           "n is invalid; want an integer from 1 to 3",
			"n=1&n=1":            "n is given more than once; want an integer from 1 to 3",
			"n=1&note=SECRET%0A": "note is invalid; want UTF-8 text of at most 1024 bytes without control characters",
		} {
			q := question{path: path + query}
			told := s.rehearse(t, q)
			resp, body := openOnly(t, s, q)
			checkVerdict(t, told, resp, body)
			if want := "wspipe: the query parameter " + problem + "\n"; resp.StatusCode != 400 || body != want {
				t.Errorf("%s: %s: got %d %q, want %q", name, query, resp.StatusCode, body, want)
			}
			for _, method := range []string{"GET", "POST"} {
				if resp, plain := fetch(t, method, s.http(q.path), nil, "Accept", "text/event-stream"); resp.StatusCode != 400 || plain != body {
					t.Errorf("%s: %s %s: got %d %q, want %q", name, method, query, resp.StatusCode, plain, body)
				}
			}
		}
		s.log.Await(t, `"status":400,`, 15)
		if log := s.log.String(); strings.Contains(log, "SECRET") || strings.Contains(log, `"pid"`) || !strings.Contains(log, "n is missing; want an integer") {
			t.Errorf("%s: the log has a value or no reason, or a child was started", name)
		}
		if told := s.rehearse(t, question{path: path + "n=1&note=SECRET"}); told.Status != 101 {
			t.Errorf("%s: told %+v", name, told)
		}
		dial(t, strings.TrimSuffix(s.ws, "/")+path+"n=1&note=SECRET").Rest()
		if strings.Contains(s.log.String(), "SECRET") {
			t.Errorf("%s: the log has a value", name)
		}
	}
}

// TestParamsAfterOtherRules: who may not connect is not told the rules.
func TestParamsAfterOtherRules(t *testing.T) {
	t.Parallel()
	cfg := withParams(t, tellParams, nil, "n:int")
	cfg.Auth = access.Auth{Basic: "me:secret"}
	for header, status := range map[string]int{"X: y": 401, "Origin: http://evil.example": 403} {
		resp, body := ask(t, serve(t, cfg).Addr(), opening("/", "Host: localhost", header))
		if resp.StatusCode != status || strings.Contains(body, "parameter") {
			t.Errorf("%s: got %d %q, want %d", header, resp.StatusCode, body, status)
		}
	}
}

// TestParamsOfADir are in the environment only, and not those of CGI programs or files.
func TestParamsOfADir(t *testing.T) {
	t.Parallel()
	cfg := withParams(t, "", nil, "n:int=3", "host:word")
	cfg.Dir, cfg.Endpoint.Child = wspipetest.Tree(t, map[string]string{"a": "#!/bin/sh\n" + tellParams + `echo "$QUERY_STRING"`}), process.Spec{}
	cfg.CGIDir = wspipetest.Tree(t, map[string]string{"c": "#!/bin/sh\n" + `printf 'Content-Type: text/plain\n\n'; ` + tellParams})
	s := serve(t, cfg)
	dial(t, s.ws+"a?host=h").Expect("PARAM_host=h", "PARAM_n=3", "host=h")
	if resp, body := get(t, s.http("/c")); resp.StatusCode != 200 || body != "" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}

// TestParamsOfASession are those that it was started with. Later ones must be valid, too.
func TestParamsOfASession(t *testing.T) {
	t.Parallel()
	cfg := withParams(t, tellParams+"while read line; do "+tellParams+"done", []string{"{n}"}, "n:int")
	cfg.Endpoint.Resume, cfg.Endpoint.ResumeBuffer, cfg.Endpoint.MaxMessage = resuming("").Endpoint.Resume, 1<<20, 1<<20
	s, id := serve(t, cfg), newID()
	first := dial(t, s.session(id, -1)+"&n=1")
	first.Expect("arg 1", "PARAM_n=1")
	first.CloseNow()
	second := dial(t, s.session(id, 2)+"&n=2")
	second.Send("again")
	second.Expect("arg 1", "PARAM_n=1")
	if resp, body := refused(t, s.session(id, 2)+"&n=x", nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}

func TestEndpointReportsParams(t *testing.T) {
	t.Parallel()
	cfg := withParams(t, "", nil, "n:int(1..10)=3", "note:text=", "to:one-of(a,b)")
	cfg.Console = true
	want := []server.ParameterInfo{
		{"n", "int(1..10)", new("3"), "an integer from 1 to 10"},
		{"note", "text", new(""), "UTF-8 text of at most 1024 bytes without control characters"},
		{"to", "one-of(a,b)", nil, "one of a, b"},
	}
	s := serve(t, cfg)
	if got := s.describe(t, "/").Endpoint.Parameters; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, body := get(t, s.http(endpointPath+"?path="+url.QueryEscape("/"))); !strings.Contains(body, `{"name":"to","type":"one-of(a,b)","default":null,"rule":"one of a, b"}`) {
		t.Errorf("got %s", body)
	}
}
