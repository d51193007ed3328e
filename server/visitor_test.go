//go:build unix

package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// proxies trusts these networks.
func proxies(networks ...string) (t TrustedProxies) {
	for _, n := range networks {
		t.Networks = append(t.Networks, netip.MustParsePrefix(n))
	}
	return t
}

func TestForwardedFor(t *testing.T) {
	near, both := proxies("10.0.0.0/8", "fd00::/8"), proxies("10.0.0.0/8", "198.51.100.7/32")
	linkLocal, unix := proxies("fe80::/64"), TrustedProxies{Unix: true}
	unixAndNear := TrustedProxies{Networks: near.Networks, Unix: true}
	for name, test := range map[string]struct {
		trusted TrustedProxies
		peer    string // as net/http names it
		headers []string
		addr    string // as the log and REMOTE_ADDR have it
		port    string
	}{
		"no header":              {near, "10.0.0.1:5000", nil, "10.0.0.1", "5000"},
		"untrusted peer":         {near, "192.0.2.1:5000", []string{"203.0.113.5"}, "192.0.2.1", "5000"},
		"nobody trusted":         {TrustedProxies{}, "127.0.0.1:5000", []string{"203.0.113.5"}, "127.0.0.1", "5000"},
		"one hop":                {near, "10.0.0.1:5000", []string{"203.0.113.5"}, "203.0.113.5", ""},
		"one hop with its port":  {near, "10.0.0.1:5000", []string{"203.0.113.5:1234"}, "203.0.113.5", "1234"},
		"two proxies":            {both, "10.0.0.1:5000", []string{"203.0.113.5, 198.51.100.7"}, "203.0.113.5", ""},
		"three proxies":          {both, "10.0.0.1:5000", []string{"203.0.113.5, 198.51.100.7, 10.9.9.9"}, "203.0.113.5", ""},
		"proxies only":           {both, "10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2:80"}, "10.0.0.3", ""},
		"an unknown proxy":       {near, "10.0.0.1:5000", []string{"203.0.113.5, 198.51.100.7"}, "198.51.100.7", ""},
		"forged":                 {near, "10.0.0.1:5000", []string{"127.0.0.1, 10.0.0.2, 203.0.113.5"}, "203.0.113.5", ""},
		"forged trusted":         {near, "10.0.0.1:5000", []string{"192.0.2.9, 203.0.113.5, 10.0.0.2"}, "203.0.113.5", ""},
		"garbage":                {near, "10.0.0.1:5000", []string{"203.0.113.5, garbage"}, "10.0.0.1", "5000"},
		"unknown":                {near, "10.0.0.1:5000", []string{"unknown"}, "10.0.0.1", "5000"},
		"garbage farther on":     {near, "10.0.0.1:5000", []string{"203.0.113.5, unknown, 10.0.0.2:99"}, "10.0.0.2", "99"},
		"garbage forged":         {near, "10.0.0.1:5000", []string{"unknown, 203.0.113.5"}, "203.0.113.5", ""},
		"a name":                 {near, "10.0.0.1:5000", []string{"localhost"}, "10.0.0.1", "5000"},
		"a port that is none":    {near, "10.0.0.1:5000", []string{"203.0.113.5:http"}, "10.0.0.1", "5000"},
		"a port too large":       {near, "10.0.0.1:5000", []string{"203.0.113.5:65536"}, "10.0.0.1", "5000"},
		"octal":                  {near, "10.0.0.1:5000", []string{"0177.0.0.1"}, "10.0.0.1", "5000"},
		"a network":              {near, "10.0.0.1:5000", []string{"203.0.113.0/24"}, "10.0.0.1", "5000"},
		"a unix socket":          {unixAndNear, "10.0.0.1:5000", []string{"203.0.113.5, @"}, "10.0.0.1", "5000"},
		"IPv6":                   {near, "10.0.0.1:5000", []string{"2001:db8::5"}, "2001:db8::5", ""},
		"IPv6 in brackets":       {near, "10.0.0.1:5000", []string{"[2001:db8::5]"}, "2001:db8::5", ""},
		"IPv6 with a port":       {near, "10.0.0.1:5000", []string{"[2001:DB8:0:0::5]:1234"}, "2001:db8::5", "1234"},
		"IPv6 peer":              {near, "[fd00::1]:5000", []string{"203.0.113.5"}, "203.0.113.5", ""},
		"IPv4 in IPv6":           {near, "10.0.0.1:5000", []string{"203.0.113.5, ::ffff:10.0.0.2"}, "203.0.113.5", ""},
		"IPv4 in IPv6, the last": {near, "10.0.0.1:5000", []string{"[::ffff:203.0.113.5]:1234"}, "203.0.113.5", "1234"},
		"IPv4 in IPv6, the peer": {near, "[::ffff:10.0.0.1]:5000", []string{"203.0.113.5"}, "203.0.113.5", ""},
		"peer in a zone":         {linkLocal, "[fe80::1%eth0]:5000", []string{"203.0.113.5"}, "203.0.113.5", ""},
		"untrusted in a zone":    {near, "[fe80::1%eth0]:5000", []string{"203.0.113.5"}, "fe80::1%eth0", "5000"},
		"hop in a zone":          {linkLocal, "[fe80::1%eth0]:5000", []string{"203.0.113.5, fe80::2%eth1"}, "203.0.113.5", ""},
		"several lines":          {near, "10.0.0.1:5000", []string{"192.0.2.9, 203.0.113.5", "10.0.0.3, 10.0.0.2"}, "203.0.113.5", ""},
		"forged line":            {near, "10.0.0.1:5000", []string{"10.0.0.9", "203.0.113.5"}, "203.0.113.5", ""},
		"white space":            {near, "10.0.0.1:5000", []string{"  203.0.113.5\t,10.0.0.2 , \t10.0.0.3  "}, "203.0.113.5", ""},
		"empty":                  {near, "10.0.0.1:5000", []string{""}, "10.0.0.1", "5000"},
		"empty entries":          {near, "10.0.0.1:5000", []string{",", " , 203.0.113.5,, "}, "203.0.113.5", ""},
		"unix":                   {near, "@", []string{"203.0.113.5"}, unixAddress, ""},
		"unix without a name":    {near, "", nil, unixAddress, ""},
		"trusted unix":           {unix, "@", []string{"203.0.113.5:1234"}, "203.0.113.5", "1234"},
		"trusted unix, forged":   {unix, "@", []string{"192.0.2.9, 203.0.113.5"}, "203.0.113.5", ""},
		"trusted unix, no hop":   {unix, "@", nil, unixAddress, ""},
		"trusted unix, garbage":  {unix, "@", []string{"203.0.113.5, unknown"}, unixAddress, ""},
		"unix trusted only":      {unix, "127.0.0.1:5000", []string{"203.0.113.5"}, "127.0.0.1", "5000"},
		"unix and one more":      {unixAndNear, "@", []string{"203.0.113.5, 10.0.0.2"}, "203.0.113.5", ""},
	} {
		v := test.trusted.visitorOf(&http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-For": test.headers}})
		if v.address() != test.addr || v.port != test.port {
			t.Errorf("%s: got %q port %q, want %q port %q", name, v.address(), v.port, test.addr, test.port)
		}
	}
}

func TestForwardedProto(t *testing.T) {
	trusted := proxies("10.0.0.0/8")
	for _, test := range []struct {
		peer   string
		values []string
		secure bool
	}{
		{"10.0.0.1:5000", nil, false},
		{"10.0.0.1:5000", []string{"https"}, true},
		{"10.0.0.1:5000", []string{"HTTPS"}, true},
		{"10.0.0.1:5000", []string{"wss"}, true},
		{"10.0.0.1:5000", []string{"http"}, false},
		{"10.0.0.1:5000", []string{"ws"}, false},
		{"10.0.0.1:5000", []string{"httpsx"}, false},
		{"10.0.0.1:5000", []string{""}, false},
		// The last is what the proxy that we trust has added.
		{"10.0.0.1:5000", []string{"http, https"}, true},
		{"10.0.0.1:5000", []string{"https, http"}, false},
		{"10.0.0.1:5000", []string{"https", "http"}, false},
		{"10.0.0.1:5000", []string{"http", " https "}, true},
		{"192.0.2.1:5000", []string{"https"}, false},
		{"@", []string{"https"}, false},
	} {
		v := trusted.visitorOf(&http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-Proto": test.values}})
		if v.secure != test.secure {
			t.Errorf("%s says %q: got %t, want %t", test.peer, test.values, v.secure, test.secure)
		}
	}
}

// TestForwardedEnvironment is both from end to end.
func TestForwardedEnvironment(t *testing.T) {
	t.Parallel()
	child := sh(`echo "$REMOTE_ADDR|$REMOTE_HOST|$REMOTE_PORT|${HTTPS-none}|$SERVER_NAME|$SERVER_PORT"`)
	trusting, other := serve(t, Config{Child: child, TrustedProxies: proxies("127.0.0.1/32")}), serve(t, Config{Child: child, TrustedProxies: proxies("10.0.0.0/8")})
	for _, test := range []struct {
		s           *testServer
		host        string
		port, proto string // of the client, as the proxy tells it
		want        string // without the port where it is ours to find out
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
		test.s.log.await(t, `"msg":"disconnect"`, strings.Count(test.s.log.String()[:seen], `"msg":"disconnect"`)+1)
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
		test.s.log.await(t, `"msg":"request"`, strings.Count(test.s.log.String()[:seen], `"msg":"request"`)+1)
		for line := range strings.Lines(test.s.log.String()[seen:]) {
			if strings.Contains(line, `"level":"DEBUG+2"`) && !strings.Contains(line, test.remote) { // the access log
				t.Errorf("logged %s, want %s", line, test.remote)
			}
		}
	}
}

// FuzzForwardedFor: whatever the header, the client is the peer or one of the
// entries, and all behind it are trusted proxies.
func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{"", "203.0.113.5", "10.0.0.2, 203.0.113.5, [fd00::2]:80 ,10.0.0.1:1", "unknown,::ffff:10.0.0.1", "fe80::1%x,[,]:,@", "10.0.0.1\n10.0.0.2"} {
		f.Add(seed)
	}
	trusted := proxies("10.0.0.0/8", "fd00::/8")
	f.Fuzz(func(t *testing.T, header string) {
		lines := strings.Split(header, "\n")
		v := trusted.visitorOf(&http.Request{RemoteAddr: "10.0.0.1:5000", Header: http.Header{"X-Forwarded-For": lines}})
		var hops []string
		for _, entry := range strings.Split(strings.Join(lines, ","), ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				hops = append(hops, entry)
			}
		}
		slices.Reverse(hops)
		is := func(entry string) bool {
			addr, port := parseAddress(entry)
			return addr.IsValid() && addr == v.addr && port == v.port
		}
		if is("10.0.0.1:5000") {
			return
		}
		for _, hop := range hops {
			addr, _ := parseAddress(hop)
			switch {
			case is(hop):
				return
			case !trusted.trust(addr):
				t.Fatalf("%q: got %v, which stands behind %q", header, v, hop)
			}
		}
		t.Fatalf("%q: got %v from nowhere", header, v)
	})
}
