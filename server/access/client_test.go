//go:build unix

package access

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// trusting returns TrustedProxies with these networks.
func trusting(networks ...string) (t TrustedProxies) {
	for _, n := range networks {
		t.Networks = append(t.Networks, netip.MustParsePrefix(n))
	}
	return t
}

func TestForwardedFor(t *testing.T) {
	near, both := trusting("10.0.0.0/8", "fd00::/8"), trusting("10.0.0.0/8", "198.51.100.7/32")
	linkLocal, unix := trusting("fe80::/64"), TrustedProxies{Unix: true}
	unixAndNear := TrustedProxies{Networks: near.Networks, Unix: true}
	for name, test := range map[string]struct {
		trusted TrustedProxies
		peer    string // RemoteAddr
		headers []string
		addr    string // as in the log and REMOTE_ADDR
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
		client := test.trusted.clientOf(&http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-For": test.headers}})
		if client.Address() != test.addr || client.Port != test.port {
			t.Errorf("%s: got %q port %q, want %q port %q", name, client.Address(), client.Port, test.addr, test.port)
		}
	}
}

func TestForwardedProto(t *testing.T) {
	trusted := trusting("10.0.0.0/8")
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
		// The trusted proxy has added the last one.
		{"10.0.0.1:5000", []string{"http, https"}, true},
		{"10.0.0.1:5000", []string{"https, http"}, false},
		{"10.0.0.1:5000", []string{"https", "http"}, false},
		{"10.0.0.1:5000", []string{"http", " https "}, true},
		{"192.0.2.1:5000", []string{"https"}, false},
		{"@", []string{"https"}, false},
	} {
		client := trusted.clientOf(&http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-Proto": test.values}})
		if client.Secure != test.secure {
			t.Errorf("%s says %q: got %t, want %t", test.peer, test.values, client.Secure, test.secure)
		}
	}
}

// FuzzForwardedFor: whatever the header, the client is the peer or one of the entries, and all
// entries after it are trusted proxies.
func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{"", "203.0.113.5", "10.0.0.2, 203.0.113.5, [fd00::2]:80 ,10.0.0.1:1", "unknown,::ffff:10.0.0.1", "fe80::1%x,[,]:,@", "10.0.0.1\n10.0.0.2"} {
		f.Add(seed)
	}
	trusted := trusting("10.0.0.0/8", "fd00::/8")
	f.Fuzz(func(t *testing.T, header string) {
		lines := strings.Split(header, "\n")
		client := trusted.clientOf(&http.Request{RemoteAddr: "10.0.0.1:5000", Header: http.Header{"X-Forwarded-For": lines}})
		var hops []string
		for _, entry := range strings.Split(strings.Join(lines, ","), ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				hops = append(hops, entry)
			}
		}
		slices.Reverse(hops)
		is := func(entry string) bool {
			addr, port := parseAddress(entry)
			return addr.IsValid() && addr == client.Addr && port == client.Port
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
				t.Fatalf("%q: got %v, which stands behind %q", header, client, hop)
			}
		}
		t.Fatalf("%q: got %v from nowhere", header, client)
	})
}
