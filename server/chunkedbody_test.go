package server

import (
	"bufio"
	"bytes"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"
)

// TestChunkedBody: a body is what its chunks hold, however it arrives.
func TestChunkedBody(t *testing.T) {
	t.Parallel()
	var body, want bytes.Buffer
	w := httputil.NewChunkedWriter(&body)
	for size := range 30 {
		content := strings.Repeat("x", size*size)
		want.WriteString(content)
		io.WriteString(w, content)
	}
	w.Close()
	for _, from := range []io.Reader{bytes.NewReader(body.Bytes()), iotest.OneByteReader(bytes.NewReader(body.Bytes())), iotest.HalfReader(bytes.NewReader(body.Bytes()))} {
		if got, err := io.ReadAll(&chunkedBody{r: bufio.NewReaderSize(from, readBuffer)}); err != nil || string(got) != want.String() {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	for body, want := range map[string]string{
		"3;a=b\r\nabc\r\n0\r\n\r\n": "abc", "03 \r\nabc\r\n00\r\nTrailer: x\r\n\r\n": "abc", "A\r\n0123456789\r\n0\r\n": "0123456789",
	} {
		if got, err := io.ReadAll(&chunkedBody{r: bufio.NewReader(strings.NewReader(body))}); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", body, got, err)
		}
	}
	for _, body := range []string{"\r\n", "-1\r\n", "zz\r\n", "0x1\r\na\r\n", "3\r\nabcd\r\n", "8000000000000000\r\n", strings.Repeat("0", readBuffer)} {
		if got, err := io.ReadAll(&chunkedBody{r: bufio.NewReaderSize(strings.NewReader(body), readBuffer)}); err != errBadChunk {
			t.Errorf("%q: %q, %v", body, got, err)
		}
	}
	for _, body := range []string{"", "3", "3\r\nab", "3\r\nabc\r"} {
		if got, err := io.ReadAll(&chunkedBody{r: bufio.NewReader(io.MultiReader(strings.NewReader(body), iotest.ErrReader(io.ErrClosedPipe)))}); err != io.ErrClosedPipe {
			t.Errorf("%q: %q, %v", body, got, err)
		}
	}
}
