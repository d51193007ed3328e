//go:build unix

package wspipetest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"wspipe/cmd/wspipetest"
)

// expectTrace checks that lines of a trace match patterns, in this order, and that each line is
// short, printable and free of secrets.
func expectTrace(t *testing.T, trace string, patterns ...string) {
	t.Helper()
	for line := range strings.Lines(trace) {
		line = strings.TrimSuffix(line, "\n")
		if !regexp.MustCompile(`^\d+\.\d{6} [<>=] `).MatchString(line) {
			continue // of the child or of wspipe
		}
		if utf8.RuneCountInString(line) >= 1000 || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Contains(line, "SECRET") {
			t.Errorf("got the line %q", line)
		}
		if len(patterns) > 0 && regexp.MustCompile(`^\d+\.\d{6} `+patterns[0]+`$`).MatchString(line) {
			patterns = patterns[1:]
		}
	}
	if len(patterns) > 0 {
		t.Errorf("no line matches %s in\n%s", patterns[0], trace)
	}
}

// tracePatterns are the lines of a connection to a wspipe that sends 5000 x.
var tracePatterns = []string{
	`> GET /chat\?access_token=\*\*\*&a=b HTTP/1.1`,
	`> Authorization: \*\*\*`,
	`> Cookie: \*\*\*`,
	`> Sec-Websocket-Extensions: permessage-deflate.*`,
	`< HTTP/1.1 101 Switching Protocols`,
	`< Sec-Websocket-Extensions: permessage-deflate.*`,
	`= .*key \S+ \+ GUID \S+, SHA-1 \w{40}, base64 \S+`,
	`> ping fin=1 rsv=000 mask=(\w{8}) len=1 header=8981\w{8} payload="1"`,
	`< text fin=1 rsv=100 mask=- len=\d+ plain=5000 header=c1\w\w payload="x{200}"\.\.\.`,
	`< close fin=1 rsv=000 mask=- len=8 header=8808 payload=03e8657869742033 code=1000 reason="exit 3" begun=server`,
	`> close fin=1 rsv=000 mask=\w{8} len=8 header=8888\w{8} payload=03e8657869742033 code=1000 reason="exit 3" begun=server`,
}

// TestTrace runs connect --trace over TCP, TLS and a proxy.
func TestTrace(t *testing.T) {
	t.Parallel()
	ca := wspipetest.NewCA(t, "ca")
	cert, key := ca.Server(t)
	program := []string{"--compress", "/bin/sh", "-c", `read a; printf "%s\n" "$a"; printf "%05000d\n" 0 | tr 0 x; exit 3`}
	plain := wspipetest.Start(t, program...)
	secure := wspipetest.Start(t, append([]string{"--ssl", "--sslcert=" + cert, "--sslkey=" + key}, program...)...)
	for name, test := range map[string]struct{ url, trust, proxy string }{
		"plain": {plain.WS, "--insecure", ""},
		"wss":   {secure.WS, "--ca=" + ca.CertFile, ""},
		"proxy": {strings.Replace(secure.WS, "127.0.0.1", "server.invalid", 1), "--insecure", proxy(t)},
	} {
		cmd := connectCommand(t, "--trace", "--compress", "--subprotocol=", test.trust, "--token=SECRET", "--header=Cookie: a=SECRET", test.url+"chat?access_token=SECRET&a=b")
		cmd.Env = append(cmd.Env, "HTTPS_PROXY="+test.proxy, "https_proxy="+test.proxy, "no_proxy=", "NO_PROXY=")
		var out, errs strings.Builder
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("hi\n"), &out, &errs
		if status := exitStatus(t, cmd.Run()); status != 3 || out.String() != "hi\n"+strings.Repeat("x", 5000)+"\n" {
			t.Errorf("%s: status %d, %q", name, status, out.String())
		}
		t.Log(name)
		expectTrace(t, errs.String(), tracePatterns...)
		expectTrace(t, errs.String(), `> text fin=1 rsv=000 mask=\w{8} len=2 header=8182\w{8} payload="hi"`, `< text fin=1 rsv=000 mask=- len=2 header=8102 payload="hi"`)
		expectTrace(t, errs.String(), `> ping .*`, `< pong fin=1 rsv=000 mask=- len=1 header=8a01 payload="1" rtt=\d+\.\dms`)
	}
}

// proxy starts an HTTP proxy, for which every host is this one, and returns its URL.
func proxy(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends when l is closed
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			r, err := http.ReadRequest(bufio.NewReader(near))
			if err != nil {
				near.Close()
				continue
			}
			_, port, _ := net.SplitHostPort(r.Host)
			far, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				near.Close()
				continue
			}
			io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
			go func() { // ends with the connection
				io.Copy(far, near)
				far.Close()
			}()
			go func() { // ends with the connection
				io.Copy(near, far)
				near.Close()
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestTraceOfAnyServer traces a server that is not wspipe.
func TestTraceOfAnyServer(t *testing.T) {
	t.Parallel()
	url := wspipetest.FirstLine(t, exec.Command(wspipetest.PythonWebsockets(t), "-c", `
import asyncio, websockets
async def handler(ws, path=None):
    text = await ws.recv()
    await ws.send(text * 100)
    await ws.close(4000, "done\u202e")
async def main():
    async with websockets.serve(handler, "127.0.0.1", 0) as server:
        print("ws://127.0.0.1:%d/" % server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())`))
	status, out, errs := connected(t, "hello\n", "--trace", "--compress", "--subprotocol=", url)
	if status != 255 || out != strings.Repeat("hello", 100)+"\n" {
		t.Errorf("status %d, %q", status, out)
	}
	expectTrace(t, errs, `> GET / HTTP/1.1`, `< HTTP/1.1 101 Switching Protocols`, `= Sec-WebSocket-Accept: .*`, `> ping .*`,
		`< text fin=1 rsv=100 mask=- len=\d+ plain=500 header=c1\w+ payload="(hello){40}"\.\.\.`,
		`< close .* code=4000 reason="done\\u202e" begun=server`, `> close .* begun=server`)
}

// TestTraceOfRefusal traces an opening handshake that fails, and each attempt of a redirect.
func TestTraceOfRefusal(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--basic-auth=me:sesame", "/bin/echo", "hi")
	status, _, errs := connected(t, "", "--trace", s.WS)
	if status != 255 {
		t.Errorf("status %d", status)
	}
	expectTrace(t, errs, `> GET / HTTP/1.1`, `< HTTP/1.1 401 Unauthorized`, `< Www-Authenticate: .*`, `= status 401 opens no WebSocket; the rest is not shown`)
}

// TestTraceToBlockedStderr: nobody reads the trace, so lines are lost and counted, and stdout goes on.
func TestTraceToBlockedStderr(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "/bin/sh", "-c", "seq 30000; read a; exit 4")
	cmd := connectCommand(t, "--trace", "--subprotocol=", s.WS)
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != "30000"; {
	}
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if strings.HasSuffix(lines.Text(), " lost") {
			fmt.Fprintln(stdin)
			break
		}
	}
	go io.Copy(io.Discard, stderr) // ends with the client
	if status := exitStatus(t, cmd.Wait()); status != 4 {
		t.Errorf("status %d", status)
	}
}

// TestTraceOnRawTerminal: each line of the trace begins at the left margin, also while the terminal
// is raw.
func TestTraceOnRawTerminal(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "--pty", "/bin/sh", "-c", "read a; exit 3")
	m := newTmux(t, 200, 50, fmt.Sprintf(`%s connect --trace '%s'; echo "status $?"; cat`, wspipetest.Binary(t), s.WS))
	m.until("ping", "pong")
	m.press("x", "Enter")
	m.until("status 3")
	for line := range strings.Lines(m.screen()) {
		if strings.Contains(line, " fin=1 ") && !regexp.MustCompile(`^(x\s*)?\d+\.\d{6} [<>] `).MatchString(line) {
			t.Errorf("got the line %q", line)
		}
	}
}
