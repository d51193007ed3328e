package wspipetest_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

const rawHandshake = "GET /%s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// TestInputBeforeAResetReachesTheChild: a client resets the connection while the child's output
// makes writes fail. The server is stopped meanwhile, so only its kernel has the input.
func TestInputBeforeAResetReachesTheChild(t *testing.T) {
	t.Parallel()
	const (
		count   = 3000
		message = "\x81\x86\x00\x00\x00\x00input\n" // with a mask of zeros
		ping    = "\x89\x80\x00\x00\x00\x00"
	)
	frames := strings.Repeat(ping+message, count)
	flood, event := "yes", `while :; do echo '{"to":"*","data":"y"}'; done`
	for name, test := range map[string]struct {
		flags              []string
		output, head, data string
	}{
		"plain":         {nil, flood, fmt.Sprintf(rawHandshake, ""), frames},
		"line-buffered": {[]string{"--line-buffered"}, flood, fmt.Sprintf(rawHandshake, ""), frames},
		"broadcast":     {[]string{"--share=broadcast", "--slow=block"}, flood, fmt.Sprintf(rawHandshake, ""), frames},
		"mux":           {[]string{"--share=mux", "--slow=block"}, event, fmt.Sprintf(rawHandshake, ""), frames},
		"resume":        {[]string{"--resume=1ms"}, flood, fmt.Sprintf(rawHandshake, "?"+aSession), frames},
		"HTTP": {[]string{"--http"}, flood, fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", 6*count+1),
			strings.Repeat("input\n", count)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "input")
			script := fmt.Sprintf(`trap "" INT TERM; %s & cat >%[2]s.part; mv %[2]s.part %[2]s; kill -9 $!`, test.output, file)
			s := wspipetest.Start(t, append(test.flags, "--loglevel=error", "--closems=60000", "bash", "-c", script)...)
			conn, err := net.Dial("tcp", strings.Trim(s.WS, "ws:/"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, test.head)
			for got := ""; !strings.Contains(got, "y"); got = readSome(t, conn) {
			}
			s.Signal(syscall.SIGSTOP)
			fmt.Fprint(conn, test.data)
			until(t, "all is acknowledged", func() bool { return wire.Unsent(conn) == 0 })
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
			s.Signal(syscall.SIGCONT)
			until(t, "the child has read its input", func() bool { return wspipetest.Exists(t, file) })
			if got := strings.Count(read(t, file), "input"); got != count {
				t.Errorf("the child got %d of %d messages", got, count)
			}
		})
	}
}

// readSome reads once.
func readSome(t *testing.T, conn net.Conn) string {
	t.Helper()
	p := make([]byte, 4096)
	n, err := conn.Read(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(p[:n])
}
