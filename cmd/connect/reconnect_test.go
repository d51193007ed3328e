//go:build unix

package connect

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"wspipe/bridge/channel"

	"github.com/coder/websocket"
)

// lost is the result of an attempt that may be retried.
var lost = result{status: StatusFailed, err: errors.New("connection lost"), retry: true}

// The delay doubles up to a limit, shortened at random, and starts again after a connection that
// lasted.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		var notices []string
		keepConnected(t.Context(), true, func(context.Context) result {
			at = append(at, time.Now())
			switch len(at) {
			case 10:
				time.Sleep(maxBackoff)
				e := lost
				e.duration = maxBackoff
				return e
			case 12:
				return exitResult(3)
			}
			return lost
		}, func(text string) { notices = append(notices, text) })
		want := minBackoff
		for i := 1; i < len(at); i++ {
			wait := at[i].Sub(at[i-1])
			if i == 10 {
				wait, want = wait-maxBackoff, minBackoff
			}
			if wait > want || wait < want/2 {
				t.Errorf("attempt %d after %v, want %v to %v", i, wait, want/2, want)
			}
			want = min(2*want, maxBackoff)
		}
		if len(at) != 12 || len(notices) != 11 || !strings.HasPrefix(notices[0], "connection lost; reconnecting in ") {
			t.Errorf("%d attempts, notices %q", len(at), notices)
		}
	})
}

// A server may request a longer delay, up to maxBackoff.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for value, want := range map[string]time.Duration{
			"120": 2 * time.Minute,
			time.Now().Add(time.Hour).UTC().Format(http.TimeFormat): time.Hour,
			"-1": 0, "soon": 0, "": 0,
		} {
			if got := retryAfter(http.Header{"Retry-After": {value}}); got != want {
				t.Errorf("%q: %v, want %v", value, got, want)
			}
		}
		began := time.Now()
		attempts := 0
		keepConnected(t.Context(), true, func(context.Context) result {
			attempts++
			switch attempts {
			case 1:
				return dialResult(&RefusedError{Status: 503, retryAfter: 20 * time.Second})
			case 2:
				return dialResult(&RefusedError{Status: 503, retryAfter: math.MaxInt32 * time.Second})
			}
			return result{}
		}, func(string) {})
		if got := time.Since(began); got != 20*time.Second+maxBackoff {
			t.Errorf("the third attempt came after %v", got)
		}
	})
}

// The context ends a delay.
func TestBackoffIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		began := time.Now()
		keepConnected(ctx, true, func(context.Context) result { return lost }, func(string) { stop() })
		if time.Since(began) > 0 {
			t.Error("it waited")
		}
	})
}

func TestRetriedErrors(t *testing.T) {
	for e, want := range map[result]bool{
		dialResult(&RefusedError{Status: 429}):                                                 true,
		dialResult(&RefusedError{Status: 502}):                                                 true,
		dialResult(&RefusedError{Status: 503}):                                                 true,
		dialResult(&RefusedError{Status: 504}):                                                 true,
		dialResult(&RefusedError{Status: 400}):                                                 false,
		dialResult(&RefusedError{Status: 401}):                                                 false,
		dialResult(&RefusedError{Status: 403}):                                                 false,
		dialResult(&RefusedError{Status: 404}):                                                 false,
		dialResult(&RefusedError{Status: 500}):                                                 false,
		dialResult(errors.New("connection refused")):                                           true,
		lossResult(errors.New("connection reset")):                                             true,
		closeResult(websocket.CloseError{Code: 1001}, nil, false):                              true,
		closeResult(websocket.CloseError{Code: 1002}, nil, false):                              true,
		closeResult(websocket.CloseError{Code: 1012}, nil, false):                              true,
		closeResult(websocket.CloseError{Code: 1013}, nil, false):                              true,
		closeResult(websocket.CloseError{Code: 1000}, nil, false):                              false,
		closeResult(websocket.CloseError{Code: 1000, Reason: "exit 1"}, nil, false):            false,
		closeResult(websocket.CloseError{Code: 1008}, nil, false):                              false,
		closeResult(websocket.CloseError{Code: 1011, Reason: "cannot start"}, nil, false):      false,
		closeResult(websocket.CloseError{Code: 4002, Reason: "idle timeout"}, nil, false):      false,
		closeResult(websocket.CloseError{Code: 1001, Reason: "x"}, &result{status: 3}, false):  true,
		closeResult(websocket.CloseError{Code: 1000, Reason: ""}, &result{status: 300}, false): false,
	} {
		if e.retry != want {
			t.Errorf("%d, %v: again %t", e.status, e.err, e.retry)
		}
	}
}

// A new connection continues stdin where the last one stopped, also at EOF.
func TestReconnect(t *testing.T) {
	s := serve(t, nil, channel.ProtocolWspipe)
	r := start(t, Config{URL: s.url(), Reconnect: true})
	p := s.peer(t).hello(false)
	r.input("one")
	p.expect("\x00one")
	p.drop()
	if got := wait(t, "a notice", r.notices); !strings.HasPrefix(got, "connection lost; reconnecting in ") {
		t.Errorf("got %q", got)
	}
	r.input("two")
	p = s.peer(t).hello(false)
	p.expect("\x00two")
	r.stdin.Close()
	p.expect("\xff\x00")
	p.Close(1001, "server shutting down")
	if got := wait(t, "a notice", r.notices); !strings.HasPrefix(got, "connection closed by the server: code 1001 (going away): server shutting down; reconnecting") {
		t.Errorf("got %q", got)
	}
	p = s.peer(t).hello(false)
	p.expect("\xff\x00")
	p.Close(1000, "exit 3")
	r.expect(3, "")
}

// The refusals of an overloaded or unreachable server are retried.
func TestReconnectAfterRefusal(t *testing.T) {
	var refusals atomic.Int32
	s := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if refusals.Add(1) == 1 {
				http.Error(w, "wspipe: full", http.StatusTooManyRequests)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	r := start(t, Config{URL: s.url(), Reconnect: true})
	if got := wait(t, "a notice", r.notices); !strings.Contains(got, "429 Too Many Requests: wspipe: full; reconnecting in ") {
		t.Errorf("got %q", got)
	}
	s.peer(t).Close(1000, "exit 0")
	r.expect(0, "")
}

// If the beginning of a long line was sent over the old connection, the rest is not sent as a line.
func TestReconnectWithinALine(t *testing.T) {
	s := serve(t, nil)
	r := start(t, Config{URL: s.url(), Reconnect: true})
	p := s.peer(t)
	r.input(strings.Repeat("x", 200_000))
	_, message, err := p.Reader(p.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(message, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	p.drop()
	wait(t, "a notice", r.notices)
	p = s.peer(t)
	r.input("rest\nnext\n")
	p.expect("next")
	p.Close(1000, "exit 0")
	r.expect(0, "")
}
