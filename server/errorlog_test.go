//go:build unix

package server

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"wspipe/cmd/wspipetest"
)

// TestErrorLogHasLevels: panics are logged as errors.
func TestErrorLogHasLevels(t *testing.T) {
	t.Parallel()
	out := &wspipetest.Log{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hs := &http.Server{
		Handler:  http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh no") }),
		ErrorLog: newErrorLog(slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	}
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
	out.Await(t, "oh no", 1)
	hs.Close()
	<-serving
	if want := "level=ERROR msg=\"http: panic serving 127.0.0.1"; !strings.Contains(out.String(), want) {
		t.Errorf("no %s in\n%s", want, out)
	}
}
