//go:build linux

package main

import (
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"wspipe/bench/client"
)

// visitor is one of the clients of a soak, again and again.
type visitor struct {
	*soak
	*rand.Rand
}

// visit is something that a client does.
type visit struct {
	weight int // how often, beside others
	do     func(v visitor) error
}

// What clients of a server do that starts a child for each, and of one that has
// one child for all. Each visit ends by itself within seconds, soon when the load is
// over.
var (
	ownVisits = []visit{
		{8, visitor.greet}, {8, visitor.talk}, {4, visitor.reset}, {3, visitor.turnBack},
		{2, visitor.hesitate}, {1, visitor.flood}, {1, visitor.stay}, {4, visitor.resume},
	}
	sharedVisits = []visit{{6, visitor.view}, {1, visitor.doze}}
)

// soakScript is the child of the first: the query says what it does. Its $0 is the load
// client.
const soakScript = `case "$QUERY_STRING" in hi) echo hi;; cat) exec cat;; flood) exec seq 1 1000000;; ` +
	`count) exec "$0" print -rate=100 -lines=100000 -width=50;; esac`

const (
	// floodLines is how many lines a flood has.
	floodLines = 1_000_000
	// smallWindow is the receive buffer of who does not read, in bytes: it is soon
	// full.
	smallWindow = 64 << 10
)

// roam does visits until the load is over.
func (v visitor) roam(visits []visit) {
	total := 0
	for _, visit := range visits {
		total += visit.weight
	}
	for !v.isOver() {
		n := v.IntN(total)
		for _, visit := range visits {
			if n -= visit.weight; n < 0 {
				v.note(visit.do(v))
				break
			}
		}
		v.pause(300 * time.Millisecond)
	}
}

func (v visitor) isOver() bool {
	select {
	case <-v.over:
		return true
	default:
		return false
	}
}

// pause is as long as chance will have it, up to most, or until the load is over.
func (v visitor) pause(most time.Duration) {
	select {
	case <-v.over:
	case <-time.After(time.Duration(v.Int64N(int64(most)))):
	}
}

// maybe is true once in n times.
func (v visitor) maybe(n int) bool { return v.IntN(n) == 0 }

// open connects to s, which is told what to do by the query.
func (v visitor) open(s *sampled, query string, receive int) (*client.Conn, error) {
	v.connections.Add(1)
	return client.Open(s.url+"?"+query, client.Options{Deadline: time.Now().Add(patience), Buffer: 4096, Receive: receive})
}

// greet gets a line and the child's end.
func (v visitor) greet() error {
	c, err := v.open(v.own, "hi", 0)
	if err != nil {
		return err
	}
	defer c.Close()
	if front, _, err := c.Next(); err != nil || string(front) != "hi" {
		return fmt.Errorf("greet: got %q, %w", front, err)
	}
	return ends(c, "1000 exit 0")
}

// talk says some things of all sizes, and hears them again.
func (v visitor) talk() error {
	c, err := v.open(v.own, "cat", 0)
	if err != nil {
		return err
	}
	defer c.Close()
	for range 1 + v.IntN(10) {
		if err := echoOne(c, 1+v.IntN(20_000)); err != nil {
			return fmt.Errorf("talk: %w", err)
		}
	}
	return leave(c)
}

// echoOne has cat repeat a message of this size.
func echoOne(c *client.Conn, size int) error {
	if _, err := c.Write(client.AppendMessage(nil, false, []byte(strings.Repeat("x", size)))); err != nil {
		return err
	}
	if _, got, err := c.Next(); err != nil || got != size {
		return fmt.Errorf("%d bytes came back as %d: %w", size, got, err)
	}
	return nil
}

// reset breaks the connection off, while the child may be writing.
func (v visitor) reset() error {
	query := "cat"
	if v.maybe(2) {
		query = "flood"
	}
	c, err := v.open(v.own, query, 0)
	if err != nil {
		return err
	}
	v.pause(100 * time.Millisecond)
	return breakOff(c)
}

// breakOff closes a connection with a reset.
func breakOff(c *client.Conn) error {
	c.Conn.(*net.TCPConn).SetLinger(0) // if it fails, so does what follows
	return c.Close()
}

// turnBack does not finish its handshake.
func (v visitor) turnBack() error {
	conn, err := net.Dial("tcp", strings.Trim(v.own.url, "ws:/"))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte("GET /?cat HTTP/1.1\r\nHost: "[:1+v.IntN(26)]))
	v.pause(2 * time.Second)
	return err
}

// hesitate reads nothing for a while, and then goes on, or goes.
func (v visitor) hesitate() error {
	c, err := v.open(v.own, "flood", smallWindow)
	if err != nil {
		return err
	}
	defer c.Close()
	v.pause(3 * time.Second)
	if v.maybe(2) {
		return leave(c)
	}
	return allNumbers(c)
}

// flood reads as fast as it can.
func (v visitor) flood() error {
	c, err := v.open(v.own, "flood", 0)
	if err != nil {
		return err
	}
	defer c.Close()
	return allNumbers(c)
}

// allNumbers reads what flood prints, all of it.
func allNumbers(c *client.Conn) error {
	if err := inOrder(c, 1, floodLines); err != nil {
		return fmt.Errorf("flood: %w", err)
	}
	return ends(c, "1000 exit 0")
}

// inOrder reads n messages that begin with numbers, from first on.
func inOrder(c *client.Conn, first, n int) error {
	for want := first; want < first+n; want++ {
		front, _, err := c.Next()
		if err != nil {
			return fmt.Errorf("number %d: %w", want, err)
		}
		if got, _ := numberOf(front); got != want {
			return fmt.Errorf("number %d, want %d", got, want)
		}
	}
	return nil
}

// numberOf returns the number that a line of the load client begins with.
func numberOf(front []byte) (int, error) {
	text, _, _ := strings.Cut(string(front), " ")
	return strconv.Atoi(text)
}

// stay talks for long, a little at a time.
func (v visitor) stay() error {
	c, err := v.open(v.own, "cat", 0)
	if err != nil {
		return err
	}
	defer c.Close()
	for end := time.Now().Add(time.Duration(v.Int64N(int64(20 * time.Second)))); time.Now().Before(end) && !v.isOver(); v.pause(200 * time.Millisecond) {
		if err := echoOne(c, 64); err != nil {
			return fmt.Errorf("stay: %w", err)
		}
	}
	return leave(c)
}

// resume loses its connection now and then and comes back to its session, or
// does not.
func (v visitor) resume() error {
	query, had := "count&wspipe_session="+crand.Text(), 0
	for again, lost := "", time.Now(); ; again = fmt.Sprintf("&wspipe_after=%d", had) {
		c, err := v.open(v.own, query+again, 0)
		if err != nil {
			return err
		}
		n := 1 + v.IntN(100)
		if err := inOrder(c, had, n); err != nil {
			c.Close()
			return fmt.Errorf("resume%s, %v after the loss: %w", again, time.Since(lost), err)
		}
		had += n
		if v.maybe(3) {
			defer c.Close()
			return leave(c)
		}
		if err := breakOff(c); err != nil || v.maybe(4) {
			return err // its session ends later
		}
		lost = time.Now()
		v.pause(time.Second)
	}
}

// view watches the shared child for a while.
func (v visitor) view() error {
	c, err := v.open(v.shared, "", 0)
	if err != nil {
		return err
	}
	defer c.Close()
	front, _, err := c.Next()
	if err != nil {
		return fmt.Errorf("view: %w", err)
	}
	first, err := numberOf(front)
	if err == nil {
		err = inOrder(c, first+1, v.IntN(2000))
	}
	if err != nil {
		return fmt.Errorf("view: %w", err)
	}
	if v.maybe(2) {
		return breakOff(c)
	}
	return leave(c)
}

// doze reads nothing for so long that it may be closed, as too slow.
func (v visitor) doze() error {
	c, err := v.open(v.shared, "", smallWindow)
	if err != nil {
		return err
	}
	v.pause(10 * time.Second)
	return breakOff(c)
}

// leave closes a connection in order: with close frames, RFC 6455 section 7.1.2.
func leave(c *client.Conn) error {
	if _, err := c.Write([]byte{0x88, 0x82, 0, 0, 0, 0, 1000 >> 8, 1000 & 0xff}); err != nil {
		return err
	}
	return ends(c, "1000 ")
}

// ends reads to the end, which must be this.
func ends(c *client.Conn, want client.Closed) error {
	for {
		if _, _, err := c.Next(); err != nil {
			if end, ok := errors.AsType[client.Closed](err); ok && end == want {
				return nil
			}
			return fmt.Errorf("the end is %w, want %q", err, want)
		}
	}
}
