//go:build unix

package connect

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"strings"
	"testing"
	"unicode"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
)

// hostile is a text with an escape sequence, C0 and C1 controls, DEL and a bidi mark, in bytes that
// HTTP allows.
const hostile = "see\x1b[2Jthis\a\x7f\u009b\u202eend"

// expectClean waits until the client fails. Its message must contain text, and none of the
// characters of hostile.
func (p *process) expectClean(text string) {
	p.t.Helper()
	p.expectStatus(255)
	got := p.output()
	bad := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if !strings.Contains(got, text) || strings.ContainsFunc(got, bad) {
		p.t.Errorf("got %q, want %q and no control characters", got, text)
	}
}

// Responses of a server or a proxy are reported without control characters.
func TestForeignAnswers(t *testing.T) {
	accepted := "HTTP/1.1 101 " + hostile + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	for name, answer := range map[string]string{
		"status line": "HTTP/1.1 403 " + hostile + "\r\nContent-Length: 0\r\n\r\n",
		"version":     "HTTP/" + hostile + " 200 OK\r\n\r\n",
		"header":      "HTTP/1.1 403 No\r\n" + hostile + "\r\n\r\n",
		"body":        "HTTP/1.1 403 No\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" + hostile,
		"redirect":    "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/" + hostile + "\r\nContent-Length: 0\r\n\r\n",
		"upgrade":     strings.Replace(accepted, "websocket", hostile, 1) + "\r\n",
		"key":         accepted + "Sec-WebSocket-Accept: " + hostile + "\r\n\r\n",
		"encoding":    "HTTP/1.1 403 No\r\nTransfer-Encoding: " + hostile + "\r\n\r\n",
		"length":      "HTTP/1.1 403 No\r\nContent-Length: " + hostile + "\r\n\r\n",
		"lengths":     "HTTP/1.1 403 No\r\nContent-Length: 1\r\nContent-Length: " + hostile + "\r\n\r\n",
		"nonsense":    hostile + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := answers(t, answer)
			startBinary(t, "ws://"+address+"/").expectClean("wspipe: cannot connect to ")
			c := newProcess(t, []string{"wss://server.invalid/"})
			c.Env = append(c.Env, "https_proxy=http://"+address, "HTTPS_PROXY=", "no_proxy=", "NO_PROXY=")
			c.Stdout, c.Stderr = c, c
			c.launch()
			c.expectClean("wspipe: cannot connect to wss://server.invalid/: ")
		})
	}
}

// answers returns the address of a server that gives this response to every request.
func answers(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends when l is closed
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := conn.Read(make([]byte, 4096)); err == nil {
				io.WriteString(conn, answer)
			}
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// So are the names in a certificate.
func TestForeignCertificate(t *testing.T) {
	name := strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII { // not allowed in a name of a certificate
			return -1
		}
		return r
	}, hostile)
	ca := wspipetest.NewCA(t, "root"+hostile)
	s := newServer(t, nil)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, &x509.Certificate{DNSNames: []string{name + ".example"}})}}
	s.Config.ErrorLog = log.New(t.Output(), "", 0)
	s.StartTLS()
	u := s.url()
	u.Host = "localhost:" + u.Port()
	startBinary(t, "--ca="+ca.CertFile, u.String()).expectClean("certificate is valid for see")
}

// So are close reasons, statuses, and the notices of --reconnect.
func TestForeignEnds(t *testing.T) {
	for _, protocol := range []string{channel.ProtocolWspipe, channel.ProtocolV5} {
		s := serve(t, nil, protocol)
		for code, reason := range map[websocket.StatusCode]string{1011: hostile, 1000: "signal " + hostile} {
			c := startBinary(t, "--subprotocol="+protocol, s.url().String())
			p := s.peer(t).hello(false)
			p.Close(code, reason)
			c.expectClean("see\uFFFD[2Jthis")
		}
		c := startBinary(t, "--subprotocol="+protocol, s.url().String())
		p := s.peer(t)
		p.send(channel.Error, `{"status":"Failure","message":"see`+strings.ReplaceAll("\x1b[2J\u009b", "\x1b", `\u001b`)+`"}`)
		p.Close(1000, "")
		c.expectClean("see\uFFFD[2J")
	}
	s := serve(t, nil, channel.ProtocolWspipe)
	r := start(t, Config{URL: s.url(), Reconnect: true})
	s.peer(t).Close(1001, hostile)
	if got := wait(t, "a notice", r.notices); !strings.Contains(got, "see\uFFFD[2Jthis") || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("got %q", got)
	}
}
