//go:build unix

package server_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
)

// startOfHandshake is the beginning of a TLS handshake: the header of a record and the beginning of
// a ClientHello.
const startOfHandshake = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

// TestSlowloris: hundreds of clients that send incomplete requests do not affect others.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	cfg := server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Timeouts: server.Timeouts{Header: time.Hour}}
	plain, secure := serve(t, cfg), serveTLS(t, ca, `exec cat`, cfg)
	for range 100 {
		for _, words := range []string{"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ", ""} {
			wspipetest.Connect(t, plain.Addr()).Send(words)
		}
		for _, words := range []string{startOfHandshake, ""} {
			wspipetest.Connect(t, secure.Addr()).Send(words)
		}
	}
	for _, c := range []*wspipetest.Client{dial(t, plain.ws), wspipetest.Dial(t, secure.ws, over(t, ca.client(t)))} {
		c.Send("x")
		c.Expect("x")
	}
}

// TestHeaderTimeout: a client without a whole request is disconnected, even if a byte arrives now and
// then, and not before its time.
func TestHeaderTimeout(t *testing.T) {
	t.Parallel()
	cfg := server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Timeouts: server.Timeouts{Header: 300 * time.Millisecond}}
	plain, secure := serve(t, cfg), serveTLS(t, newCA(t), `exec cat`, cfg)
	for name, test := range map[string]struct {
		s             *testServer
		words, slowly string
	}{
		"half a request":   {plain, "GET / HTTP/1.1\r\nHost: x\r\n", ""},
		"half a line":      {plain, "GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ", ""},
		"nothing":          {plain, "", ""},
		"slowly":           {plain, "GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ", "x"},
		"half a handshake": {secure, startOfHandshake, ""},
		"nothing, TLS":     {secure, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			c := wspipetest.Connect(t, test.s.Addr())
			c.SetDeadline(began.Add(wspipetest.Patience))
			c.Send(test.words)
			closed := make(chan error, 1)
			go func() { // ends when the server closes the connection
				_, err := io.Copy(io.Discard, c)
				closed <- err
			}()
			for tick := time.NewTicker(10 * time.Millisecond); ; {
				select {
				case err := <-closed:
					if held := time.Since(began); wspipetest.IsTimeout(err) || held < cfg.Timeouts.Header {
						t.Errorf("disconnected after %v: %v", held, err)
					}
					return
				case <-tick.C:
					io.WriteString(c, test.slowly)
				}
			}
		})
	}
}

func TestHugeHeader(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}})
	for name, start := range map[string]string{
		"plain":     "GET / HTTP/1.1\r\nHost: h\r\nX-Huge: ",
		"WebSocket": "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Huge: ",
		"path":      "GET /",
	} {
		conn := wspipetest.Connect(t, s.Addr())
		conn.Send(start)
		r := conn.In
		go func() { // ends when the server closes the connection, or all is sent
			io.WriteString(conn, strings.Repeat("x", 1<<20)+"\r\n\r\n")
		}()
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: got %s", name, resp.Status)
		}
	}
	if strings.Contains(s.log.String(), `"connect"`) {
		t.Error("a child was started")
	}
}

// TestGarbage: input that is not HTTP, or not of the kind that the port expects, does not affect
// other clients.
func TestGarbage(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	plain := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}})
	secure := serveTLS(t, ca, `exec cat`, server.Config{})
	for _, garbage := range []string{
		"\x00", "\r\n\r\n\r\n", "\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x05\x01\x00", startOfHandshake, strings.Repeat("\xff", 10_000), strings.Repeat("\x16\x03\x01", 1000),
		"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzzz\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n\x81",
	} {
		for _, target := range []*testServer{plain, secure} {
			conn := wspipetest.Connect(t, target.Addr())
			conn.Send(garbage)
			r := conn.In
			conn.TCP().CloseWrite()
			if answer, err := io.ReadAll(r); wspipetest.IsTimeout(err) || strings.HasPrefix(string(answer), "HTTP/1.1 101") {
				t.Errorf("%.40q is answered with %q, %v", garbage, answer, err)
			}
		}
	}
	for _, c := range []*wspipetest.Client{dial(t, plain.ws), wspipetest.Dial(t, secure.ws, over(t, ca.client(t)))} {
		c.Send("x")
		c.Expect("x")
	}
	if log := plain.log.String() + secure.log.String(); strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, "panic") {
		t.Errorf("anybody can fill the log with errors:\n%s", log)
	}
}

func TestTheWrongPort(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	plain := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}})
	secure := serveTLS(t, ca, `exec cat`, server.Config{})
	onPlain := wspipetest.Connect(t, secure.Addr())
	onPlain.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	r := onPlain.In
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 400 || string(body) != "Client sent an HTTP request to an HTTPS server.\n" {
		t.Errorf("plain HTTP on the TLS port: %s %q", resp.Status, body)
	}
	_, err = getTLS(t, plain.ws, ca.client(t)) // the answer is a readable 400, which a TLS client cannot read
	if _, ok := errors.AsType[tls.RecordHeaderError](err); !ok {
		t.Errorf("TLS on the plain port: %v", err)
	}
}
