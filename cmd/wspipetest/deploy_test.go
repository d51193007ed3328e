//go:build linux

package wspipetest_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

func TestBehindNginx(t *testing.T) {
	t.Parallel()
	nginx := need(t, "nginx")
	s := newProxied(t, "nginx.conf")
	write(t, s.path("htpasswd"), "alice:"+run(t, need(t, "openssl"), "passwd", "-6", "secret"))
	s.adapt(
		"/run/wspipe/wspipe.sock", s.path("wspipe.sock"),
		"listen 443 ssl;", "listen "+s.tls+" ssl;",
		"listen [::]:443 ssl;", "",
		"listen 80;", "listen "+s.plain+";",
		"listen [::]:80;", "",
		"/etc/letsencrypt/live/chat.example.org/fullchain.pem", s.path("proxy.pem"),
		"/etc/letsencrypt/live/chat.example.org/privkey.pem", s.path("proxy.key"),
		"/etc/nginx/wspipe.htpasswd", s.path("htpasswd"),
		"proxy_read_timeout 60s;", "proxy_read_timeout 5s;", // see survivesSilence
	)
	// What a distribution's own nginx.conf has around it. One process, and
	// nothing outside the directory.
	main := "daemon off; master_process off; pid " + s.path("pid") + ";\nevents {}\nhttp {\n\taccess_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += "\t" + kind + "_temp_path " + s.path(kind) + ";\n"
	}
	write(t, s.path("main.conf"), main+"\tinclude "+s.path("nginx.conf")+";\n}\n")
	args := []string{"-e", "stderr", "-p", s.dir, "-c", s.path("main.conf")}
	if out := run(t, nginx, append(args, "-t")...); strings.Contains(out, "[warn]") {
		t.Errorf("nginx warns:\n%s", out)
	}
	s.start(exec.Command(nginx, args...))
	s.check()
	s.survivesSilence()
}

func TestBehindHAProxy(t *testing.T) {
	t.Parallel()
	haproxy := need(t, "haproxy")
	s := newProxied(t, "haproxy.cfg")
	backend := freeAddress(t)
	_, port, _ := strings.Cut(backend, ":")
	write(t, s.path("both.pem"), read(t, s.path("proxy.pem"))+read(t, s.path("proxy.key")))
	s.adapt(
		"--port=8080", "--port="+port,
		"server wspipe 127.0.0.1:8080", "server wspipe "+backend,
		"bind :80\n", "bind "+s.plain+"\n",
		"bind :443 ", "bind "+s.tls+" ",
		"/etc/haproxy/certs/chat.example.org.pem", s.path("both.pem"),
		"password HASH", "password "+strings.TrimSpace(run(t, need(t, "openssl"), "passwd", "-6", "secret")),
		"timeout tunnel 60s", "timeout tunnel 5s", // see survivesSilence
	)
	run(t, haproxy, "-c", "-dW", "-f", s.path("haproxy.cfg")) // a warning is an error
	checked := regexp.MustCompile(`# (option httpchk|http-check |default-server )`).ReplaceAllString(read(t, s.path("haproxy.cfg")), "$1")
	write(t, s.path("checked.cfg"), checked)
	run(t, haproxy, "-c", "-dW", "-f", s.path("checked.cfg"))
	s.start(exec.Command(haproxy, "-db", "-f", s.path("haproxy.cfg")))
	s.check()
	s.survivesSilence()
}

func TestBehindCaddy(t *testing.T) {
	t.Parallel()
	caddy := need(t, "caddy")
	s := newProxied(t, "Caddyfile")
	_, tlsPort, _ := strings.Cut(s.tls, ":")
	_, plainPort, _ := strings.Cut(s.plain, ":")
	s.adapt(
		"/run/wspipe/wspipe.sock", s.path("wspipe.sock"),
		"# tls /etc/ssl/certs/chat.example.org.pem /etc/ssl/private/chat.example.org.key", "tls "+s.path("proxy.pem")+" "+s.path("proxy.key"),
		"alice HASH", "alice "+run(t, caddy, "hash-password", "--plaintext", "secret"),
	)
	admin := "unix/" + s.path("admin.sock")
	options := "{\n\tadmin " + admin + "\n\tdefault_bind 127.0.0.1\n\thttp_port " + plainPort + "\n\thttps_port " + tlsPort + "\n}\n"
	write(t, s.path("Caddyfile"), options+read(t, s.path("Caddyfile")))
	args := []string{"--adapter", "caddyfile", "--config", s.path("Caddyfile")}
	run(t, caddy, append([]string{"validate"}, args...)...)
	cmd := exec.Command(caddy, append([]string{"run"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir)
	s.start(cmd)
	s.check()
	s.survivesReload(func() {
		run(t, caddy, append([]string{"reload", "--force", "--address", admin}, args...)...)
	})
}

// check shows that all of wspipe is there through the proxy, and that the
// proxy says the truth about the client.
func (s *proxied) check() {
	s.t.Run("text", s.passesText)
	s.t.Run("bytes", s.passesBytes)
	s.t.Run("at once", s.passesALoneLine)
	s.t.Run("plain answer at once", s.passesALoneLineOfCGI)
	s.t.Run("environment", s.tellsTheTruth)
	s.t.Run("origin", s.asksForTheOrigin)
	s.t.Run("password", s.asksForThePassword)
	s.t.Run("end", s.passesTheEnd)
}

const longMessage = 100_000

func (s *proxied) passesText(t *testing.T) {
	s.serve(t, "cat")
	c := s.dial(t, nil)
	long := strings.Repeat("x", longMessage)
	c.Send("hello", "grüße", long)
	c.Expect("hello", "grüße", long)
}

func (s *proxied) passesBytes(t *testing.T) {
	s.serve(t, "cat", "--binary")
	c := s.dial(t, nil)
	sent := make([]byte, longMessage)
	for i := range sent {
		sent[i] = byte(i * 7 >> 3)
	}
	if err := c.Write(c.Ctx, websocket.MessageBinary, sent); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for len(got) < len(sent) {
		kind, p, err := c.Read(c.Ctx)
		if err != nil || kind != websocket.MessageBinary {
			t.Fatalf("%v after %d bytes: %v", kind, len(got), err)
		}
		got = append(got, p...)
	}
	if !slices.Equal(got, sent) {
		t.Error("the bytes came back changed")
	}
}

// passesALoneLine would wait in vain if the proxy kept the line until more
// comes.
func (s *proxied) passesALoneLine(t *testing.T) {
	s.serve(t, `echo ready; read -r line; echo "got $line"; read -r line`)
	c := s.dial(t, nil)
	c.Expect("ready")
	c.Send("this")
	c.Expect("got this")
}

// passesALoneLineOfCGI: the same for the answer to a plain request.
func (s *proxied) passesALoneLineOfCGI(t *testing.T) {
	dir, fifo := t.TempDir(), filepath.Join(t.TempDir(), "fifo")
	program := filepath.Join(dir, "slow")
	wspipetest.WriteFile(t, program, "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nready\\n'; read -r line <"+fifo+"; echo \"got $line\"\n")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	s.serve(t, "cat", "--cgidir="+dir)
	ctx, cancel := context.WithTimeout(t.Context(), wspipetest.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "https://chat.example.org/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", alice)
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := bufio.NewReader(resp.Body)
	if got, err := body.ReadString('\n'); got != "ready\n" {
		t.Fatalf("%s: %q %v", resp.Status, got, err)
	}
	write(t, fifo, "this\n") // waits until the program reads
	if got, err := io.ReadAll(body); string(got) != "got this\n" {
		t.Errorf("got %q %v", got, err)
	}
}

// tellsTheTruth: a client writes in its request what only the proxy may say.
func (s *proxied) tellsTheTruth(t *testing.T) {
	s.serve(t, "exec env")
	c := s.dial(t, http.Header{
		"X-Forwarded-For":   {"203.0.113.9", "203.0.113.9, 127.0.0.1"},
		"X-Forwarded-Proto": {"http"},
		"Forwarded":         {"for=203.0.113.9;proto=http"},
		"X-Remote-User":     {"mallory", "mallory"},
		"x_remote_user":     {"mallory"},
	})
	env := c.ExpectEnd(1000, "exit 0")
	for _, want := range []string{
		"REMOTE_ADDR=" + clientAddress, "HTTPS=on", "HTTP_HOST=chat.example.org", "SERVER_NAME=chat.example.org", "SERVER_PORT=443",
		"REMOTE_USER=alice", "PATH_INFO=/room", "QUERY_STRING=a=1&b=2",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("the child's environment lacks %s", want)
		}
	}
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		if strings.Contains(value, "mallory") || strings.HasPrefix(name, "REMOTE_") && strings.Contains(value, "203.0.113.9") {
			t.Errorf("what the client forged is believed: %s", variable)
		}
		if strings.Contains(value, strings.TrimPrefix(alice, "Basic ")) {
			t.Errorf("the child knows the password: %s", name)
		}
	}
	if t.Failed() {
		t.Logf("the environment:\n%s", strings.Join(env, "\n"))
	}
}

func (s *proxied) asksForTheOrigin(t *testing.T) {
	s.serve(t, "echo hi")
	s.dial(t, http.Header{"Origin": {"https://chat.example.org"}}).Expect("hi")
	for _, foreign := range []string{"https://evil.example", "http://chat.example.org", "https://chat.example.org:444"} {
		if status, body := s.refused(t, http.Header{"Origin": {foreign}}); status != http.StatusForbidden || !strings.Contains(body, "--origin="+foreign) {
			t.Errorf("a page of %s got %d: %s", foreign, status, body)
		}
	}
}

// asksForThePassword: nothing gets past the proxy without one, nor without TLS.
func (s *proxied) asksForThePassword(t *testing.T) {
	wspipe := s.serve(t, "echo hi")
	for _, password := range []string{"", "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:wrong")), "Bearer secret"} {
		status, _ := s.refused(t, http.Header{"Authorization": {password}, "X-Remote-User": {"alice"}})
		if status != http.StatusUnauthorized {
			t.Errorf("Authorization %q got %d", password, status)
		}
	}
	resp, err := s.client.Get("http://chat.example.org/room")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if to := resp.Header.Get("Location"); resp.StatusCode/100 != 3 || !strings.HasPrefix(to, "https://chat.example.org") {
		t.Errorf("without TLS: %s to %q", resp.Status, to)
	}
	if log := wspipe.Stderr(); strings.Contains(log, "msg=request") {
		t.Errorf("these came through:\n%s", log)
	}
}

func (s *proxied) passesTheEnd(t *testing.T) {
	s.serve(t, `echo $$; read -r what; case $what in sleep) exec sleep 1000;; esac; exit 3`)
	failing := s.dial(t, nil)
	readPid(t, failing)
	failing.Send("fail")
	failing.ExpectEnd(1000, "exit 3")

	vanishing := s.dial(t, nil)
	pid := readPid(t, vanishing)
	vanishing.Send("sleep")
	vanishing.CloseNow()
	until(t, "the child of a vanished client is gone", func() bool { return gone(-pid) })
}

// survivesSilence: the proxy gives up a WebSocket that has been silent for 5 s
// (60 s in the file), unless wspipe pings, which the client answers.
func (s *proxied) survivesSilence() {
	s.t.Run("silence", func(t *testing.T) {
		s.serve(t, "sleep 8; echo still here")
		s.dial(t, nil).Expect("still here")
	})
}

// survivesReload: a reload closes the WebSocket, with frames that need not be valid,
// and a session goes on over the next one.
func (s *proxied) survivesReload(reload func()) {
	s.t.Run("reload", func(t *testing.T) {
		wspipe := s.serve(t, "echo $$; exec cat", "--resume=1h")
		session := "&wspipe_session=" + rand.Text()
		c := s.dialRoom(t, session, nil)
		pid := readPid(t, c)
		reload()
		c.Rest()
		wspipe.AwaitStderr("msg=disconnect ")
		c = s.dialRoom(t, session+"&wspipe_after=1", nil)
		c.Send("hello")
		c.Expect("hello")
		if gone(pid) {
			t.Error("the child was stopped")
		}
	})
}

// need is wspipetest.Need for programs that not everybody has in PATH.
func need(t *testing.T, program string) string {
	t.Helper()
	if sbin, err := exec.LookPath(filepath.Join("/usr/sbin", program)); err == nil {
		return sbin
	}
	return wspipetest.Need(t, program)
}
