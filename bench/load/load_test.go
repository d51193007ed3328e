package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestFaultsAreFound: what is missing, repeated or no line at all is counted,
// in frames of all sizes, between pings.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	sent := fmt.Sprint(time.Now().Add(-time.Second).UnixNano())
	var stream []byte
	for _, line := range []string{"0 " + sent, "1 " + sent + " " + long, "2 0 " + long[:300], "5", "5", "no number", "6"} {
		stream = append(stream, frame(fin|opText, line)...)
		stream = append(stream, frame(fin|opPing, "ping")...)
	}
	stream = append(append(stream, frame(opText, "7 0 ")...), frame(fin|opContinuation, "8 ")...)
	stream = append(stream, frame(fin|opClose, "\x03\xe8bye")...)
	res, err := read(t.Context(), options{url: serve(t, stream), readers: 3, limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	g := res.Readers
	if g.Clients != 3 || g.Messages != 3*8 || g.Missing != 3*2 || g.Wrong != 3*2 {
		t.Errorf("counted %+v", g)
	}
	if (g.First != span{0, 0} || g.Last != span{7, 7} || g.AtOnce != span{2, 2} || g.Ends["1000 bye"] != 3) {
		t.Errorf("seen %+v", g)
	}
	if d := res.Delay; d == nil || d.P50 < 990 || d.P99 < d.P50*0.99 || d.Max < d.P99*0.99 {
		t.Errorf("delays %+v", d)
	}
}

// TestOtherEnds: a connection that ends, or does not, without a close frame.
func TestOtherEnds(t *testing.T) {
	t.Parallel()
	for want, test := range map[string]struct {
		stream []byte
		limit  time.Duration
	}{
		"EOF":         {frame(fin|opText, "0 ")[:3], time.Minute},
		"opcode 0x3":  {frame(fin|3, ""), time.Minute},
		"time is up":  {nil, 100 * time.Millisecond},
		"1005":        {frame(fin|opClose, ""), time.Minute},
		"1013 slow b": {frame(fin|opClose, "\x03\xf5slow b"), time.Minute},
	} {
		res, err := read(t.Context(), options{url: serve(t, test.stream), readers: 1, limit: test.limit})
		if err != nil || res.Readers.Ends[want] != 1 {
			t.Errorf("want %q, got %v %v", want, res.Readers.Ends, err)
		}
	}
}

// TestEarlyEnd: who has no patience any more gets told what there is.
func TestEarlyEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	res, err := read(ctx, options{url: serve(t, nil), readers: 2, limit: time.Minute})
	if err != nil || res.Readers.Ends["time is up"] != 2 || res.Seconds > 30 {
		t.Errorf("got %+v, %v", res, err)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://127.0.0.1/", "ws://127.0.0.1:1/"} {
		if res, err := read(t.Context(), options{url: url, readers: 1, limit: time.Minute}); err == nil {
			t.Errorf("%s: no error, but %+v", url, res)
		}
	}
}

// TestPrint: all lines come, as wide as asked for, none before it is due or
// the go.
func TestPrint(t *testing.T) {
	t.Parallel()
	in, goOn := io.Pipe()
	var out bytes.Buffer
	began := time.Now()
	go io.WriteString(goOn, "go\n") // ends when it is read
	if err := (printer{lines: 21, width: 80, rate: 100, wait: true}).print(in, &out); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d < 200*time.Millisecond {
		t.Errorf("20 lines at 100 a second took %v", d)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i, line := range lines {
		number, sent, ok := parse([]byte(line))
		if !ok || number != int64(i) || sent < began.UnixNano() || len(line) != 80 {
			t.Errorf("line %d is %q", i, line)
		}
	}
	if len(lines) != 21 {
		t.Errorf("%d lines", len(lines))
	}
}

// The first byte of a server's frames (RFC 6455, section 5.2).
const (
	opContinuation, opText, opClose, opPing = 0, 1, 8, 9

	fin = 0x80
)

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

// serve sends stream to whoever comes, and closes when the client has answered
// or will not; without a stream it sends nothing.
func serve(t *testing.T, stream []byte) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with l
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveOne(conn, stream) // ends with the client
		}
	}()
	return "ws://" + l.Addr().String() + "/"
}

func serveOne(conn net.Conn, stream []byte) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = r.ReadString('\n'); err != nil {
			return
		}
	}
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
	conn.Write(stream)
	if stream != nil {
		conn.(*net.TCPConn).CloseWrite()
	}
	io.Copy(io.Discard, r)
}
