//go:build unix

package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/access"
	"wspipe/server/listen"
	"wspipe/server/watch"
)

// copyTo replaces to by a copy of from, with a rename.
func copyTo(t *testing.T, from, to string) {
	t.Helper()
	concat(t, to+".new", from)
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

// shown returns the name in the certificate of a new handshake.
func shown(t *testing.T, s *testServer, ca *testCA) string {
	t.Helper()
	state, err := getTLS(t, s.ws, ca.client(t))
	if err != nil {
		t.Fatal(err)
	}
	return state.PeerCertificates[0].Subject.CommonName
}

// awaitShown waits until new handshakes get the certificate of name.
func awaitShown(t *testing.T, s *testServer, ca *testCA, name string) {
	t.Helper()
	for end := time.Now().Add(wspipetest.Patience); ; {
		got := shown(t, s, ca)
		if got == name {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the certificate is that of %s, want %s", got, name)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// certFiles are the paths of a server's certificate and key.
type certFiles struct {
	cert, key string
	// put replaces them by those that were issued as name in dir.
	put func(t *testing.T, dir, name string)
}

// renamed returns files that are replaced one after the other.
func renamed(t *testing.T) certFiles {
	dir := t.TempDir()
	f := certFiles{cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key")}
	f.put = func(t *testing.T, from, name string) {
		copyTo(t, filepath.Join(from, name+".pem"), f.cert)
		copyTo(t, filepath.Join(from, name+".key"), f.key)
	}
	return f
}

// mounted returns files as Kubernetes mounts a Secret: links through a link to a directory, which is
// replaced.
func mounted(t *testing.T) certFiles {
	dir := t.TempDir()
	f := certFiles{cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key")}
	err := errors.Join(os.Symlink("..data/tls.crt", f.cert), os.Symlink("..data/tls.key", f.key))
	if err != nil {
		t.Fatal(err)
	}
	f.put = func(t *testing.T, from, name string) {
		version, link, next := filepath.Join(dir, ".."+name), filepath.Join(dir, "..data"), filepath.Join(dir, "..data_tmp")
		if err := os.Mkdir(version, 0o755); err != nil {
			t.Fatal(err)
		}
		copyTo(t, filepath.Join(from, name+".pem"), filepath.Join(version, "tls.crt"))
		copyTo(t, filepath.Join(from, name+".key"), filepath.Join(version, "tls.key"))
		old, _ := os.Readlink(link)
		if err := errors.Join(os.Symlink(".."+name, next), os.Rename(next, link)); err != nil {
			t.Fatal(err)
		}
		if old != "" {
			os.RemoveAll(filepath.Join(dir, old))
		}
	}
	return f
}

// TestCertificateIsReplacedUnderLoad: clients connect all the time while the files change, and no
// connection fails.
func TestCertificateIsReplacedUnderLoad(t *testing.T) {
	for name, newFiles := range map[string]func(*testing.T) certFiles{"renamed": renamed, "mounted": mounted} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca, issued, files := newCA(t), t.TempDir(), newFiles(t)
			ca.issue(t, issued, "cert0", "127.0.0.1")
			files.put(t, issued, "cert0")
			s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Sockets: listen.Sockets{TLS: &listen.TLS{Cert: files.cert, Key: files.key}}})
			old := wspipetest.Dial(t, s.ws, over(t, ca.client(t)))
			opened := load(t, s, ca)
			for i := 1; i <= 3; i++ {
				before := opened.Load()
				name := fmt.Sprintf("cert%d", i)
				ca.issue(t, issued, name, "127.0.0.1")
				files.put(t, issued, name)
				awaitShown(t, s, ca, name)
				old.Send(name)
				old.Expect(name)
				wspipetest.Eventually(t, "others are connected", func() bool { return opened.Load() > before+2 })
			}
		})
	}
}

// load connects to s and echoes on each connection until the end of the test. It returns how often.
func load(t *testing.T, s *testServer, ca *testCA) *atomic.Int64 {
	var opened atomic.Int64
	var workers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		opt := over(t, ca.client(t))
		opt.HTTPClient.Transport.(*http.Transport).TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		workers.Go(func() { // ends with done
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := echoOnce(s.ws, opt); err != nil {
					t.Errorf("connection %d: %v", opened.Load(), err)
					return
				}
				opened.Add(1)
			}
		})
	}
	t.Cleanup(func() {
		close(done)
		workers.Wait()
	})
	return &opened
}

// echoOnce opens a connection, echoes once and closes it.
func echoOnce(url string, opt *websocket.DialOptions) error {
	ctx, cancel := context.WithTimeout(context.Background(), wspipetest.Patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, opt)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, []byte("x")); err != nil {
		return err
	}
	if _, _, err := conn.Read(ctx); err != nil {
		return err
	}
	return conn.Close(1000, "")
}

// TestBrokenFilesKeepTheOldCertificate: with invalid files, the server keeps its certificate and logs
// one error.
func TestBrokenFilesKeepTheOldCertificate(t *testing.T) {
	t.Parallel()
	const complaint = `"level":"ERROR","msg":"cannot reload`
	ca, issued, files := newCA(t), t.TempDir(), renamed(t)
	goodCert, goodKey := ca.issue(t, issued, "good", "127.0.0.1")
	otherCert, _ := ca.issue(t, issued, "other", "127.0.0.1")
	whole, err := os.ReadFile(goodCert)
	if err != nil {
		t.Fatal(err)
	}
	files.put(t, issued, "good")
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Sockets: listen.Sockets{TLS: &listen.TLS{Cert: files.cert, Key: files.key}}})
	// complaints makes new connections, which check the files, until the log has n errors, or for the
	// time most.
	complaints := func(n int, most time.Duration) int {
		for end := time.Now().Add(most); ; <-time.After(50 * time.Millisecond) {
			if got := shown(t, s, ca); got != "good" {
				t.Fatalf("the certificate is that of %s", got)
			}
			if now := strings.Count(s.log.String(), complaint); now >= n || time.Now().After(end) {
				return now
			}
		}
	}
	spoils := []func() error{
		func() error { copyTo(t, otherCert, files.cert); return nil },                                 // of another key
		func() error { return os.WriteFile(files.cert, whole[:len(whole)/2], 0o600) },                 // half-written
		func() error { return os.Truncate(files.cert, 0) },                                            // as at the start of a write
		func() error { return os.WriteFile(files.key, []byte("not a key\n"), 0o600) },                 // invalid
		func() error { return errors.Join(os.Remove(files.cert), syscall.Mkfifo(files.cert, 0o600)) }, // without a writer
		func() error { return errors.Join(os.Remove(files.cert), os.Remove(files.key)) },
	}
	for i, spoil := range spoils {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if n := complaints(i+1, wspipetest.Patience); n != i+1 {
			t.Fatalf("%d complaints about %d changes:\n%s", n, i+1, s.log.String())
		}
	}
	if n := complaints(len(spoils)+1, 2*watch.Interval+watch.Interval/2); n != len(spoils) {
		t.Errorf("it complains again without a change:\n%s", s.log.String())
	}
	ca.issue(t, issued, "next", "127.0.0.1")
	files.put(t, issued, "next")
	awaitShown(t, s, ca, "next")
	concat(t, files.cert, goodCert) // in place, as cp does
	concat(t, files.key, goodKey)
	awaitShown(t, s, ca, "good")
}

// Reload is for files that change without visible signs.
func TestReloadReadsEverything(t *testing.T) {
	t.Parallel()
	ca, issued, files := newCA(t), t.TempDir(), renamed(t)
	stamp := time.Now().Add(-time.Hour)
	// fill overwrites the files and keeps their sizes and times.
	fill := func(name string) {
		for suffix, to := range map[string]string{".pem": files.cert, ".key": files.key} {
			content, err := os.ReadFile(filepath.Join(issued, name+suffix))
			if err != nil {
				t.Fatal(err)
			}
			content = append(content, bytes.Repeat([]byte("\n"), 4096-len(content))...)
			if err := errors.Join(os.WriteFile(to, content, 0o600), os.Chtimes(to, stamp, stamp)); err != nil {
				t.Fatal(err)
			}
		}
	}
	ca.issue(t, issued, "one", "127.0.0.1")
	ca.issue(t, issued, "two", "127.0.0.1")
	fill("one")
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Sockets: listen.Sockets{TLS: &listen.TLS{Cert: files.cert, Key: files.key}}})
	if got := shown(t, s, ca); got != "one" {
		t.Fatalf("the certificate is that of %s", got)
	}
	fill("two")
	for end := time.Now().Add(2 * watch.Interval); time.Now().Before(end); <-time.After(100 * time.Millisecond) {
		if got := shown(t, s, ca); got != "one" {
			t.Fatalf("the files show that they have changed: %s", got)
		}
	}
	s.Reload()
	if got := shown(t, s, ca); got != "two" {
		t.Errorf("the certificate is that of %s", got)
	}
}

// TestPipesAreReadOnce: <(...) of a shell is a pipe, which is empty after the first read.
func TestPipesAreReadOnce(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fmt.Fprintln(w, "sesame")
	w.Close()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}, Console: true, Rules: access.Rules{Auth: access.Auth{TokenFile: fmt.Sprintf("/dev/fd/%d", r.Fd())}}})
	s.Reload()
	s.log.Await(t, "not a regular file", 1)
	if resp, body := fetch(t, "GET", s.http(""), nil, "Authorization", "Bearer sesame"); resp.StatusCode != 200 {
		t.Errorf("got %d %.100q", resp.StatusCode, body)
	}
}

func TestClientCAIsReplaced(t *testing.T) {
	t.Parallel()
	ours, next := newCA(t), newCA(t)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	concat(t, roots, ours.file)
	s := serveTLS(t, ours, `exec cat`, server.Config{Sockets: listen.Sockets{TLS: &listen.TLS{ClientCA: roots}}})
	alice, aliceKey := ours.issue(t, t.TempDir(), "alice")
	bob, bobKey := next.issue(t, t.TempDir(), "bob")
	before, after := ours.client(t, alice, aliceKey), ours.client(t, bob, bobKey)
	session := wspipetest.Dial(t, s.ws, over(t, before))
	if _, err := getTLS(t, s.ws, after); err == nil {
		t.Error("a certificate of a CA to come is let in")
	}
	copyTo(t, next.file, roots)
	for end := time.Now().Add(wspipetest.Patience); ; {
		_, err := getTLS(t, s.ws, after)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		<-time.After(50 * time.Millisecond)
	}
	if _, err := getTLS(t, s.ws, before); err == nil {
		t.Error("a certificate of the CA that has gone is let in")
	}
	session.Send("x") // begun when the certificate was valid
	session.Expect("x")
}
