//go:build unix

package wspipetest_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// site is a running wspipe that is spoken to by hand.
type site struct {
	*wspipetest.Server
	host string // 127.0.0.1:port
	tls  *tls.Config
}

// startSite starts wspipe with more environment variables. The race detector
// would make bcrypt ten times as slow.
func startSite(t *testing.T, env []string, args ...string) *site {
	t.Helper()
	cmd := exec.Command(wspipetest.PlainBinary(t), append([]string{"--port=0"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	s := &site{Server: wspipetest.StartCommand(t, cmd)}
	scheme, rest, _ := strings.Cut(s.WS, "://")
	s.host = strings.TrimSuffix(rest, "/")
	if scheme == "wss" || scheme == "https" {
		s.tls = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
	}
	return s
}

// visit is a connection to a site.
type visit struct {
	net.Conn
	r *bufio.Reader
}

// dial connects from an address of this machine, 127.0.0.1 if it is empty, with
// a certificate if there is one.
func (s *site) dial(t *testing.T, from string, cert *tls.Certificate) (*visit, error) {
	t.Helper()
	d := net.Dialer{Timeout: wspipetest.Patience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.Dial("tcp", s.host)
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		wspipetest.Lack(t, "this machine has no address %s", from)
	} else if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(wspipetest.Patience))
	if s.tls != nil {
		config := s.tls.Clone()
		if cert != nil { // without a look at what roots the server has
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
		}
		secure := tls.Client(conn, config)
		if err := secure.Handshake(); err != nil {
			conn.Close()
			return nil, err
		}
		conn = secure
	}
	return &visit{conn, bufio.NewReader(conn)}, nil
}

// answer is what came for a request. A WebSocket's has its first message as body.
type answer struct {
	*http.Response
	body string
}

// ask sends a request as it is and reads the answer to it.
func (v *visit) ask(request string) (a answer, err error) {
	if _, err := io.WriteString(v, request); err != nil {
		return a, err
	}
	return v.answer(request)
}

func (v *visit) answer(request string) (a answer, err error) {
	method, _, _ := strings.Cut(request, " ")
	if a.Response, err = http.ReadResponse(v.r, &http.Request{Method: method}); err != nil {
		return a, err
	}
	if a.StatusCode == http.StatusSwitchingProtocols {
		a.body, err = v.message()
		return a, err
	}
	body, err := io.ReadAll(a.Body)
	a.body = string(body)
	return a, err
}

// message reads one unfragmented message, or "" for a close frame.
func (v *visit) message() (string, error) {
	var head [2]byte
	if _, err := io.ReadFull(v.r, head[:]); err != nil || head[0] != 0x81 {
		return "", err
	}
	size := int(head[1])
	if size == 126 {
		var long [2]byte
		if _, err := io.ReadFull(v.r, long[:]); err != nil {
			return "", err
		}
		size = int(long[0])<<8 | int(long[1])
	}
	payload := make([]byte, size)
	_, err := io.ReadFull(v.r, payload)
	return string(payload), err
}

// upgradeFields ask for a WebSocket.
const upgradeFields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// writeFiles writes files below dir; those that begin with #! can be run.
func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
}
