//go:build unix

package server_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/listen"
)

// serveTLS serves script with a new certificate of ca.
func serveTLS(t *testing.T, ca *testCA, script string, cfg server.Config) *testServer {
	t.Helper()
	cert, key := ca.issue(t, t.TempDir(), "server", "127.0.0.1")
	if cfg.TLS == nil {
		cfg.TLS = &listen.TLS{}
	}
	cfg.TLS.Cert, cfg.TLS.Key = cert, key
	cfg.Endpoint.Child = sh(script)
	return serve(t, cfg)
}

// over returns options for a WebSocket over TLS.
func over(t testing.TB, c *tls.Config) *websocket.DialOptions {
	transport := &http.Transport{TLSClientConfig: c}
	t.Cleanup(transport.CloseIdleConnections)
	return &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}}
}

// hostOfURL returns host:port of a WebSocket URL.
func hostOfURL(t testing.TB, ws string) string {
	t.Helper()
	u, err := url.Parse(ws)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// getTLS connects with TLS, reads the response to a request and returns the state of the connection.
// With TLS 1.3, only a response shows that the server has accepted the client's certificate.
func getTLS(t testing.TB, ws string, c *tls.Config) (state tls.ConnectionState, err error) {
	t.Helper()
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: wspipetest.Patience}, Config: c}
	conn, err := dialer.DialContext(t.Context(), "tcp", hostOfURL(t, ws))
	if err != nil {
		return state, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(wspipetest.Patience))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"); err != nil {
		return state, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return state, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return conn.(*tls.Conn).ConnectionState(), err
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	s := serveTLS(t, ca, `echo "$HTTPS"; exec cat`, server.Config{})
	if !strings.HasPrefix(s.ws, "wss://127.0.0.1:") {
		t.Errorf("the URL is %s", s.ws)
	}
	c := wspipetest.Dial(t, s.ws, over(t, ca.client(t)))
	c.Expect("on")
	long := strings.Repeat("long", 1<<18)
	for range 3 { // many records each
		c.Send(long)
		c.Expect(long)
	}
	c.Close(1000, "")
}

func TestTLSVersionsAndProtocols(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	s := serveTLS(t, ca, `exec cat`, server.Config{})
	for _, test := range []struct {
		version uint16
		ok      bool
	}{{tls.VersionTLS10, false}, {tls.VersionTLS11, false}, {tls.VersionTLS12, true}, {tls.VersionTLS13, true}} {
		c := ca.client(t)
		c.MinVersion, c.MaxVersion = test.version, test.version
		c.NextProtos = []string{"h2", "http/1.1"}
		state, err := getTLS(t, s.ws, c)
		switch name := tls.VersionName(test.version); {
		case !test.ok && err == nil:
			t.Errorf("%s is let in", name)
		case test.ok && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.ok && (state.Version != test.version || state.NegotiatedProtocol != "http/1.1"):
			t.Errorf("%s became %s with %q", name, tls.VersionName(state.Version), state.NegotiatedProtocol)
		}
	}
	s.log.Await(t, `"level":"DEBUG","msg":"http: TLS handshake error`, 2)
}

func TestTLSOverAUnixSocket(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	path := filepath.Join(t.TempDir(), "s")
	s := serveTLS(t, ca, `exec cat`, server.Config{Sockets: listen.Sockets{UnixSocket: path, Addresses: []string{}}})
	opt := throughUnix(t, path)
	opt.HTTPClient.Transport.(*http.Transport).TLSClientConfig = ca.client(t)
	if s.ws != "unix:"+path {
		t.Errorf("the URL is %s", s.ws)
	}
	c := wspipetest.Dial(t, "wss://127.0.0.1/", opt)
	c.Send("x")
	c.Expect("x")
}

func TestTLSFilesThatAreWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newCA(t)
	cert, key := ca.issue(t, dir, "one", "127.0.0.1")
	_, other := ca.issue(t, dir, "other", "127.0.0.1")
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no PEM\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for _, test := range []struct {
		files listen.TLS
		want  string
	}{
		{listen.TLS{Cert: missing, Key: key}, "read certificate " + missing + ": no such file or directory"},
		{listen.TLS{Cert: dir, Key: key}, "read certificate " + dir + ": is a directory"},
		{listen.TLS{Cert: cert, Key: missing}, "read key " + missing + ": no such file or directory"},
		{listen.TLS{Cert: cert, Key: other}, "use certificate " + cert + " with key " + other + ": tls: private key does not match public key"},
		{listen.TLS{Cert: text, Key: key}, "use certificate " + text + " with key " + key + ": tls: failed to find any PEM data in certificate input"},
		{listen.TLS{Cert: cert, Key: text}, "use certificate " + cert + " with key " + text + ": tls: failed to find any PEM data in key input"},
		{listen.TLS{Cert: cert, Key: key, ClientCA: missing}, "read client CA " + missing + ": no such file or directory"},
		{listen.TLS{Cert: cert, Key: key, ClientCA: text}, "read client CA " + text + ": it contains no certificates"},
		{listen.TLS{Cert: cert, Key: key, ClientCA: key}, "read client CA " + key + ": it contains no certificates"},
	} {
		_, err := server.Listen(server.Config{Sockets: listen.Sockets{Addresses: []string{"127.0.0.1"}, TLS: &test.files}})
		if err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

// TLS accepts a client without a certificate, and HTTP refuses it.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ours, foreign := newCA(t), newCA(t)
	s := serveTLS(t, ours, `exec cat`, server.Config{Sockets: listen.Sockets{TLS: &listen.TLS{ClientCA: ours.file}}})
	good := make([]string, 2)
	good[0], good[1] = ours.issue(t, t.TempDir(), "alice")
	bad := make([]string, 2)
	bad[0], bad[1] = foreign.issue(t, t.TempDir(), "mallory")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, test := range map[string]struct {
			files []string
			ok    bool
		}{"good": {good, true}, "foreign": {bad, false}, "none": {nil, true}} {
			c := ours.client(t, test.files...)
			c.MaxVersion = version
			if _, err := getTLS(t, s.ws, c); (err == nil) != test.ok {
				t.Errorf("%s, %s certificate: %v", tls.VersionName(version), name, err)
			}
		}
	}
	c := wspipetest.Dial(t, s.ws, over(t, ours.client(t, good...)))
	c.Send("x")
	c.Expect("x")
}

// A resumed TLS session has no certificate, but the one of the first handshake must still be valid.
func TestResumedTLSSessionsWithNewCA(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			ours, next := newCA(t), newCA(t)
			roots := filepath.Join(t.TempDir(), "roots.pem")
			concat(t, roots, ours.file)
			s := serveTLS(t, ours, `exec cat`, server.Config{Sockets: listen.Sockets{TLS: &listen.TLS{ClientCA: roots}}})
			cert, key := ours.issue(t, t.TempDir(), "alice")
			c := ours.client(t, cert, key)
			c.MaxVersion = version
			c.ClientSessionCache = tls.NewLRUClientSessionCache(0)
			expect := func(resumed bool) {
				t.Helper()
				if state, err := getTLS(t, s.ws, c); err != nil || state.DidResume != resumed {
					t.Fatalf("resumed %t, want %t: %v", state.DidResume, resumed, err)
				}
			}
			expect(false)
			expect(true)
			concat(t, roots, ours.file, next.file)
			s.Reload()
			expect(true) // so that the new CA, and no other change, ends it below
			concat(t, roots, next.file)
			s.Reload()
			if state, err := getTLS(t, s.ws, c); err == nil {
				t.Errorf("it is let in, resumed %t, though its CA has gone", state.DidResume)
			}
		})
	}
}

// concat writes the contents of files to path.
func concat(t *testing.T, path string, files ...string) {
	t.Helper()
	var all []byte
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
}
