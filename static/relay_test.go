package static_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// relay is the network between a page and a server: what connects to it is
// connected to the server, as long as the test lets it.
type relay struct {
	// WS is its address for the page.
	WS string

	t    testing.TB
	gate sync.RWMutex // held for writing while nothing gets through

	mu     sync.Mutex
	to     string // the server's host and port
	down   bool
	held   chan struct{} // what the next connection waits for, or nil
	conns  map[*net.TCPConn]bool
	opened int           // connections so far, also those that it refused
	more   chan struct{} // closed when there is another, and replaced
}

func newRelay(t testing.TB, server *wspipetest.Server) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{WS: "ws://" + l.Addr().String() + "/", t: t, conns: make(map[*net.TCPConn]bool), more: make(chan struct{})}
	r.redirect(server)
	var running sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		r.refuse(true)
		running.Wait()
	})
	running.Go(func() { // ends when the listener is closed
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { r.carry(conn.(*net.TCPConn)) }) // ends with the connection, which cut closes
		}
	})
	return r
}

// redirect has new connections go to server.
func (r *relay) redirect(server *wspipetest.Server) {
	r.t.Helper()
	u, err := url.Parse(server.WS)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = u.Host
}

// carry copies both ways until either end closes its connection.
func (r *relay) carry(page *net.TCPConn) {
	to, held, ok := r.admit(page)
	if !ok {
		page.SetLinger(0)
		page.Close()
		return
	}
	<-held
	defer r.close(page)
	conn, err := net.Dial("tcp", to)
	if err != nil { // the server has ended
		return
	}
	server := conn.(*net.TCPConn)
	defer r.close(server)
	r.mu.Lock()
	r.conns[server] = true
	r.mu.Unlock()
	var copying sync.WaitGroup
	for from, to := range map[*net.TCPConn]*net.TCPConn{page: server, server: page} {
		copying.Go(func() { // ends when from is closed, by its other end or by cut
			r.copy(to, from)
			to.CloseWrite()
		})
	}
	copying.Wait()
}

// admit counts a page's connection, and returns where it goes, and what it waits
// for before; or that nobody is let through.
func (r *relay) admit(page *net.TCPConn) (to string, held chan struct{}, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened++
	close(r.more)
	r.more = make(chan struct{})
	if r.down {
		return "", nil, false
	}
	r.conns[page] = true
	if held, r.held = r.held, nil; held == nil {
		held = make(chan struct{})
		close(held)
	}
	return r.to, held, true
}

func (r *relay) close(conn *net.TCPConn) {
	conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, conn)
}

// hold has the next connection wait, once its page is connected, until release
// is called: a handshake that is long underway.
func (r *relay) hold() (release func()) {
	held := make(chan struct{})
	release = sync.OnceFunc(func() { close(held) })
	r.t.Cleanup(release)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = held
	return release
}

func (r *relay) copy(to, from *net.TCPConn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		r.gate.RLock()
		_, werr := to.Write(buf[:n])
		r.gate.RUnlock()
		if err != nil || werr != nil {
			io.Copy(io.Discard, from)
			return
		}
	}
}

// cut resets all connections, as a network does that has forgotten them: what
// was underway is lost.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.SetLinger(0)
		c.Close()
	}
}

// refuse cuts all connections, and new ones until it is called with false.
func (r *relay) refuse(down bool) {
	r.mu.Lock()
	r.down = down
	r.mu.Unlock()
	if down {
		r.cut()
	}
}

// stall lets nothing through, without a word to anybody, until release is
// called, and then all of it.
func (r *relay) stall() (release func()) {
	r.gate.Lock()
	release = sync.OnceFunc(r.gate.Unlock)
	r.t.Cleanup(release)
	return release
}

// count returns how many connections there have been.
func (r *relay) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opened
}

// await waits until there have been n connections.
func (r *relay) await(n int) {
	r.t.Helper()
	late := time.After(2 * wspipetest.Patience)
	for {
		r.mu.Lock()
		opened, more := r.opened, r.more
		r.mu.Unlock()
		if opened >= n {
			return
		}
		select {
		case <-more:
		case <-late:
			r.t.Fatalf("%d connections, want %d", opened, n)
		}
	}
}
