//go:build unix

package server

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// startOfHandshake is the beginning of a TLS handshake: the header of a record and the beginning of
// a ClientHello.
const startOfHandshake = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

// TestSlowloris: hundreds of clients that send incomplete requests do not affect others, and are
// disconnected.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	const attackers = 400
	ca := newCA(t)
	plain := serve(t, Config{Endpoint: Endpoint{Child: sh(`exec cat`)}})
	secure := serveTLS(t, ca, `exec cat`, Config{})
	var cut sync.WaitGroup
	attack := func() {
		for i := range attackers {
			target, words := plain, "GET / HTTP/1.1\r\nHost: h\r\nX-Slow: "
			switch i % 4 {
			case 1:
				words = "" // sends nothing
			case 2:
				target, words = secure, startOfHandshake
			case 3:
				target, words = secure, ""
			}
			began := time.Now()
			conn := connect(t, target)
			conn.send(words)
			conn.SetDeadline(began.Add(headerTimeout + patience))
			cut.Go(func() { // ends when the server closes the connection
				if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
					t.Errorf("it may stay for ever after %q", words)
				}
				if held := time.Since(began); held < headerTimeout/2 {
					t.Errorf("cut off after %v already", held)
				}
			})
		}
	}
	wspipetest.Soon(t, headerTimeout/2, func() (longest time.Duration) {
		attack()
		for range 20 {
			asked := time.Now()
			for _, c := range []*wspipetest.Client{dial(t, plain.ws), wspipetest.Dial(t, secure.ws, over(t, ca.client(t)))} {
				c.Send("x")
				c.Expect("x")
				c.Close(1000, "")
			}
			longest = max(longest, time.Since(asked))
		}
		return longest
	})
	cut.Wait()
}

// A byte now and then does not extend the timeout.
func TestTrickleDoesNotExtendTimeout(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Endpoint: Endpoint{Child: sh(`exec cat`)}})
	conn := connect(t, s)
	conn.send("GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ")
	r := conn.r
	conn.SetDeadline(time.Now().Add(headerTimeout + patience))
	closed := make(chan error, 1)
	go func() { // ends when the server closes the connection
		_, err := io.Copy(io.Discard, r)
		closed <- err
	}()
	trickle := time.NewTicker(headerTimeout / 20)
	defer trickle.Stop()
	for {
		select {
		case err := <-closed:
			if isTimeout(err) {
				t.Error("it may go on for ever")
			}
			return
		case <-trickle.C:
			conn.Write([]byte("x"))
		}
	}
}

func TestHugeHeader(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Endpoint: Endpoint{Child: sh(`exec cat`)}})
	for name, start := range map[string]string{
		"plain":     "GET / HTTP/1.1\r\nHost: h\r\nX-Huge: ",
		"WebSocket": "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Huge: ",
		"path":      "GET /",
	} {
		conn := connect(t, s)
		conn.send(start)
		r := conn.r
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
	plain := serve(t, Config{Endpoint: Endpoint{Child: sh(`exec cat`)}})
	secure := serveTLS(t, ca, `exec cat`, Config{})
	for _, garbage := range []string{
		"\x00", "\r\n\r\n\r\n", "\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x05\x01\x00", startOfHandshake, strings.Repeat("\xff", 10_000), strings.Repeat("\x16\x03\x01", 1000),
		"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzzz\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n\x81",
	} {
		for _, target := range []*testServer{plain, secure} {
			conn := connect(t, target)
			conn.send(garbage)
			r := conn.r
			conn.CloseWrite()
			if answer, err := io.ReadAll(r); isTimeout(err) || strings.HasPrefix(string(answer), "HTTP/1.1 101") {
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
	plain := serve(t, Config{Endpoint: Endpoint{Child: sh(`exec cat`)}})
	secure := serveTLS(t, ca, `exec cat`, Config{})
	onPlain := connect(t, secure)
	onPlain.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	r := onPlain.r
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

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}
