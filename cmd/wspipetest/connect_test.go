//go:build unix

package wspipetest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"wspipe/cmd/wspipetest"
)

// connectCommand returns a "wspipe connect" that is not started yet.
func connectCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*wspipetest.Patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, wspipetest.Binary(t), append([]string{"connect"}, args...)...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// connected runs "wspipe connect" with stdin and returns how it ended.
func connected(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := connectCommand(t, args...)
	var out, err bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &err
	return exitStatus(t, cmd.Run()), out.String(), err.String()
}

func exitStatus(t *testing.T, err error) int {
	t.Helper()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return 0
}

func TestConnectToLines(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "/bin/sh", "-c", `read a; read b; echo "$a and $b"; exit 3`)
	if status, out, errs := connected(t, "one\r\ntwo", "--subprotocol=", s.WS); status != 3 || out != "one and two\n" || errs != "" {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
}

func TestConnectSaysWhyNot(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--basic-auth=me:sesame", "/bin/echo", "hi")
	status, out, errs := connected(t, "", s.WS)
	if status != 255 || out != "" || !strings.Contains(errs, "the server answered 401 Unauthorized: wspipe: ") || !strings.Contains(errs, "\nwspipe: hint: --token=TOKEN or --basic-auth") {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
	withUser := strings.Replace(s.WS, "://", "://me:sesame@", 1)
	if status, out, errs := connected(t, "", withUser); status != 0 || out != "hi\n" || errs != "" {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
	status, _, errs = connected(t, "", strings.Replace(s.WS, "://", "://me:sesame2@", 1))
	if status != 255 || strings.Contains(errs, "sesame") {
		t.Errorf("status %d, %q", status, errs)
	}
}

func TestConnectToUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	s := wspipetest.StartCommand(t, exec.Command(wspipetest.Binary(t), "--unixsocket="+path, "/bin/echo", "hi"))
	if status, out, errs := connected(t, "", s.WS); status != 0 || out != "hi\n" || errs != "" {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
}

func TestConnectOverTLS(t *testing.T) {
	t.Parallel()
	ca := wspipetest.NewCA(t, "root")
	cert, key := ca.Server(t)
	s := wspipetest.Start(t, "--ssl", "--sslcert="+cert, "--sslkey="+key, "--sslca="+ca.CertFile, "/bin/sh", "-c", `echo "$SSL_CLIENT_S_DN"`)
	mine, myKey := wspipetest.WriteCertificate(t, t.TempDir(), "client", ca.Client(t, "me"))
	if status, out, errs := connected(t, "", "--ca="+ca.CertFile, "--cert="+mine, "--key="+myKey, s.WS); status != 0 || out != "CN=me\n" {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
	if status, _, errs := connected(t, "", s.WS); status != 255 || !strings.Contains(errs, "certificate signed by unknown authority") || !strings.Contains(errs, ": --ca=FILE") {
		t.Errorf("status %d, %q", status, errs)
	}
}

// A server that stops is an end, unless --reconnect finds it again.
func TestConnectAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	serve := func(script string) *wspipetest.Server {
		return wspipetest.StartCommand(t, exec.Command(wspipetest.Binary(t), "--unixsocket="+path, "/bin/sh", "-c", script))
	}
	s := serve("echo first; exec sleep 1000")
	cmd := connectCommand(t, "--reconnect", "unix:"+path)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	if n, err := stdout.Read(line); string(line[:n]) != "first\n" {
		t.Fatalf("got %q, %v", line[:n], err)
	}
	s.Signal(syscall.SIGTERM)
	s.Wait()
	serve("echo second; exit 3")
	if n, err := stdout.Read(line); string(line[:n]) != "second\n" {
		t.Fatalf("got %q, %v", line[:n], err)
	}
	if status := exitStatus(t, cmd.Wait()); status != 3 || !strings.Contains(errs.String(), "code 1001 (going away): server shutting down; reconnecting in ") {
		t.Errorf("status %d, %q", status, errs.String())
	}
}

// "| head -n 1" ends the program on the other side, and says nothing.
func TestConnectIntoAClosedPipe(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "/bin/sh", "-c", "echo $$; exec yes")
	out, err := exec.Command("bash", "-c", `"$0" connect "$1" </dev/null | head -n 1; exit ${PIPESTATUS[0]}`, wspipetest.Binary(t), s.WS).Output()
	if status := exitStatus(t, err); status != 141 {
		t.Errorf("status %d", status)
	}
	pid := atoi(t, strings.TrimSpace(string(out)))
	until(t, "the child is gone", func() bool { return gone(pid) })
}

// From here on the server has to know v1.wspipe.

// With wspipe on both sides, streams are bytes, the end of stdin arrives, and the
// exit status is the program's.
func TestConnectStreams(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "/bin/sh", "-c", `cat; echo err >&2; printf end; exit 3`)
	if status, out, errs := connected(t, "a\r\n\x00\xff", s.WS); status != 3 || out != "a\r\n\x00\xffend" || errs != "err\n" {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
	s = wspipetest.Start(t, "/bin/sh", "-c", `kill -KILL $$`)
	if status, out, errs := connected(t, "", s.WS); status != 137 || out+errs != "" {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
}

// 50 MB go through cat and come back.
func TestConnectBytesThereAndBack(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "cat")
	data := make([]byte, 50<<20)
	rand.Read(data)
	status, out, errs := connected(t, string(data), s.WS)
	if want, got := sha256.Sum256(data), sha256.Sum256([]byte(out)); status != 0 || got != want {
		t.Errorf("status %d, %d bytes, %s", status, len(out), errs)
	}
}

func TestConnectPassesSignals(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "/bin/sh", "-c", `trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.01; done`)
	cmd := connectCommand(t, s.WS)
	stdin, err := cmd.StdinPipe() // which stays open
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	if n, err := stdout.Read(line); string(line[:n]) != "ready\n" {
		t.Fatalf("got %q, %v", line[:n], err)
	}
	cmd.Process.Signal(os.Interrupt)
	if n, err := stdout.Read(line); string(line[:n]) != "caught\n" {
		t.Fatalf("got %q, %v", line[:n], err)
	}
	if status := exitStatus(t, cmd.Wait()); status != 7 {
		t.Errorf("status %d", status)
	}
}

// A shell behind a terminal on both sides.
func TestConnectTerminals(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--pty", "/bin/sh", "-c", `stty -echo; read go; stty size; trap 'stty size; exit 5' WINCH; echo ready; while :; do sleep 0.01; done`)
	cmd := connectCommand(t, s.WS)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 91, Rows: 17})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	fmt.Fprint(terminal, "go\r")
	var out strings.Builder
	await := func(text string) {
		t.Helper()
		for part := make([]byte, 1000); !strings.Contains(out.String(), text); {
			n, err := terminal.Read(part)
			out.Write(part[:n])
			if err != nil {
				t.Fatalf("%v after %q, waiting for %q", err, out.String(), text)
			}
		}
	}
	await("17 91\r\nready\r\n")
	if err := pty.Setsize(terminal, &pty.Winsize{Cols: 100, Rows: 30}); err != nil {
		t.Fatal(err)
	}
	await("30 100\r\n")
	if status := exitStatus(t, cmd.Wait()); status != 5 {
		t.Errorf("status %d: %q", status, out.String())
	}
}
