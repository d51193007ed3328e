//go:build unix

package access

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// gate is an HTTP server with only an authenticator.
type gate struct {
	*authenticator
	purpose Purpose // of the requests
	addr    string
	log     *lockedLog
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
	g := &gate{log: &lockedLog{}, entered: make(chan struct{}, 1000), seen: make(chan passage, 1000)}
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
	g.addr = hs.Listener.Addr().String()
	return g
}

// send sends a request unchanged.
func (g *gate) send(t *testing.T, target string, header ...string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(wspipetest.Patience))
	if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: us\r\n"+strings.Join(append(header, "\r\n"), "\r\n")); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ask sends a request and returns the response, its body, and the passage.
func (g *gate) ask(t *testing.T, target string, header ...string) (*http.Response, string, passage) {
	t.Helper()
	conn := g.send(t, target, header...)
	defer conn.Close()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body), <-g.seen
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

// lockedLog is a log that can be read while it is written.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
