//go:build unix

package access

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
)

// gate is an HTTP server with only an authenticator.
type gate struct {
	*authenticator
	purpose Purpose // of the requests
	addr    net.Addr
	log     *wspipetest.Log
	entered chan struct{} // gets a value for each request, unless it is full
	seen    chan passage  // gets one for each request
}

// passage is a request after the authenticator, with its client and its refusal.
type passage struct {
	client  *Client
	uri     string
	header  http.Header
	all     string // of the request
	refusal *Refusal
}

func newGate(t *testing.T, rules Rules, trusted bool, tlsConfig *tls.Config) *gate {
	t.Helper()
	g := &gate{log: &wspipetest.Log{}, entered: make(chan struct{}, 1000), seen: make(chan passage, 1000)}
	a, err := newAuthenticator(rules, slog.New(slog.NewTextHandler(g.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	g.authenticator = a
	hs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := &Client{trusted: trusted}
		client.Addr, _ = netip.ParseAddr(r.Header.Get("Test-Address"))
		select {
		case g.entered <- struct{}{}:
		default:
		}
		why := a.check(r, g.purpose, client)
		dump, _ := httputil.DumpRequest(r, false)
		g.seen <- passage{client, r.RequestURI, r.Header, string(dump) + r.URL.String() + fmt.Sprint(r.Form), why}
		if why != nil {
			why.Write(w, r)
		}
	}))
	hs.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	if hs.TLS = tlsConfig; tlsConfig != nil {
		hs.StartTLS()
	} else {
		hs.Start()
	}
	t.Cleanup(hs.Close)
	g.addr = hs.Listener.Addr()
	return g
}

// send sends a request unchanged.
func (g *gate) send(t *testing.T, target string, header ...string) *wspipetest.Raw {
	t.Helper()
	c := wspipetest.Connect(t, g.addr)
	c.Send("GET " + target + " HTTP/1.1\r\nHost: us\r\n" + strings.Join(append(header, "\r\n"), "\r\n"))
	return c
}

// ask sends a request and returns the response, its body, and the passage.
func (g *gate) ask(t *testing.T, target string, header ...string) (*http.Response, string, passage) {
	t.Helper()
	c := g.send(t, target, header...)
	defer c.Close()
	resp, body := c.Whole("GET")
	return resp, body, <-g.seen
}

// status sends a request and returns the status of the response.
func (g *gate) status(t *testing.T, target string, header ...string) int {
	t.Helper()
	resp, _, _ := g.ask(t, target, header...)
	return resp.StatusCode
}

// authBy returns an Auth with these kinds of authentication.
func authBy(t *testing.T, kinds string) Auth {
	t.Helper()
	return Auth(wspipetest.NewSecrets(t, kinds))
}
