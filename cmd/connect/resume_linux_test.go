package connect

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Data that our host has acknowledged is read to its end, although pings in it cannot be answered,
// because the server may have dropped it.
func TestResumeReadsDataBeforeLoss(t *testing.T) {
	const messages = 40
	var lost atomic.Bool
	reset := make(chan struct{})
	stuck := make(chan struct{}, 1)
	s := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if lost.Swap(true) {
				next.ServeHTTP(w, r)
				return
			}
			defer close(reset)
			accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			message := "\x82\x7e\x03\xe8" + strings.Repeat("x", 1000) // binary, 1000 bytes
			fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n%s",
				base64.StdEncoding.EncodeToString(accept[:]), message)
			wait(t, "its output is stuck", stuck)
			io.WriteString(conn, strings.Repeat("\x89\x00"+message, messages-1)) // a ping before each
			raw, _ := conn.(*net.TCPConn).SyscallConn()
			eventually(t, "the client's host has all", func() bool {
				left := 1
				raw.Control(func(fd uintptr) { left, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
				return left == 0
			})
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		})
	})
	r := start(t, Config{URL: s.url(), Resume: true, Stdout: writer(func(p []byte) (int, error) {
		select {
		case stuck <- struct{}{}:
		default:
		}
		<-reset
		return len(p), nil
	}), Subprotocols: []string{}})
	r.again("connection lost")
	p := s.peer(t)
	if _, after := p.asks(); after != fmt.Sprint(messages) {
		t.Errorf("came back after %s of %d", after, messages)
	}
	p.Close(1000, "exit 0")
	r.expect(0, "")
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
