package wspipetest

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

// ConnPair returns the two ends of a connection over network.
func ConnPair(t testing.TB, network string) (near, far net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network != "tcp" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	far.SetDeadline(time.Now().Add(Lifetime))
	return near, far
}

// TLSConnPair is pair with TLS between. The far end has finished its handshake.
func TLSConnPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	a, b := ConnPair(t, "tcp")
	srv := httptest.NewUnstartedServer(nil) // for its certificate
	srv.StartTLS()
	defer srv.Close()
	server := tls.Server(a, srv.TLS)
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }() // ends with the handshake
	far = tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	if _, err := far.Write(nil); err != nil {
		t.Fatal(err)
	}
	if err := Wait(t, "handshake", shaken); err != nil {
		t.Fatal(err)
	}
	return server, far
}

func SetBuffers(conn net.Conn, size int) {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = c.NetConn()
	}
	if c, ok := conn.(*net.TCPConn); ok {
		c.SetReadBuffer(size)
		c.SetWriteBuffer(size)
	}
}
