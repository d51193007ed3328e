//go:build unix

package listen

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestInvalidSystemdSockets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	type filer interface {
		File() (*os.File, error)
		Close() error
	}
	listener, lerr := net.Listen("tcp", "127.0.0.1:0")
	unix, uerr := net.Listen("unix", filepath.Join(dir, "s"))
	udp, derr := net.ListenPacket("udp", "127.0.0.1:0")
	unixgram, gerr := net.ListenPacket("unixgram", filepath.Join(dir, "d"))
	packet, perr := net.Listen("unixpacket", filepath.Join(dir, "p"))
	if err := errors.Join(lerr, uerr, derr, gerr, perr); err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		socket any
		ok     bool
	}{{listener, true}, {unix, true}, {udp, false}, {unixgram, false}, {packet, false}, {client, false}} {
		f, err := test.socket.(filer).File()
		if err != nil {
			t.Fatal(err)
		}
		defer test.socket.(filer).Close()
		l, err := fileListener(f)
		f.Close()
		if (err == nil) != test.ok {
			t.Errorf("%T: %v", test.socket, err)
		}
		if err == nil {
			l.Close()
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := fileListener(r); err == nil || err.Error() != "socket operation on non-socket" {
		t.Errorf("a pipe: %v", err)
	}
}
