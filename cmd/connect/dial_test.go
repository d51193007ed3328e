//go:build unix

package connect

import (
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
)

// startTLS starts a server with a certificate of ca that requires a client certificate of ca.
func startTLS(t *testing.T, ca *wspipetest.CA) *server {
	t.Helper()
	certFile, keyFile := ca.Server(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, nil, channel.ProtocolWspipe)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: ca.Pool()}
	s.Config.ErrorLog = log.New(t.Output(), "", 0)
	s.StartTLS()
	return s
}

func TestTLS(t *testing.T) {
	ca := wspipetest.NewCA(t, "root")
	s := startTLS(t, ca)
	cert, key := wspipetest.WriteCertificate(t, t.TempDir(), "client", ca.Client(t, "me"))
	data := strings.Repeat("0123456789", 100_000)
	r := start(t, Config{URL: s.url(), CA: ca.CertFile, Cert: cert, Key: key})
	p := s.peer(t).hello(false)
	if who := p.request.TLS.PeerCertificates; len(who) == 0 || who[0].Subject.CommonName != "me" {
		t.Errorf("the client is %v", who)
	}
	go r.input(data) // ends when the peer has read it
	for got := 0; got < len(data); {
		_, m, err := p.Read(p.ctx)
		if err != nil || string(m[1:]) != data[got:got+len(m)-1] {
			t.Fatalf("got %.100q at %d, %v", m, got, err)
		}
		got += len(m) - 1
	}
	p.send(channel.Stdout, data)
	p.Close(1000, "exit 3")
	r.expect(3, "")
	r.expectOutput(data, "")
}

func TestInsecure(t *testing.T) {
	s := startTLS(t, wspipetest.NewCA(t, "root"))
	r := start(t, Config{URL: s.url(), Insecure: true})
	s.peer(t).hello(false).Close(1000, "exit 0")
	r.expect(0, "")
}

// A certificate of an unknown authority is not retried.
func TestUnknownAuthority(t *testing.T) {
	s := startTLS(t, wspipetest.NewCA(t, "root"))
	r := start(t, Config{URL: s.url(), CA: wspipetest.NewCA(t, "other").CertFile, Reconnect: true})
	r.expect(255, "certificate signed by unknown authority")
}

// TLS to a plain port, or plain HTTP to a TLS port, is not retried.
func TestOtherScheme(t *testing.T) {
	plain := serve(t, nil, channel.ProtocolWspipe).url()
	plain.Scheme = "wss"
	start(t, Config{URL: plain, Reconnect: true}).expect(255, "server gave HTTP response to HTTPS client")
	secret := startTLS(t, wspipetest.NewCA(t, "root")).url()
	secret.Scheme = "ws"
	start(t, Config{URL: secret, Reconnect: true}).expect(255, "Client sent an HTTP request to an HTTPS server.")
}

func TestUnreadableFiles(t *testing.T) {
	ca := wspipetest.NewCA(t, "root")
	cert, key := ca.Server(t)
	missing := filepath.Join(t.TempDir(), "missing")
	for _, test := range []struct {
		cfg  Config
		want string
	}{
		{Config{CA: missing}, "cannot read CA certificates " + missing + ": no such file or directory"},
		{Config{CA: key}, "cannot read CA certificates " + key + ": no certificate in PEM"},
		{Config{Cert: missing, Key: key}, "cannot read certificate " + missing + ": no such file or directory"},
		{Config{Cert: cert, Key: missing}, "cannot read certificate " + missing + ": no such file or directory"},
	} {
		test.cfg.URL = &url.URL{Scheme: "wss", Host: "127.0.0.1:1"}
		start(t, test.cfg).expect(255, test.want)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/x", RawQuery: "access_token=sesame"}
	l.Close()
	start(t, Config{URL: u}).expect(255, "cannot connect to ws://"+u.Host+"/x: connection refused")
	start(t, Config{URL: u, Socket: "/no/such/socket"}).expect(255, "cannot connect to /no/such/socket: no such file or directory")
	u = &url.URL{Scheme: "ws", Host: "nosuchhost.invalid", Path: "/"}
	start(t, Config{URL: u}).expect(255, "cannot connect to ws://nosuchhost.invalid/: lookup nosuchhost.invalid")
}

func TestNoWebSocketThere(t *testing.T) {
	page := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte("<h1>page</h1>"))
		})
	}
	s := serve(t, page)
	r := start(t, Config{URL: s.url()})
	got := wait(t, "the end of Run", r.result)
	if want := "cannot connect to " + s.url().String() + ": the server answered 200 OK"; got.status != 255 || got.err.Error() != want {
		t.Errorf("got %d, %v, want %s", got.status, got.err, want)
	}
}

// Redirects are followed within the server. Other servers do not get our headers.
func TestRedirects(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	s := serve(t, func(next http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/here", http.RedirectHandler("/there", http.StatusFound))
		mux.Handle("/there", next)
		mux.Handle("/away", http.RedirectHandler(other.URL+"/?access_token=sesame", http.StatusFound))
		mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
		return mux
	})
	u := s.url()
	u.Path = "/here"
	r := start(t, Config{URL: u, Headers: []HeaderField{{"Authorization", "Bearer x"}}})
	p := s.peer(t)
	if p.request.URL.Path != "/there" || p.request.Header.Get("Authorization") != "Bearer x" {
		t.Errorf("got %+v", p.request)
	}
	p.Close(1000, "exit 0")
	r.expect(0, "")
	u.Path = "/away"
	start(t, Config{URL: u, Reconnect: true}).expect(255, "302 Found, with a redirect to "+other.URL+"/")
	u.Path = "/loop"
	start(t, Config{URL: u}).expect(255, "302 Found, with a redirect to ")
	if elsewhere.Load() != 0 {
		t.Error("the other server was asked")
	}
}

func TestCheckRedirect(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{"http://a:80/", "https://a:8443/x", true},
		{"http://a/", "http://a/x", true},
		{"https://a/", "https://a/x", true},
		{"https://a/", "http://a/", false},
		{"https://a/", "https://a:8443/", false},
		{"http://a/", "http://b/", false},
		{"http://a/", "https://a.b/", false},
	} {
		from, _ := url.Parse(test.from)
		to, _ := url.Parse(test.to)
		if err := checkRedirect(&http.Request{URL: to}, []*http.Request{{URL: from}}); (err == nil) != test.want {
			t.Errorf("%s to %s: %v", test.from, test.to, err)
		}
	}
}

// A proxy is used only for TLS.
func TestProxyIsForTLS(t *testing.T) {
	t.Setenv("https_proxy", "http://proxy.example:3128")
	t.Setenv("http_proxy", "http://proxy.example:3128")
	t.Setenv("no_proxy", "")
	for scheme, want := range map[string]string{"http": "<nil>", "https": "http://proxy.example:3128"} {
		d := &dialer{}
		proxy, err := d.proxy(&http.Request{URL: &url.URL{Scheme: scheme, Host: "host.example"}})
		if got := fmt.Sprint(proxy); got != want || err != nil {
			t.Errorf("%s: proxy %s, %v, want %s", scheme, got, err, want)
		}
		d.Socket = "/run/s"
		if proxy, _ := d.proxy(&http.Request{URL: &url.URL{Scheme: scheme, Host: "host.example"}}); proxy != nil {
			t.Errorf("%s over a socket: proxy %v", scheme, proxy)
		}
	}
}

// Servers that select the first subprotocol of any offer get plain messages.
func TestFirstSubprotocolIsPlain(t *testing.T) {
	for offer, selected := range map[string]string{
		"v1.wspipe": "plain.wspipe", "v5.channel.k8s.io,v1.wspipe": "plain.wspipe", "chat,v1.wspipe": "chat",
	} {
		s := serve(t, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				first, _, _ := strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), ",")
				w.Header().Set("Sec-WebSocket-Protocol", first) // websocket.Accept does not set it
				next.ServeHTTP(w, r)
			})
		})
		r := start(t, Config{URL: s.url(), Subprotocols: strings.Split(offer, ",")})
		p := s.peer(t)
		if got := p.request.Header.Get("Sec-WebSocket-Protocol"); !strings.HasPrefix(got, selected) || !strings.HasSuffix(got, offer) {
			t.Errorf("got offer %q", got)
		}
		r.input("hi\n")
		p.expect("hi")
		p.sendRaw(websocket.MessageText, "hello")
		p.Close(1000, "")
		r.expect(0, "")
		r.expectOutput("hello\n", "")
	}
}

// A server that selects v1.wspipe without implementing it is reported, and stdin stays unread for
// the next connection.
func TestNoHello(t *testing.T) {
	t.Parallel()
	s := serve(t, nil, channel.ProtocolWspipe)
	r := start(t, Config{URL: s.url(), Reconnect: true})
	r.input("hi")
	s.peer(t).expectClose(1000)
	if got := wait(t, "a notice", r.notices); !strings.HasPrefix(got, ErrNoHello.Error()+"; reconnecting in ") {
		t.Errorf("got %q", got)
	}
	p := s.peer(t).hello(false)
	p.expect("\x00hi")
	p.Close(1000, "exit 0")
	r.expect(0, "")
	r = start(t, Config{URL: s.url()})
	s.peer(t).expectClose(1000)
	r.expect(255, "the server selected the subprotocol v1.wspipe, but sent no hello within 5s")
}
