//go:build unix

package wire

import (
	"io"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
)

// A Tap gets every byte in both directions, in order, also what the kernel does not accept at once.
func TestTap(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string]func(testing.TB) (*Conn, io.ReadWriter){
		"tcp": func(t testing.TB) (*Conn, io.ReadWriter) {
			c, far := newConn(t)
			return c, far
		},
		"tls": func(t testing.TB) (*Conn, io.ReadWriter) {
			near, far := wspipetest.TLSConnPair(t)
			c := NewConn(near, nil)
			t.Cleanup(func() {
				c.Abort()
				wspipetest.Wait(t, "the end of the connection", c.Closed())
			})
			return c, far
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, far := pair(t)
			var received, sent strings.Builder
			c.SetTap(&Tap{Received: func(p []byte) { received.Write(p) }, Sent: func(p []byte) { sent.Write(p) }})
			long := strings.Repeat("0123456789", 1<<20)
			c.Out.Write([]byte("first"))
			c.Out.WriteBatch(&Batch{Frames: []byte(long)})
			got := make([]byte, len("first"+long))
			if _, err := io.ReadFull(far, got); err != nil || string(got) != "first"+long {
				t.Fatalf("got %d bytes, %v", len(got), err)
			}
			c.Out.Wait(0)
			go io.WriteString(far, long) // ends when all is read
			for n := 0; n < len(long); {
				n += len(readConn(t, c, 100+n))
			}
			if sent.String() != "first"+long || received.String() != long {
				t.Errorf("the tap got %d and %d bytes", sent.Len(), received.Len())
			}
			c.SetTap(nil)
			io.WriteString(far, "after")
			readConn(t, c, 5)
			if received.Len() != len(long) {
				t.Error("the tap got bytes after its removal")
			}
		})
	}
}

// BenchmarkTap is a write and a read of 64 bytes, the least work that the check for a Tap can be
// compared with.
func BenchmarkTap(b *testing.B) {
	for name, tap := range map[string]*Tap{"none": nil, "set": {Received: func([]byte) {}, Sent: func([]byte) {}}} {
		b.Run(name, func(b *testing.B) {
			c, far := newConn(b)
			c.SetTap(tap)
			go io.Copy(far, far) // ends with the connection
			p, got := make([]byte, 64), make([]byte, 64)
			for b.Loop() {
				c.Write(p)
				for n := 0; n < len(p); {
					read, err := c.Read(got[n:])
					if err != nil {
						b.Fatal(err)
					}
					n += read
				}
			}
		})
	}
	b.Run("check", func(b *testing.B) { // of a write without a Tap
		q := NewQueue(nil)
		p := make([]byte, 64)
		for b.Loop() {
			q.tapSent(p)
		}
	})
}
