//go:build unix

package server

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// exhausted is a listener that fails once as one does without descriptors, and
// then for good.
type exhausted struct{ failed bool }

func (l *exhausted) Addr() net.Addr { return nil }
func (l *exhausted) Close() error   { return nil }

func (l *exhausted) Accept() (net.Conn, error) {
	if l.failed {
		return nil, net.ErrClosed
	}
	l.failed = true
	return nil, &net.OpError{Op: "accept", Err: temporary{errors.New("too many open files")}}
}

type temporary struct{ error }

func (temporary) Temporary() bool { return true }
func (temporary) Timeout() bool   { return false }

// TestErrorLogHasLevels: what an operator must know is not for debugging only.
func TestErrorLogHasLevels(t *testing.T) {
	t.Parallel()
	out := &logBuffer{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hs := &http.Server{
		Handler:  http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh no") }),
		ErrorLog: newErrorLog(slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	}
	hs.Serve(&exhausted{})
	serving := make(chan bool)
	go func() { // ends when hs is closed
		defer close(serving)
		hs.Serve(l)
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
	out.await(t, "oh no", 1)
	hs.Close()
	<-serving
	for _, want := range []string{"level=WARN msg=\"http: Accept error: accept: too many open files", "level=ERROR msg=\"http: panic serving 127.0.0.1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}
