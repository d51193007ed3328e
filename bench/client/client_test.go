package client

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestMessages: whole, in pieces and larger than any buffer, with control frames
// between the pieces, each message comes with its size and its front.
func TestMessages(t *testing.T) {
	t.Parallel()
	long := "front " + strings.Repeat("x", 100_000)
	var stream []byte
	stream = append(stream, frame(fin|opText, "one")...)
	stream = append(stream, frame(fin|opBinary, "")...)
	stream = append(stream, frame(fin|opBinary, long)...)
	stream = append(stream, frame(opText, "pie")...)
	stream = append(stream, frame(fin|opPing, "are you there")...)
	stream = append(stream, frame(opContinuation, "ces ")...)
	stream = append(stream, frame(fin|opPong, "")...)
	stream = append(stream, frame(fin|opContinuation, long[:300])...)
	stream = append(stream, frame(fin|opText, "last")...)
	stream = append(stream, frame(fin|opClose, "\x03\xe8exit 0")...)
	for _, size := range []int{1, 300, 0} { // of the buffer
		answers := make(chan []byte, 1)
		c := open(t, serve(t, stream, answers), Options{Buffer: size})
		for i, want := range []string{"one", "", long, "pieces " + long[:300], "last"} {
			front, n, err := c.Next()
			if err != nil || n != len(want) || string(front) != want[:min(n, maxFront)] {
				t.Fatalf("message %d with %d bytes of buffer: %q of %d bytes, %v", i, size, front, n, err)
			}
		}
		if _, _, err := c.Next(); err != Closed("1000 exit 0") {
			t.Errorf("the end is %v", err)
		}
		c.Close()
		want := append(frameOfClient(opPong, "are you there"), frameOfClient(opClose, "\x03\xe8exit 0")...)
		if got := <-answers; !bytes.Equal(got, want) {
			t.Errorf("answered %q, want %q", got, want)
		}
	}
}

// TestHalfAMessage is none.
func TestHalfAMessage(t *testing.T) {
	t.Parallel()
	message := frame(fin|opText, strings.Repeat("x", 1000))
	for _, stream := range [][]byte{message[:1], message[:3], message[:100], message[:len(message)-1], frame(opText, "piece")} {
		c := open(t, serve(t, stream, make(chan []byte, 1)), Options{Deadline: time.Now().Add(time.Minute)})
		c.Conn.(*net.TCPConn).CloseWrite() // so that the server closes
		if front, size, err := c.Next(); err != io.EOF {
			t.Errorf("%.5x: %q of %d bytes, %v", stream, front, size, err)
		}
	}
}

// TestNextAllocatesNothing, also for a message in pieces.
func TestNextAllocatesNothing(t *testing.T) {
	const n = 1000
	both := append(frame(fin|opText, "whole"), append(frame(opText, "pie"), frame(fin|opContinuation, "ces")...)...)
	c := open(t, serve(t, bytes.Repeat(both, n), make(chan []byte, 1)), Options{})
	got := testing.AllocsPerRun(n-1, func() {
		for range 2 {
			if _, _, err := c.Next(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if got > 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestAppendMessage(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		payload := bytes.Repeat([]byte("m"), size)
		want := append(frame(fin|opBinary, string(payload)), "before"...)
		got := append(AppendMessage(nil, true, payload), "before"...)
		if got[1]&masked == 0 {
			t.Fatalf("%d bytes: not masked", size)
		}
		got[1] &^= masked
		key := len(got) - len("before") - size - 4
		if !bytes.Equal(got[key:key+4], make([]byte, 4)) {
			t.Fatalf("%d bytes: the key is %x", size, got[key:key+4])
		}
		if got = append(got[:key], got[key+4:]...); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %.20x, want %.20x", size, got, want)
		}
	}
}

// TestRefusal: what an HTTP server answers is the error, with all header lines of
// ours in the request.
func TestRefusal(t *testing.T) {
	t.Parallel()
	l := listen(t)
	asked := make(chan *http.Request, 1)
	go func() { // ends with the client
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r, _ := http.ReadRequest(bufio.NewReader(conn))
		asked <- r
		io.WriteString(conn, "HTTP/1.1 429 Too Many Requests\r\n\r\n")
	}()
	_, err := Open("ws://"+l.Addr().String()+"/path?query", Options{Header: "X-One: 1\r\nX-Two: 2\r\n"})
	if err == nil || !strings.Contains(err.Error(), "429 Too Many Requests") {
		t.Errorf("error %v", err)
	}
	if r := <-asked; r.RequestURI != "/path?query" || r.Header.Get("X-One") != "1" || r.Header.Get("X-Two") != "2" {
		t.Errorf("asked for %s with %v", r.RequestURI, r.Header)
	}
	for _, address := range []string{"http://" + l.Addr().String(), ":"} {
		if _, err := Open(address, Options{}); err == nil || !strings.Contains(err.Error(), "not a ws:// URL") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	c := open(t, serve(t, nil, make(chan []byte, 1)), Options{Deadline: time.Now().Add(2 * time.Second)})
	var timeout net.Error
	if _, _, err := c.Next(); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("error %v", err)
	}
}

// TestDelays: quantiles are exact to a thousandth, whatever the size.
func TestDelays(t *testing.T) {
	t.Parallel()
	var d Delays
	if d.Count() != 0 || d.Quantile(0.5) != 0 || d.Longest() != 0 {
		t.Error("the empty one is not empty")
	}
	for i := range 1000 {
		d.Add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0: time.Millisecond, 0.5: 501 * time.Millisecond, 0.99: 991 * time.Millisecond, 1: time.Second} {
		if got := d.Quantile(q); got < want*998/1000 || got > want*1002/1000 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	d.Add(0)
	d.Add(1000 * time.Hour)
	if d.Count() != 1002 || d.Longest() != 1000*time.Hour {
		t.Errorf("%d delays up to %v", d.Count(), d.Longest())
	}
}

func open(t *testing.T, address string, opt Options) *Conn {
	t.Helper()
	c, err := Open(address, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// frame is one frame of a server.
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

// frameOfClient is a short frame with a mask of zeros.
func frameOfClient(opcode byte, payload string) []byte {
	return append([]byte{fin | opcode, masked | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serve sends stream to one client, and what that sends, to answers.
func serve(t *testing.T, stream []byte, answers chan<- []byte) (url string) {
	t.Helper()
	l := listen(t)
	go func() { // ends with the client, or with l
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		http.ReadRequest(r)
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
		conn.Write(stream)
		got, _ := io.ReadAll(r)
		answers <- got
	}()
	return "ws://" + l.Addr().String() + "/"
}
