//go:build unix

package server

import (
	"net/http/httptest"
	"testing"
	"wspipe/server/access"
	"wspipe/server/listen"
)

func TestRedirectDropsTheToken(t *testing.T) {
	t.Parallel()
	d := &redirector{server: &Server{cfg: Config{Rules: access.Rules{Auth: access.Auth{TokenFile: "tokens"}}}}}
	for target, want := range map[string]string{
		"/":                                  "/",
		"/?":                                 "/?",
		"/x?access_token=secret":             "/x",
		"/x?access_token":                    "/x",
		"/x?a=1&access_token=secret&b=%20&&": "/x?a=1&b=%20&&",
		"/x?access_token=s&access_token=s2":  "/x",
		"/x?access%5ftoken=secret&a":         "/x?a",
		"/x?Access_Token=other":              "/x?Access_Token=other",
		"/x?b=access_token=1":                "/x?b=access_token=1",
		"/x?%zz=1":                           "/x?%zz=1",
		"/access_token=x":                    "/access_token=x",
		"/x?a=1?access_token=2":              "/x?a=1?access_token=2",
	} {
		if got := d.withoutSecret(target); got != want {
			t.Errorf("%s: got %s, want %s", target, got, want)
		}
	}
}

func TestRedirectLeavesDefaultPortsOut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		tls  *listen.TLS
		port int
		want string
	}{{nil, 80, "http://h/x"}, {nil, 443, "http://h:443/x"}, {&listen.TLS{}, 443, "https://h/x"}, {&listen.TLS{}, 80, "https://h:80/x"}} {
		rec := httptest.NewRecorder()
		d := &redirector{server: &Server{cfg: Config{Sockets: listen.Sockets{TLS: test.tls}}}, port: test.port}
		d.answer(rec, httptest.NewRequest("GET", "http://h:8080/x", nil))
		if got := rec.Header().Get("Location"); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}
