package wspipetest

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Cutter is a network between clients and a server, which cuts connections. Clients connect to
// its Addr.
type Cutter struct {
	net.Listener
	to    string // address of the server
	mu    sync.Mutex
	conns []net.Conn
}

// NewCutter returns a Cutter in front of s, which listens on TCP. It ends with the test.
func NewCutter(t testing.TB, s *Server) *Cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cutter{Listener: l, to: strings.Trim(s.WS, "ws:/")}
	t.Cleanup(func() {
		l.Close()
		c.Cut()
	})
	go c.serve() // ends with the listener
	return c
}

func (c *Cutter) serve() {
	for {
		near, err := c.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.to)
		if err != nil {
			near.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, near, far)
		c.mu.Unlock()
		for from, to := range map[net.Conn]net.Conn{near: far, far: near} {
			go func() { // ends with either connection
				io.Copy(to, from)
				to.Close()
			}()
		}
	}
}

// Cut resets all connections, with all that is on the way.
func (c *Cutter) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
	c.conns = nil
}
