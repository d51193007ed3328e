//go:build unix

package kubernetes_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"

	"wspipe/cmd/wspipetest"
)

// wantRefusal fails the test if err does not tell that s has refused the
// handshake, and why.
func wantRefusal(t *testing.T, err error, why string) {
	t.Helper()
	if !httpstream.IsUpgradeFailure(err) {
		t.Errorf("got error %v, want a refused handshake", err)
	}
	wantError(t, err, why)
}

func TestNoRoom(t *testing.T) {
	t.Parallel()
	s := startShell(t, "echo ready; exec cat", "--maxforks=1")
	stdin, keys := keyboard(t)
	x := newClient(t, s).begin(t, stdin)
	x.stdout.await(t, "ready\n")
	_, _, err := newClient(t, s).run(t, nil)
	wantRefusal(t, err, "too many children (--maxforks)")
	keys.Close()
	x.expectEnd(0)
	var stdout string
	for late := time.Now().Add(wspipetest.Patience); httpstream.IsUpgradeFailure(err) && time.Now().Before(late); {
		stdout, _, err = newClient(t, s).run(t, strings.NewReader("")) // its place is free when its group is gone
	}
	wantStatus(t, err, 0)
	if stdout != "ready\n" {
		t.Errorf("the next command wrote %q", stdout)
	}
}

func TestBearerToken(t *testing.T) {
	t.Parallel()
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("first.token\nsecond.token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, startShell(t, `echo "$AUTH_TYPE"`, "--token-file="+tokens))
	for token, right := range map[string]bool{"first.token": true, "second.token": true, "third.token": false, "": false} {
		c.config.BearerToken = token
		stdout, _, err := c.run(t, nil)
		if !right {
			wantRefusal(t, err, "credentials (--token-file)")
			continue
		}
		wantStatus(t, err, 0)
		if want := "Bearer\n"; stdout != want {
			t.Errorf("got %q, want %q", stdout, want)
		}
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	c := newClient(t, startShell(t, `echo "$AUTH_TYPE $REMOTE_USER"`, "--basic-auth=ada:pass:word"))
	c.config.Username = "ada"
	for password, right := range map[string]bool{"pass:word": true, "pass": false, "": false} {
		c.config.Password = password
		stdout, _, err := c.run(t, nil)
		if !right {
			wantRefusal(t, err, "wrong credentials (--basic-auth)")
			continue
		}
		wantStatus(t, err, 0)
		if want := "Basic ada\n"; stdout != want {
			t.Errorf("got %q, want %q", stdout, want)
		}
	}
}

// TestTLS: each side must show a certificate of a root that the other trusts.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca, other := wspipetest.NewCA(t, "ca"), wspipetest.NewCA(t, "other")
	certFile, keyFile := ca.Server(t)
	s := startShell(t, `echo "$HTTPS $SSL_CLIENT_S_DN"`, "--ssl", "--sslcert="+certFile, "--sslkey="+keyFile, "--sslca="+ca.CertFile)
	dir := t.TempDir()
	c := newClient(t, s)
	trust := func(root string, signer *wspipetest.CA) {
		c.config = rest.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: root}}
		c.config.CertFile, c.config.KeyFile = wspipetest.WriteCertificate(t, dir, "ada", signer.Client(t, "ada"))
	}

	trust(ca.CertFile, ca)
	stdout, _, err := c.run(t, nil)
	wantStatus(t, err, 0)
	if want := "on CN=ada\n"; stdout != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
	trust(other.CertFile, ca)
	_, _, err = c.run(t, nil)
	wantError(t, err, "certificate signed by unknown authority")
	trust(ca.CertFile, other)
	_, _, err = c.run(t, nil)
	wantError(t, err, "tls: ")
}

// TestFallback: kubectl takes SPDY if a server refuses its WebSocket. It must
// not if a command has failed, which would run twice.
func TestFallback(t *testing.T) {
	t.Parallel()
	ran := filepath.Join(t.TempDir(), "ran")
	c := newClient(t, startShell(t, "echo ran >>"+ran+"; exit 3", "--basic-auth=ada:password"))
	c.config = rest.Config{Username: "ada", Password: "password"}
	wantStatus(t, c.fallBack(t), 3)
	if text, err := os.ReadFile(ran); err != nil || string(text) != "ran\n" {
		t.Errorf("the command left %q, %v", text, err)
	}
	c.config.Password = "wrong"
	wantError(t, c.fallBack(t), "unable to upgrade connection: ", "wrong credentials (--basic-auth)")
}

// fallBack runs the command as kubectl exec does, and returns its error.
func (c client) fallBack(t *testing.T) error {
	t.Helper()
	target, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	spdy, err := remotecommand.NewSPDYExecutor(&c.config, "POST", target)
	if err != nil {
		t.Fatal(err)
	}
	e, err := remotecommand.NewFallbackExecutor(c.executor(t), spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		t.Fatal(err)
	}
	return e.StreamWithContext(c.ctx, remotecommand.StreamOptions{Stdout: newSink(), Stderr: newSink()})
}
