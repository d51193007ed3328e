//go:build unix

package server_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/net/dns/dnsmessage"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/access"
)

// nameServer is a DNS server (RFC 1035) with a few records.
type nameServer struct {
	net.PacketConn
	names map[string][]string // by reverse name
	addrs map[string][]string // by name
	mute  []string            // names whose queries it does not answer before release
	fails []string            // names for which it returns an error

	mu      sync.Mutex
	queries []string      // types and names
	held    []func()      // unanswered
	muted   chan struct{} // gets a value for each unanswered query
}

// start serves on loopback until the test ends.
func (d *nameServer) start(t *testing.T) *nameServer {
	t.Helper()
	var err error
	if d.PacketConn, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	d.muted = make(chan struct{}, 100)
	var serving sync.WaitGroup
	serving.Go(func() { // ends when the socket is closed
		for query := make([]byte, 4096); ; {
			n, from, err := d.ReadFrom(query)
			if err != nil {
				return
			}
			d.answer(t, slices.Clone(query[:n]), from)
		}
	})
	t.Cleanup(func() {
		d.Close()
		serving.Wait()
	})
	return d
}

// answer answers a query, unless it is mute.
func (d *nameServer) answer(t *testing.T, query []byte, from net.Addr) {
	var p dnsmessage.Parser
	header, err := p.Start(query)
	if err != nil {
		t.Error(err)
		return
	}
	q, err := p.Question()
	if err != nil {
		t.Error(err)
		return
	}
	name := q.Name.String()
	d.mu.Lock()
	d.queries = append(d.queries, q.Type.String()+" "+name)
	if slices.Contains(d.mute, name) {
		d.held = append(d.held, func() { d.answer(t, query, from) })
		d.muted <- struct{}{}
		d.mu.Unlock()
		return
	}
	d.mu.Unlock()
	header.Response = true
	switch {
	case slices.Contains(d.fails, name):
		header.RCode = dnsmessage.RCodeServerFailure
	case d.names[name] == nil && d.addrs[name] == nil:
		header.RCode = dnsmessage.RCodeNameError
	}
	m := dnsmessage.Message{Header: header, Questions: []dnsmessage.Question{q}}
	add := func(kind dnsmessage.Type, body dnsmessage.ResourceBody) {
		if kind == q.Type {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: kind, Class: q.Class}, Body: body})
		}
	}
	for _, target := range d.names[name] {
		add(dnsmessage.TypePTR, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(target)})
	}
	for _, s := range d.addrs[name] {
		if addr := netip.MustParseAddr(s); addr.Is4() {
			add(dnsmessage.TypeA, &dnsmessage.AResource{A: addr.As4()})
		} else {
			add(dnsmessage.TypeAAAA, &dnsmessage.AAAAResource{AAAA: addr.As16()})
		}
	}
	answer, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	d.WriteTo(answer, from)
}

// release answers all queries.
func (d *nameServer) release() {
	d.mu.Lock()
	held := d.held
	d.mute, d.held = nil, nil
	d.mu.Unlock()
	for _, answer := range held {
		answer()
	}
}

func (d *nameServer) asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.queries)
}

// serveNamed returns a server behind a trusted proxy that resolves with d. Its child prints REMOTE_HOST
// and REMOTE_ADDR.
func serveNamed(t *testing.T, d *nameServer, reverse bool, timeout time.Duration) *testServer {
	t.Helper()
	s := serve(t, server.Config{
		Endpoint: server.Endpoint{Child: sh(`echo "$REMOTE_HOST $REMOTE_ADDR"`),
			ReverseLookup: reverse},
		Rules: access.Rules{TrustedProxies: proxies("127.0.0.1/32")}, Timeouts: server.Timeouts{Lookup: timeout},
	})
	s.LookupFrom(d.LocalAddr())
	return s
}

// dialFrom connects as a client at addr.
func dialFrom(t *testing.T, s *testServer, addr string) *wspipetest.Client {
	t.Helper()
	return wspipetest.Dial(t, s.ws, &websocket.DialOptions{HTTPHeader: http.Header{"X-Forwarded-For": {addr}}})
}

func TestReverseLookup(t *testing.T) {
	t.Parallel()
	d := &nameServer{
		names: map[string][]string{
			"1.2.0.192.in-addr.arpa.":                                     {"client.example."},
			"2.2.0.192.in-addr.arpa.":                                     {"client.example."},
			"3.2.0.192.in-addr.arpa.":                                     {"client.example.", "gone.example.", "third.example."},
			"5.2.0.192.in-addr.arpa.":                                     {"gone.example."},
			"1." + strings.Repeat("0.", 23) + "8.b.d.0.1.0.0.2.ip6.arpa.": {"six.example."},
			"7." + strings.Repeat("0.", 28) + "8.e.f.ip6.arpa.":           {"link.example."},
			"2." + strings.Repeat("0.", 23) + "8.b.d.0.1.0.0.2.ip6.arpa.": {"six.example."},
		},
		addrs: map[string][]string{
			"client.example.": {"192.0.2.1"},
			"third.example.":  {"192.0.2.9", "2001:db8::3", "192.0.2.3"},
			"link.example.":   {"fe80::7"},
			"six.example.":    {"192.0.2.6", "2001:db8::1"},
		},
		fails: []string{"8.2.0.192.in-addr.arpa."},
	}
	s := serveNamed(t, d.start(t), true, 0)
	for addr, want := range map[string]string{
		"192.0.2.1":        "client.example",
		"::ffff:192.0.2.1": "client.example",
		"192.0.2.1:1234":   "client.example",
		"192.0.2.2":        "192.0.2.2", // its name has another address
		"192.0.2.3":        "third.example",
		"192.0.2.4":        "192.0.2.4", // has no name
		"192.0.2.5":        "192.0.2.5", // its name has no address
		"192.0.2.8":        "192.0.2.8", // the name server fails
		"2001:db8::1":      "six.example",
		"2001:db8::2":      "2001:db8::2",
		"fe80::7%eth0":     "link.example",
	} {
		real := strings.TrimSuffix(strings.TrimPrefix(addr, "::ffff:"), ":1234")
		if got := dialFrom(t, s, addr).Next(); got != want+" "+real {
			t.Errorf("%s: got %q, want %q", addr, got, want+" "+real)
		}
	}
	if n := len(d.asked()); n < 10 {
		t.Errorf("the name server was asked %d times", n)
	}
}

func TestNoReverseLookupByDefault(t *testing.T) {
	t.Parallel()
	d := (&nameServer{}).start(t)
	s := serveNamed(t, d, false, 0)
	dialFrom(t, s, "192.0.2.1").Expect("192.0.2.1 192.0.2.1")
	if asked := d.asked(); len(asked) > 0 {
		t.Errorf("the name server was asked for %q", asked)
	}
}

// TestSilentNameServer: a lookup ends before the resolver would ask again, and does not delay other
// clients.
func TestSilentNameServer(t *testing.T) {
	for name, addr := range map[string]string{"of the address": "192.0.2.6", "of the name": "192.0.2.7"} {
		for _, timeout := range []time.Duration{0, time.Hour} {
			t.Run(fmt.Sprint(name, "/", timeout), func(t *testing.T) {
				t.Parallel()
				d := (&nameServer{
					names: map[string][]string{
						"1.2.0.192.in-addr.arpa.": {"client.example."},
						"7.2.0.192.in-addr.arpa.": {"mute.example."},
					},
					addrs: map[string][]string{"client.example.": {"192.0.2.1"}},
					mute:  []string{"6.2.0.192.in-addr.arpa.", "mute.example."},
				}).start(t)
				s := serveNamed(t, d, true, timeout)
				waiting := dialFrom(t, s, addr)
				<-d.muted
				dialFrom(t, s, "192.0.2.1").Expect("client.example 192.0.2.1")
				if timeout != 0 { // the lookup still waits
					if n := strings.Count(s.log.String(), `"msg":"connect"`); n > 1 { // the record may follow the output
						t.Errorf("%d clients have a child", n)
					}
					d.release()
				}
				waiting.Expect(addr + " " + addr)
				if timeout != 0 {
					return
				}
				asked := d.asked()
				for _, kind := range []string{"TypePTR ", "TypeA ", "TypeAAAA "} {
					for _, mute := range d.mute {
						if n := len(slices.DeleteFunc(slices.Clone(asked), func(query string) bool { return query != kind+mute })); n > 1 {
							t.Errorf("asked %d times: %s", n, kind+mute)
						}
					}
				}
			})
		}
	}
}
