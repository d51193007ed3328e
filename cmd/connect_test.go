package cmd

import (
	"encoding/base64"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"wspipe/cmd/connect"
)

// parseConnect returns the configuration for a command line of "wspipe connect".
func parseConnect(t *testing.T, args ...string) (connect.Config, error) {
	t.Helper()
	o := &connectOptions{}
	flags := pflag.NewFlagSet("connect", pflag.ContinueOnError)
	o.addFlags(flags)
	line := parseArgs(args, "wspipe connect", flags)
	o.errs = line.errs
	if err := flags.Parse(line.args()); err != nil {
		t.Fatal(err)
	}
	return o.config(line.words)
}

// headers returns the headers of cfg other than User-Agent.
func headers(cfg connect.Config) (lines []string) {
	for _, h := range cfg.Headers {
		if h.Value != "wspipe/"+version() {
			lines = append(lines, h.Name+": "+h.Value)
		}
	}
	return lines
}

func TestConnectFlags(t *testing.T) {
	yes, no := true, false
	for _, test := range []struct {
		args string
		want func(*connect.Config)
	}{
		{"ws://a/", func(*connect.Config) {}},
		{"-subprotocol=a,b --subprotocol c ws://a/", func(c *connect.Config) { c.Subprotocols = []string{"a", "b", "c"} }},
		{"--subprotocol= ws://a/", func(c *connect.Config) { c.Subprotocols = []string{} }},
		{"--unixsocket=s ws://a/", func(c *connect.Config) { c.Socket = "s" }},
		{"--reconnect --binary --insecure ws://a/", func(c *connect.Config) { c.Reconnect, c.Binary, c.Insecure = true, true, true }},
		{"--resume ws://a/", func(c *connect.Config) { c.Resume = true }},
		{"--ca=a.pem --cert=c.pem --key=k.pem ws://a/", func(c *connect.Config) { c.CA, c.Cert, c.Key = "a.pem", "c.pem", "k.pem" }},
		{"--eof-timeout=2s ws://a/", func(c *connect.Config) { c.EOFTimeout = 2 * time.Second }},
		{"--pty ws://a/", func(c *connect.Config) { c.PTY = &yes }},
		{"--pty=false ws://a/", func(c *connect.Config) { c.PTY = &no }},
		{"--header=User-Agent:me ws://a/", func(c *connect.Config) { c.Headers = []connect.HeaderField{{Name: "User-Agent", Value: "me"}} }},
	} {
		want, err := parseConnect(t, "ws://a/")
		if err != nil || !slices.Equal(want.Subprotocols, []string{"v1.wspipe"}) || want.URL.String() != "ws://a/" {
			t.Fatalf("without flags: %+v, %v", want, err)
		}
		test.want(&want)
		if got, err := parseConnect(t, strings.Fields(test.args)...); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", test.args, got, err, want)
		}
	}
}

func TestConnectURLs(t *testing.T) {
	for url, want := range map[string][2]string{
		"wss://h:8443/p?q=1#f":      {"wss://h:8443/p?q=1", ""},
		"HTTP://h":                  {"http://h", ""},
		"ws://[::1]:80/":            {"ws://[::1]:80/", ""},
		"unix:/run/w.sock":          {"ws://localhost/", "/run/w.sock"},
		"unix:w.sock":               {"ws://localhost/", "w.sock"},
		"unix:///run/w.sock":        {"ws://localhost/", "/run/w.sock"},
		"ws://me:p%40ss%3Aw@h/path": {"ws://h/path", ""},
	} {
		cfg, err := parseConnect(t, url)
		if err != nil || cfg.URL.String() != want[0] || cfg.Socket != want[1] {
			t.Errorf("%s: got %v, %q, %v, want %q", url, cfg.URL, cfg.Socket, err, want)
		}
	}
}

func TestConnectAuthorization(t *testing.T) {
	basic := func(pair string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
	}
	for _, test := range []struct {
		token, pair string // in the environment
		args        string
		want        string
	}{
		{"", "", "ws://a/", ""},
		{"", "", "--token=x/y== ws://a/", "Authorization: Bearer x/y=="},
		{"", "", "--basic-auth=me:pass ws://a/", basic("me:pass")},
		{"", "", "ws://me:p%40ss:w@a/", basic("me:p@ss:w")},
		{"t", "", "ws://a/", "Authorization: Bearer t"},
		{"", "u:p", "ws://a/", basic("u:p")},
		{"t", "", "--basic-auth=me:pass ws://a/", basic("me:pass")},
		{"t", "u:p", "ws://me:pass@a/", basic("me:pass")},
		{"t", "u:p", "--header=authorization:Digest ws://a/", "authorization: Digest"},
	} {
		t.Setenv("WSPIPE_TOKEN", test.token)
		t.Setenv("WSPIPE_BASIC_AUTH", test.pair)
		cfg, err := parseConnect(t, strings.Fields(test.args)...)
		if got := strings.Join(headers(cfg), "|"); err != nil || got != test.want {
			t.Errorf("%+v: got %q, %v", test, got, err)
		}
	}
}

func TestNoSecretIsShown(t *testing.T) {
	for word, want := range map[string]string{
		"ws://h/p?q=1":                       "ws://h/p?q=1",
		"ws://me:sesame@h/":                  "ws://...@h/",
		"ws://sesame@h/":                     "ws://...@h/",
		"ws://me:ses@me/@h/":                 "ws://...@h/",
		"me:sesame@h":                        "...@h",
		"ws://h/?a=b&access_token=sesame&c":  "ws://h/?a=b&access_token=...&c",
		"Authorization: Bearer sesame":       "Authorization: ...",
		"--header=cookie:sesame":             "--header=cookie: ...",
		"root@host":                          "root@host",
		"/a:b@c":                             "/a:b@c",
		"--origin=https://me:sesame@h:8080/": "--origin=https://...@h:8080/",
	} {
		if got := redactWord(word); got != want {
			t.Errorf("%s: got %s, want %s", word, got, want)
		}
	}
}
