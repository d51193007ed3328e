//go:build linux

package wspipetest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// clientAddress is where clients come from: not where their proxy
// comes from, so that the two can be told apart.
const clientAddress = "127.0.0.2"

// alice is the Authorization of the one user that the proxies know.
var alice = "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:secret"))

// proxied is a proxy with its file of docs/deploy, and wspipe behind it with the
// command line that stands in this file.
type proxied struct {
	t          *testing.T
	dir        string
	file       string // the name of the proxy's file
	tls, plain string // where the proxy listens
	command    []string
	client     *http.Client
}

// newProxied returns one with a certificate, on free ports, whose proxy does not run yet.
func newProxied(t *testing.T, file string) *proxied {
	t.Helper()
	s := &proxied{t: t, dir: t.TempDir(), file: file, tls: freeAddress(t), plain: freeAddress(t)}
	ca := wspipetest.NewCA(t, "ca")
	wspipetest.WriteCertificate(t, s.dir, "proxy", ca.Issue(t, &x509.Certificate{DNSNames: []string{"chat.example.org"}}))
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress)}}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: ca.Pool()},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			to := map[string]string{"chat.example.org:443": s.tls, "chat.example.org:80": s.plain}[address]
			return dialer.DialContext(ctx, network, to)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

func (s *proxied) path(name string) string { return filepath.Join(s.dir, name) }

// adapt copies the file, with each first string of a pair replaced by
// the second. All of them must be there: the file cannot drift from its test.
func (s *proxied) adapt(pairs ...string) {
	s.t.Helper()
	text := read(s.t, filepath.Join("../../docs/deploy", s.file))
	for pair := range slices.Chunk(pairs, 2) {
		if !strings.Contains(text, pair[0]) {
			s.t.Fatalf("%s does not hold %q any more", s.file, pair[0])
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	write(s.t, s.path(s.file), text)
	_, line, _ := strings.Cut(text, "#     wspipe ")
	line, _, ok := strings.Cut(line, " COMMAND\n")
	if !ok {
		s.t.Fatalf("%s does not say how to run wspipe", s.file)
	}
	s.command = strings.Fields(line)
}

// start runs the proxy, in the foreground, until the test ends.
func (s *proxied) start(cmd *exec.Cmd) {
	s.t.Helper()
	ended := runUntilTestEnds(s.t, cmd)
	until(s.t, "the proxy listens", func() bool {
		select {
		case <-ended:
			s.t.Fatal("the proxy has ended")
		default:
		}
		return canDial("tcp", s.tls) && canDial("tcp", s.plain)
	})
}

// serve runs script behind the proxy until t ends.
func (s *proxied) serve(t *testing.T, script string, flags ...string) *wspipetest.Server {
	t.Helper()
	args := slices.Concat(s.command, []string{"--pingms=2000"}, flags, []string{"/bin/sh", "-c", script})
	return wspipetest.StartCommand(t, exec.Command(wspipetest.Binary(t), args...))
}

// dial connects as alice, who is on clientAddress.
func (s *proxied) dial(t *testing.T, header http.Header) *wspipetest.Client {
	t.Helper()
	return s.dialRoom(t, "", header)
}

// dialRoom is dial with more of a query.
func (s *proxied) dialRoom(t *testing.T, query string, header http.Header) *wspipetest.Client {
	t.Helper()
	if header == nil {
		header = make(http.Header)
	}
	header.Set("Authorization", alice)
	return wspipetest.Dial(t, "wss://chat.example.org/room?a=1&b=2"+query, &websocket.DialOptions{HTTPClient: s.client, HTTPHeader: header})
}

// refused is dial for a connection that must not come about; alice is the
// default.
func (s *proxied) refused(t *testing.T, header http.Header) (status int, body string) {
	t.Helper()
	if header.Values("Authorization") == nil {
		header.Set("Authorization", alice)
	}
	conn, resp, err := websocket.Dial(t.Context(), "wss://chat.example.org/room", &websocket.DialOptions{HTTPClient: s.client, HTTPHeader: header})
	if err == nil {
		conn.CloseNow()
		t.Fatalf("%v is let in", header)
	}
	if resp == nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// runUntilTestEnds starts cmd, and ends it with SIGTERM with the test, which
// shows what cmd has written if it fails. The channel is closed when cmd ends.
func runUntilTestEnds(t *testing.T, cmd *exec.Cmd) (ended <-chan struct{}) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // cmd has its own
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // if the tests are killed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends with cmd; unblocked by the signals below
		defer close(done)
		cmd.Wait()
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(wspipetest.Patience):
			t.Errorf("%s does not end", cmd.Path)
			cmd.Process.Kill()
			<-done
		}
		if t.Failed() {
			t.Logf("%s wrote:\n%s", cmd.Path, read(t, log.Name()))
		}
	})
	return done
}

// freeAddress returns a loopback address for a program that cannot pick a port
// itself. It is below those that the system gives to whoever asks for any
// (ip_local_port_range), or somebody could have it in the meantime.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := "127.0.0.1:" + strconv.Itoa(20_000+mathrand.IntN(12_000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("there is no free port")
	return ""
}

func canDial(network, address string) bool {
	conn, err := net.Dial(network, address)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// run returns what a program says that must succeed.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}
