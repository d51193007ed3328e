//go:build unix

package server_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
	"wspipe/cmd/wspipetest"

	"github.com/coder/websocket"
)

// Many clients at once of shared children that end at any moment.

// TestConnectAroundExit: a client that connects around the exit of the child gets all its output and the
// exit, or that of a new child.
func TestConnectAroundExit(t *testing.T) {
	t.Parallel()
	const lines, clients, visits = 50, 10, 10
	cfg := shared("seq " + strconv.Itoa(lines) + "; exit 3")
	cfg.Endpoint.Replay, cfg.Endpoint.Linger = lines, -1
	s := serve(t, cfg)
	var want []string
	for i := range lines {
		want = append(want, strconv.Itoa(i+1))
	}
	var all sync.WaitGroup
	for range clients {
		all.Go(func() { // ends with its visits
			for range visits {
				ctx, cancel := context.WithTimeout(t.Context(), wspipetest.Patience)
				got, end := readAll(ctx, s.ws)
				cancel()
				if exit := (websocket.CloseError{Code: 1000, Reason: "exit 3"}); !slices.Equal(got, want) || end != exit {
					t.Errorf("got %d messages, %q..., and %v", len(got), got[:min(len(got), 3)], end)
					return
				}
			}
		})
	}
	all.Wait()
	wspipetest.Eventually(t, "nobody is counted any more", s.unused)
	if n := len(s.records(t, "shared child started")); n == clients*visits {
		t.Error("no child was shared")
	}
}

// readAll reads until the end of a connection, which err describes.
func readAll(ctx context.Context, url string) (messages []string, err error) {
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	defer c.CloseNow()
	for {
		_, p, err := c.Read(ctx)
		if end, ok := errors.AsType[websocket.CloseError](err); ok {
			return messages, end
		}
		if err != nil {
			return messages, err
		}
		messages = append(messages, string(p))
	}
}

// TestClientsConnectAtRandom: hundreds of clients connect at random to children that exit at random. At the
// end nothing is left.
func TestClientsConnectAtRandom(t *testing.T) {
	t.Parallel()
	const clients, visits = 40, 15
	for _, linger := range []time.Duration{0, 2 * time.Millisecond} {
		cfg := shared(`while read -r l; do echo "$l"; [ "$l" = die ] && exit 7; done`)
		cfg.Endpoint.Linger, cfg.Endpoint.Replay, cfg.Endpoint.PingInterval = linger, 5, 30*time.Second
		s := serve(t, cfg)
		ctx, cancel := context.WithTimeout(t.Context(), 2*wspipetest.Patience)
		var visiting sync.WaitGroup
		for range clients {
			visiting.Go(func() { // ends with its visits; unblocked by cancel
				for range visits {
					if err := visit(ctx, s.ws); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		visiting.Wait()
		cancel()
		wspipetest.Eventually(t, "nobody is counted any more", s.unused)
		wspipetest.Eventually(t, "each child has ended", func() bool {
			return len(s.records(t, "shared child started")) == len(s.records(t, "shared child ended"))
		})
		wspipetest.Eventually(t, "each client has gone", func() bool { return len(s.records(t, "disconnect")) == clients*visits })
		children := s.records(t, "shared child started")
		for _, r := range children {
			if pid := int(r["pid"].(float64)); syscall.Kill(-pid, 0) == nil {
				t.Errorf("child %d still runs", pid)
			}
		}
		t.Logf("linger %v: %d children", linger, len(children))
	}
}

// visit runs a client that does a few things at random. It returns an error if the server breaks a rule.
func visit(ctx context.Context, url string) error {
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	word := newID()
	for range rand.IntN(4) {
		said := word
		if rand.IntN(10) == 0 {
			said = "die"
		}
		if c.Write(ctx, websocket.MessageText, []byte(said)) != nil {
			break // the child has exited, as the close frame says
		}
		for {
			_, p, err := c.Read(ctx)
			if end, ok := errors.AsType[websocket.CloseError](err); ok && end.Code == 1000 && end.Reason == "exit 7" {
				return nil
			}
			if err != nil {
				return err
			}
			if string(p) == said {
				break
			}
		}
	}
	if rand.IntN(2) == 0 {
		c.Close(1000, "")
	}
	return nil
}
