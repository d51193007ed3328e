//go:build unix

package server_test

import (
	"fmt"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/access"
)

// TestOriginRule tests spellings. TestAccessRules tests the rules.
func TestOriginRule(t *testing.T) {
	for _, test := range []struct {
		host, origin string
		cfg          server.Config
		flag         string // the flag that would allow it; empty if allowed
	}{
		{"LocalHost.:8080", "http://localhost.:3000", server.Config{}, ""},
		{"localhost:8080", "https://[::1]:3000", server.Config{}, ""},
		{"[::1]", "http://127.200.0.1", server.Config{}, ""},
		{"[::ffff:127.0.0.1]:8080", "http://localhost", server.Config{}, ""},
		{"192.168.1.5:80", "http://192.168.1.5", server.Config{}, ""},
		{"[fd00::5]", "http://[fd00::5]:80", server.Config{}, ""},
		{"127.0.0.1:8080", "http://app.example:81", server.Config{Rules: access.Rules{Origins: []string{"app.example"}}}, ""},
		{"127.0.0.1:8080", "http://app.example:81", server.Config{Rules: access.Rules{Origins: []string{"other.example", "app.example:81"}}}, ""},
		{"127.0.0.1:8080", "http://app.example:82", server.Config{Rules: access.Rules{Origins: []string{"app.example:81"}}}, "--origin=http://app.example:82"},
		{"127.0.0.1:8080", "http://app.example", server.Config{Rules: access.Rules{Origins: []string{"app.example:80"}}}, ""},
		{"127.0.0.1:8080", "https://app.example", server.Config{Rules: access.Rules{Origins: []string{"https://app.example:443"}}}, ""},
		{"127.0.0.1:8080", "http://app.example", server.Config{Rules: access.Rules{Origins: []string{"https://app.example"}}}, "--origin=http://app.example"},
		{"127.0.0.1:8080", "https://APP.example", server.Config{Rules: access.Rules{Origins: []string{"HTTPS://app.Example."}}}, ""},
		{"127.0.0.1:8080", "http://[fd00::5]:3000", server.Config{Rules: access.Rules{Origins: []string{"[fd00::5]"}}}, ""},
		{"127.0.0.1:8080", "chrome-extension://abcdef", server.Config{Rules: access.Rules{Origins: []string{"chrome-extension://abcdef"}}}, ""},
		{"127.0.0.1:8080", "http://app.example.evil.example", server.Config{Rules: access.Rules{Origins: []string{"app.example"}}}, "--origin=http://app.example.evil.example"},
		{"127.0.0.1:8080", "http://evilapp.example", server.Config{Rules: access.Rules{Origins: []string{"app.example"}}}, "--origin=http://evilapp.example"},
		{"127.0.0.1:8080", "app.example", server.Config{Rules: access.Rules{Origins: []string{"app.example"}}}, "--origin='*'"},
		{"127.0.0.1:8080", "http://app.example@evil.example", server.Config{Rules: access.Rules{Origins: []string{"app.example"}}}, "--origin='*'"},
		{"127.0.0.1:8080", "http://evil.example#app.example", server.Config{Rules: access.Rules{Origins: []string{"app.example"}}}, "--origin='*'"},
		{"evil.example:8080", "http://EVIL.example:8080", server.Config{Rules: access.Rules{Hosts: []string{"Evil.Example."}}}, ""},
		{"EVIL.example.:8080", "http://evil.example:8080", server.Config{Rules: access.Rules{Hosts: []string{"evil.example"}}}, ""},
		{"a.evil.example:8080", "http://a.evil.example:8080", server.Config{Rules: access.Rules{Hosts: []string{"evil.example"}}}, "--host=a.evil.example"},
		{"localhost.evil.example:8080", "http://localhost.evil.example:8080", server.Config{}, "--host=localhost.evil.example"},
		{"127.0.0.1.evil.example:8080", "http://127.0.0.1.evil.example:8080", server.Config{}, "--host=127.0.0.1.evil.example"},
		{"notlocalhost:8080", "http://notlocalhost:8080", server.Config{}, "--host=notlocalhost"},
		{"evil.example:8080", "http://127.0.0.1:8080", server.Config{}, "--origin=http://127.0.0.1:8080"},
	} {
		t.Run(fmt.Sprintf("%s to %s, %q %q", test.origin, test.host, test.cfg.Origins, test.cfg.Hosts), func(t *testing.T) {
			t.Parallel()
			test.cfg.Endpoint.Child = sh(`echo in`)
			s := serve(t, test.cfg)
			resp, body := ask(t, s.Addr(), "GET / HTTP/1.1\r\nHost: "+test.host+"\r\nOrigin: "+test.origin+"\r\n"+wspipetest.OpeningFields+"\r\n")
			switch {
			case test.flag == "" && body != "in":
				t.Errorf("got %d %q, want it let in", resp.StatusCode, body)
			case test.flag != "" && (resp.StatusCode != 403 || !strings.HasSuffix(body, " with "+test.flag+"\n")):
				t.Errorf("got %d %q, want 403 and %s", resp.StatusCode, body, test.flag)
			}
		})
	}
}
