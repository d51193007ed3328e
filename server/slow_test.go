//go:build unix

package server_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	"wspipe/cmd/wspipetest"
	"wspipe/server"
)

// Clients that do not read, and children that do not.

func TestSlowClientGetsOutputAfterExit(t *testing.T) {
	t.Parallel()
	const lines = 20_000 // 20 MB, more than all kernel buffers on the way
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(fmt.Sprintf(`seq -f %%01000.0f %d; exit 5`, lines))}})
	c := dial(t, s.ws)
	for i := 1; i <= lines; i++ {
		c.Expect(fmt.Sprintf("%01000d", i))
		if i == lines/2 { // longer than any wait after an exit
			<-time.After(3 * time.Second)
		}
	}
	c.ExpectEnd(1000, "exit 5")
}

// TestClientsThatDoNotRead: clients that do not read block only their own child, and pings do not
// end them.
func TestClientsThatDoNotRead(t *testing.T) {
	t.Parallel()
	const ping = time.Second
	const lines, few = 20_000, 1000 // 20 MB, more than all kernel buffers, and 1 MB
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec seq -f %01000.0f "$QUERY_STRING"`), PingInterval: ping}})
	stuck := make([]*wspipetest.Raw, 3)
	for i := range stuck {
		stuck[i] = wspipetest.DialRaw(t, fmt.Sprint(s.ws, "?", lines))
	}
	pause := time.After(6 * ping) // a client that answers no ping for three intervals is disconnected
	for range 3 {
		if got := dial(t, fmt.Sprint(s.ws, "?", few)).ExpectEnd(1000, "exit 0"); len(got) != few {
			t.Fatalf("got %d messages", len(got))
		}
	}
	<-pause
	for _, c := range stuck {
		if n := countMessages(t, c); n != lines {
			t.Errorf("a client that paused got %d messages", n)
		}
	}
}

// countMessages reads until the close frame and counts the messages before it. It answers pings with
// unsolicited pongs, which also show that the client is alive.
func countMessages(t *testing.T, c *wspipetest.Raw) (n int) {
	t.Helper()
	for {
		switch first, err := c.Skip(); {
		case err != nil:
			t.Fatalf("after %d messages: %v", n, err)
		case first == fin|opClose:
			return n
		case first == fin|opPing:
			c.Frame(fin|opPong, nil)
		case first == fin|opText:
			n++
		}
	}
}

// TestEndlessMessageIsBlocked: one endless message to a child that does not read takes bounded memory.
func TestEndlessMessageIsBlocked(t *testing.T) {
	t.Parallel()
	const size = 24 << 20 // more than all kernel buffers
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`read go <"$FIFO"; head -n 1 | wc -c`), SetEnv: []string{"FIFO=" + fifo(t)}}})
	c := wspipetest.DialRaw(t, s.ws)
	sent := make(chan int)
	go func() {
		defer close(sent)
		head := byte(opText)
		for range size / 65536 {
			if c.Frame(head, make([]byte, 65536)) != nil {
				return
			}
			head = 0 // continuation
			sent <- 65536
		}
		c.Frame(fin, nil)
	}()
	held, timeout := 0, time.After(time.Second)
	for stuck := false; !stuck; {
		select {
		case n := <-sent:
			held += n
		case <-timeout:
			stuck = true
		}
	}
	if held == size {
		t.Error("the client could send everything to a child that reads nothing")
	}
	if err := os.WriteFile(strings.TrimPrefix(s.cfg.Endpoint.SetEnv[0], "FIFO="), []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	for range sent {
	}
	if got := c.Message(); got != strconv.Itoa(size+1) {
		t.Errorf("the child read %s bytes, want %d", got, size+1)
	}
}

// TestDisconnectWithFullStdin: the child does not read, so the server no longer reads either.
// The slot must be freed nevertheless.
func TestDisconnectWithFullStdin(t *testing.T) {
	for how, depart := range leave {
		if how == "closes" || how == "is silent" {
			continue // its close frame, or its pong, would come after the 5 MB
		}
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo $$; exec sleep 1000`), PingInterval: 500 * time.Millisecond}, MaxChildren: 1})
			c := wspipetest.DialRaw(t, s.ws)
			pid := atoi(t, c.Message())
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range 50 {
					if c.Frame(fin|opText, make([]byte, 100_000)) != nil {
						return
					}
				}
			}()
			select { // until the server no longer reads, or everything is sent
			case <-sent:
			case <-time.After(500 * time.Millisecond):
			}
			depart(c)
			s.log.Await(t, `"disconnect"`, 1)
			awaitGone(t, pid)
			atoi(t, wspipetest.DialRaw(t, s.ws).Message())
		})
	}
}
