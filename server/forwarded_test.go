//go:build unix

package server_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/access"
)

// proxies returns TrustedProxies with these networks.
func proxies(networks ...string) (t access.TrustedProxies) {
	for _, n := range networks {
		t.Networks = append(t.Networks, netip.MustParsePrefix(n))
	}
	return t
}

// TestForwardedEnvironment: X-Forwarded-For and -Proto determine the environment and the log.
func TestForwardedEnvironment(t *testing.T) {
	t.Parallel()
	child := sh(`echo "$REMOTE_ADDR|$REMOTE_HOST|$REMOTE_PORT|${HTTPS-none}|$SERVER_NAME|$SERVER_PORT"`)
	trusting, other := serve(t, server.Config{Endpoint: server.Endpoint{Child: child}, Rules: access.Rules{TrustedProxies: proxies("127.0.0.1/32")}}), serve(t, server.Config{Endpoint: server.Endpoint{Child: child}, Rules: access.Rules{TrustedProxies: proxies("10.0.0.0/8")}})
	for _, test := range []struct {
		s           *testServer
		host        string
		port, proto string // of the client, as the proxy reports
		want        string // without the port if that is the server's
		remote      string // in the log
	}{
		{trusting, "app.example", "", "https", "203.0.113.5|203.0.113.5||on|app.example|443", `"remote":"203.0.113.5"`},
		{trusting, "app.example", ":1234", "https", "203.0.113.5|203.0.113.5|1234|on|app.example|443", `"remote":"203.0.113.5:1234"`},
		{trusting, "app.example:8443", "", "https", "203.0.113.5|203.0.113.5||on|app.example|8443", `"remote":"203.0.113.5"`},
		{trusting, "app.example", "", "http", "203.0.113.5|203.0.113.5||none|app.example|80", `"remote":"203.0.113.5"`},
		{other, "app.example", ":1234", "https", "127.0.0.1|127.0.0.1|*|none|app.example|80", `"remote":"127.0.0.1:*"`},
	} {
		seen := len(test.s.log.String())
		c := wspipetest.Dial(t, test.s.ws, &websocket.DialOptions{Host: test.host, HTTPHeader: http.Header{
			"X-Forwarded-For": {"198.51.100.1, 203.0.113.5" + test.port}, "X-Forwarded-Proto": {test.proto},
		}})
		got := c.ExpectEnd(1000, "exit 0")
		test.s.log.Await(t, `"msg":"disconnect"`, strings.Count(test.s.log.String()[:seen], `"msg":"disconnect"`)+1)
		if strings.Contains(test.want, "*") {
			port := strings.Split(got[0], "|")[2]
			if port == "" || port == "1234" {
				t.Errorf("got port %q", port)
			}
			test.want, test.remote = strings.Replace(test.want, "*", port, 1), strings.Replace(test.remote, "*", port, 1)
		}
		if !slices.Equal(got, []string{test.want}) {
			t.Errorf("got %q, want %q", got, test.want)
		}
		test.s.log.Await(t, `"msg":"request"`, strings.Count(test.s.log.String()[:seen], `"msg":"request"`)+1)
		for line := range strings.Lines(test.s.log.String()[seen:]) {
			if strings.Contains(line, `"level":"DEBUG+2"`) && !strings.Contains(line, test.remote) { // the access log
				t.Errorf("logged %s, want %s", line, test.remote)
			}
		}
	}
}
