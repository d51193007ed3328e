//go:build unix

package bridge

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// tlsPair is pair with TLS between. The far end has finished its handshake.
func tlsPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	a, b := pair(t, "tcp")
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
	if err := wait(t, "handshake", shaken); err != nil {
		t.Fatal(err)
	}
	return server, far
}

// A TLS connection that is closed while a write is stuck cannot even say
// goodbye.
func TestWireCloseOverTLSEndsWithAPeerThatReadsNothing(t *testing.T) {
	t.Parallel()
	wspipetest.Soon(t, 2*lingerTime+time.Second, func() time.Duration {
		near, far := tlsPair(t)
		setBuffers(near, 16<<10)
		setBuffers(far, 16<<10)
		w := NewWire(near, nil)
		w.Write(make([]byte, 2<<20))
		waiting, same := 0, 0
		eventually(t, "the kernels are full", func() bool {
			before := waiting
			waiting = w.Out.Waiting() + unsent(near)
			if same++; waiting != before {
				same = 0
			}
			return same == 500
		})
		started := time.Now()
		w.Close()
		wait(t, "the end of the wire", w.Closed())
		return time.Since(started)
	})
}
