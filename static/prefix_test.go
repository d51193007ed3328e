//go:build unix

package static_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// prefixed is nginx in front of server, which takes the prefix /term off. It
// returns the server as a browser sees it.
func prefixed(t *testing.T, server *wspipetest.Server, settings string) (behind *wspipetest.Server) {
	t.Helper()
	nginx := wspipetest.Need(t, "nginx")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	dir := t.TempDir()
	config := fmt.Sprintf("daemon off; user root; worker_processes 1; pid %s/pid; error_log stderr;\nevents {}\nhttp {\n\taccess_log off;\n", dir)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		config += fmt.Sprintf("\t%s_temp_path %s/%[1]s;\n", kind, dir)
	}
	_, backend, _ := strings.Cut(server.WS, "://")
	config += fmt.Sprintf("\tserver {\n\t\tlisten %s;\n\t\tlocation /term/ { proxy_pass http://%s; %s }\n\t}\n}\n", l.Addr(), backend, settings)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-e", "stderr", "-p", dir, "-c", file)
	cmd.Env = append(os.Environ(), "NGINX=3;") // it listens already: nobody else can take the port
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // its worker would outlive SIGKILL
		cmd.Wait()
	})
	return &wspipetest.Server{WS: "ws://" + l.Addr().String() + "/term/"}
}

// passesUpgrades is what nginx needs for WebSockets.
const passesUpgrades = "proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"

// TestBehindAPrefix: a proxy takes a prefix off the path. Neither the console nor
// the server knows of it.
func TestBehindAPrefix(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "one.sh"), "#!/bin/sh\necho \"one $PATH_INFO\"; exec cat")
	write(t, filepath.Join(dir, "sub/two.sh"), "#!/bin/sh\necho two; exec cat")
	server := wspipetest.Start(t, "--devconsole", "--dir="+dir)
	behind := prefixed(t, server, passesUpgrades)
	for _, path := range []string{"one.sh", "one.sh/a/b", "sub/two.sh", "sub/"} {
		p := newPage(t, behind, path)
		if got := eval[string](p, `address.value`); got != behind.WS+path {
			t.Errorf("at /term/%s the address is %s", path, got)
		}
		p.Until(`[...document.querySelectorAll("#endpoint-list a")].map((a) => a.pathname + " " + a.textContent).join() === "/term/one.sh /one.sh,/term/sub/two.sh /sub/two.sh"`)
		if path == "sub/" {
			p.connect()
			p.wantStatus("Refused: 404", "No WebSocket endpoint at this path.")
			p.Do(chromedp.Click(chromedp.CSS("#endpoint-list li:first-child a")))
			p.Until(`location.pathname === "/term/one.sh"`)
			p.ready()
		}
		p.connect()
		p.send("hello")
		p.received("hello")
		if path != "sub/" { // where it is in the log that there was none
			p.WantNoErrors()
		}
	}
	// Another address of the same host is not ours.
	p := newPage(t, behind, "one.sh")
	p.run(`address.value = "/other/x"; address.dispatchEvent(new Event("change"))`)
	p.Until(`!document.querySelector("#facts li")`)
}

// TestTerminalBehindAPrefix: its parts are loaded later.
func TestTerminalBehindAPrefix(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, prefixed(t, bash(t), passesUpgrades))
	p.shows(`> `)
	p.WantNoErrors()
}

// TestTokenBehindAPrefix: who has the page by a token gets its parts, too.
func TestTokenBehindAPrefix(t *testing.T) {
	t.Parallel()
	server := wspipetest.Start(t, "--devconsole", "--token-file="+tokenFile(t), "cat")
	for _, path := range []string{"", "a/b"} {
		p := newPage(t, prefixed(t, server, passesUpgrades), path+"?access_token=T-._~%2B/sesame==")
		p.connect()
		p.send("hello")
		p.received("hello")
		p.WantNoErrors()
	}
}

// TestPrefixWithoutUpgrades: what nginx does by itself is enough for the page, which
// says what the connection needs.
func TestPrefixWithoutUpgrades(t *testing.T) {
	t.Parallel()
	p := newPage(t, prefixed(t, shell(t, `exec cat`), "proxy_http_version 1.0;"), "a/b")
	p.connect()
	p.wantStatus("Refused: 426", "nginx needs proxy_http_version 1.1")
}
