package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
)

// TestNext: messages of all sizes, whole and in fragments, arrive with their front and size,
// whatever the size of the buffer and of the reads.
func TestNext(t *testing.T) {
	t.Parallel()
	long := "front " + strings.Repeat("x", 100_000)
	stream := bytes.Join([][]byte{
		frame(fin|opText, "one"), frame(fin|opText, "two"), frame(fin|opBinary, ""), frame(fin|opBinary, long),
		frame(opText, "frag"), frame(fin|opPing, "there?"), frame(opContinuation, "ments "), frame(fin|opPong, ""), frame(fin|opContinuation, long[:300]),
		frame(fin|opText, "last"), frame(fin|opClose, "\x03\xe8exit 0"),
	}, nil)
	for _, test := range []struct{ buffer, read int }{{smallBuffer, 1}, {smallBuffer, 1000}, {256 << 10, 8}, {256 << 10, 1 << 20}} {
		c, answers := clientOf(t, stream, test.buffer, test.read)
		for i, want := range []string{"one", "two", "", long, "fragments " + long[:300], "last"} {
			front, size, err := c.next()
			if err != nil || size != len(want) || string(front) != want[:min(size, maxFront)] {
				t.Fatalf("%+v: message %d: %q of %d bytes, %v", test, i, front, size, err)
			}
		}
		if _, _, err := c.next(); err != closed("1000 exit 0") {
			t.Errorf("%+v: the end is %v", test, err)
		}
		c.Close()
		if got, want := <-answers, appendFrame(appendFrame(nil, opPong, []byte("there?")), opClose, []byte("\x03\xe8exit 0")); !bytes.Equal(got, want) {
			t.Errorf("%+v: answered %q, want %q", test, got, want)
		}
	}
}

// TestBrokenOff: a connection that ends within a message ends with an error, and one that
// ends between messages with io.EOF.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	long, short := frame(fin|opText, strings.Repeat("x", 100_000)), frame(fin|opText, "short")
	for _, stream := range [][]byte{short[:1], short[:4], long[:3], long[:200], long[:len(long)-1], frame(opText, "fragment"), append(short, short[:1]...)} {
		c, _ := clientOf(t, stream, smallBuffer, 1<<20)
		if _, _, _, err := c.drain(); err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes %.5x: %v", len(stream), stream, err)
		}
	}
	c, _ := clientOf(t, append(long, short...), smallBuffer, 1<<20)
	if messages, size, last, err := c.drain(); messages != 2 || size != 100_005 || last != "short" || err != nil {
		t.Errorf("%d messages of %d bytes, the last %q, %v", messages, size, last, err)
	}
}

// TestAppendFrame: headers of all lengths, and a masked payload.
func TestAppendFrame(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		payload := strings.Repeat("m", size)
		got, want := appendFrame(nil, opBinary, []byte(payload)), frame(fin|opBinary, payload)
		header := len(want) - size
		if got[1]&masked == 0 {
			t.Fatalf("%d bytes: not masked", size)
		}
		got[1] &^= masked
		unmasked := append([]byte(nil), got[:header]...)
		for i, b := range got[header+4:] {
			unmasked = append(unmasked, b^got[header+i%4])
		}
		if !bytes.Equal(unmasked, want) {
			t.Errorf("%d bytes: %.20x, want %.20x", size, unmasked, want)
		}
	}
}

// clientOf returns a client that reads stream in pieces, and what it writes until it is
// closed.
func clientOf(t *testing.T, stream []byte, buffer, piece int) (c *client, written <-chan []byte) {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close() })
	all := make(chan []byte, 1)
	go func() { // ends with the client
		got, _ := io.ReadAll(far)
		all <- got
	}()
	return &client{Conn: scripted{near, bytes.NewReader(stream), piece}, buf: make([]byte, buffer)}, all
}

// scripted is a connection that reads from a script, at most piece bytes at a time.
type scripted struct {
	net.Conn
	script io.Reader
	piece  int
}

func (s scripted) Read(p []byte) (int, error) { return s.script.Read(p[:min(len(p), s.piece)]) }

// frame is a frame from a server.
func frame(first byte, payload string) []byte {
	f := []byte{first, byte(len(payload))}
	switch {
	case len(payload) > 65535:
		f = binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(len(payload)))
	case len(payload) > 125:
		f = binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(len(payload)))
	}
	return append(f, payload...)
}
