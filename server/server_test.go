//go:build unix

package server

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
)

// patience limits a failing test. No test passes because of it.
const patience = time.Minute

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("wspipe/process.starter"), // never ends, like the watcher and the reaper
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
	*Server
	ws     string // its URL
	log    *logBuffer
	stop   func() // starts the shutdown
	status chan int
}

// serve starts a server with cfg. At the end of the test it must stop cleanly. prepare is called before
// Serve.
func serve(t *testing.T, cfg Config, prepare ...func(*Server)) *testServer {
	t.Helper()
	ts := &testServer{log: &logBuffer{}, status: make(chan int, 1)}
	if cfg.Addresses == nil {
		cfg.Addresses = []string{"127.0.0.1"}
	}
	if cfg.Endpoint.PassEnv == nil {
		cfg.Endpoint.PassEnv = []string{"PATH"}
	}
	cfg.Log = slog.New(slog.NewJSONHandler(ts.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ts.Server, ts.ws = srv, srv.URLs()[0]
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
		select {
		case <-stopped:
		case <-time.After(patience):
			t.Error("the server did not stop")
		}
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

// refused dials and returns the response, which must open no WebSocket.
func refused(t *testing.T, url string, opt *websocket.DialOptions) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
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

// logBuffer is a log that can be read and waited for.
type logBuffer struct {
	mu   sync.Mutex
	cond *sync.Cond
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p)
	if b.cond != nil {
		b.cond.Broadcast()
	}
	return len(p), nil
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// await waits until the log contains s n times.
func (b *logBuffer) await(t *testing.T, s string, n int) {
	t.Helper()
	expired := false
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cond == nil {
		b.cond = sync.NewCond(&b.mu)
	}
	defer time.AfterFunc(patience, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		expired = true
		b.cond.Broadcast()
	}).Stop()
	for strings.Count(b.text.String(), s) < n {
		if expired {
			t.Fatalf("the log does not hold %d times %q:\n%s", n, s, b.text.String())
		}
		b.cond.Wait()
	}
}
