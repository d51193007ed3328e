//go:build unix

package server

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
	"strings"
	"testing"
	"time"
)

// gate is an HTTP server with nothing but an authenticator.
type gate struct {
	*authenticator
	route   route // that requests are for
	addr    string
	log     *logBuffer
	entered chan struct{} // gets a value of each request, unless it is full
	seen    chan passage  // gets one of each request that is through
}

// passage is a request as it is left behind the gate, and who sends it.
type passage struct {
	visitor *visitor
	uri     string
	header  http.Header
	all     string // of the request
	refusal *refusal
}

func newGate(t *testing.T, cfg Config, trusted bool, tlsConfig *tls.Config) *gate {
	t.Helper()
	g := &gate{log: &logBuffer{}, entered: make(chan struct{}, 1000), seen: make(chan passage, 1000)}
	a, err := newAuthenticator(cfg, slog.New(slog.NewTextHandler(g.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	g.authenticator = a
	hs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visitor{trusted: trusted}
		select {
		case g.entered <- struct{}{}:
		default:
		}
		why := a.check(r, g.route, v)
		dump, _ := httputil.DumpRequest(r, false)
		g.seen <- passage{v, r.RequestURI, r.Header, string(dump) + r.URL.String() + fmt.Sprint(r.Form), why}
		if why != nil {
			why.write(w, r)
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

// send sends a request byte for byte.
func (g *gate) send(t *testing.T, target string, header ...string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: us\r\n"+strings.Join(append(header, "\r\n"), "\r\n")); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ask sends a request and returns what the client and the server have seen.
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

// status asks, and returns the answer's status.
func (g *gate) status(t *testing.T, target string, header ...string) int {
	t.Helper()
	resp, _, _ := g.ask(t, target, header...)
	return resp.StatusCode
}
