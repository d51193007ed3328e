//go:build unix

package server_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("wspipe/process.(*starter).run"), // never ends, like the watcher and the reaper
		goleak.IgnoreAnyFunction("wspipe/process.reaper"),
		goleak.IgnoreAnyFunction("wspipe/process.(*watcher).run"),
		// It ends after half a second, which is longer than goleak waits.
		goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"),
		goleak.Cleanup(func(code int) { os.Exit(code) }))
}

// sh returns a child that runs script.
func sh(script string) process.Spec {
	return process.Spec{Path: "/bin/sh", Args: []string{"-c", script}}
}

// testServer is a server on a free loopback port, which is stopped at the end of the test.
type testServer struct {
	*server.Server
	cfg    server.Config
	ws     string // its URL
	log    *wspipetest.Log
	stop   func() // starts the shutdown
	status chan int
}

// serve starts a server with cfg. At the end of the test it must stop cleanly. prepare is called before
// Serve.
func serve(t *testing.T, cfg server.Config, prepare ...func(*server.Server)) *testServer {
	t.Helper()
	ts := &testServer{log: &wspipetest.Log{}, status: make(chan int, 1)}
	if cfg.Addresses == nil {
		cfg.Addresses = []string{"127.0.0.1"}
	}
	if cfg.Endpoint.PassEnv == nil {
		cfg.Endpoint.PassEnv = []string{"PATH"}
	}
	cfg.Log = slog.New(slog.NewJSONHandler(ts.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv, err := server.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ts.Server, ts.cfg, ts.ws = srv, cfg, srv.URLs()[0]
	for _, f := range prepare {
		f(srv)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ts.stop = cancel
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		status, err := srv.Serve(ctx)
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
		ts.status <- status
	}()
	t.Cleanup(func() {
		cancel()
		wspipetest.Wait(t, "the server stops", stopped)
		if t.Failed() {
			t.Log(ts.log.String())
		}
	})
	return ts
}

func dial(t *testing.T, url string) *wspipetest.Client {
	t.Helper()
	return wspipetest.Dial(t, url, nil)
}

// handshake sends an opening handshake with additional headers and returns the response.
func handshake(t *testing.T, ws string, more http.Header) *http.Response {
	t.Helper()
	_, resp := wspipetest.OpenRaw(t, ws, more)
	return resp
}

// refused dials and returns the response, which must open no WebSocket.
func refused(t *testing.T, url string, opt *websocket.DialOptions) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wspipetest.Patience)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, url, opt)
	if err == nil {
		conn.CloseNow()
		t.Fatal("the handshake succeeded")
	}
	if resp == nil {
		t.Fatal(err)
	}
	body := make([]byte, 4096)
	n, _ := resp.Body.Read(body)
	return resp, string(body[:n])
}

// The first byte of a frame.
const (
	fin     = wspipetest.Fin
	opText  = wspipetest.OpText
	opClose = wspipetest.OpClose
	opPing  = wspipetest.OpPing
	opPong  = wspipetest.OpPong
)

// The paths that the console's page asks.
const (
	endpointPath  = "/.wspipe/console/endpoint"
	endpointsPath = "/.wspipe/console/endpoints"
	handshakePath = "/.wspipe/handshake"
)

// newID returns an ID that no other session has.
func newID() string { return rand.Text() }

// expectStatus waits for the end of the server, whose exit status must be want.
func (s *testServer) expectStatus(t *testing.T, want int) {
	t.Helper()
	if status := wspipetest.Wait(t, "the server stops", s.status); status != want {
		t.Errorf("status %d, want %d", status, want)
	}
}

// awaitGone waits until no process of the group of pid is left.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	wspipetest.Eventually(t, "the process group "+strconv.Itoa(pid)+" has ended", func() bool { return syscall.Kill(-pid, 0) != nil })
}

// awaitFree waits until no child has a slot.
func awaitFree(t *testing.T, s *testServer) {
	t.Helper()
	wspipetest.Eventually(t, "every slot is free", func() bool { return s.Usage().Slots == 0 })
}

// noSlots reports whether no slot is in use.
func (s *testServer) noSlots() bool {
	u := s.Usage()
	return u.Slots == 0 && u.Addresses == 0
}

// unused reports whether no child and no client is left.
func (s *testServer) unused() bool { return s.noSlots() && s.Usage().Children == 0 }
