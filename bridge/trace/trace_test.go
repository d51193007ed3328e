package trace

import (
	"bytes"
	"compress/flate"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// part is some bytes of one direction.
type part struct {
	from  Direction
	bytes string
}

const (
	request = "GET /chat HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	// response is that of RFC 6455 section 1.3.
	response = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	deflated = "HTTP/1.1 101 OK\r\nSec-WebSocket-Extensions: permessage-deflate"
)

var opened = []part{{FromClient, request}, {FromServer, response}}

// traced returns the lines of a trace without their times, with chunks of at most size bytes.
func traced(size int, parts ...part) (lines []string) {
	t := New(time.Now(), func(e Event) {
		if e.Frame != nil && e.Frame.RTT != "" {
			e.Frame.RTT = "RTT"
		}
		_, line, _ := strings.Cut(e.String(), " ")
		lines = append(lines, line)
	})
	for _, p := range parts {
		for b := []byte(p.bytes); len(b) > 0; {
			n := min(size, len(b))
			chunk := bytes.Clone(b[:n])
			t.Feed(p.from, chunk)
			clear(chunk) // Feed must not retain it
			b = b[n:]
		}
	}
	t.End()
	return lines
}

func TestTrace(t *testing.T) {
	parts := append(opened[:2:2],
		part{FromClient, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"}, // "Hello" of RFC 6455 section 5.7
		part{FromServer, "\x01\x03Hel" + "\x80\x02lo" + "\x82\x02\xff\x00" + "\x89\x01a" + "\x89\x01b"},
		part{FromClient, "\x8a\x81\x00\x00\x00\x00b"},
		part{FromServer, "\xb3\x00" + "\x82\x7e\x01\x00" + strings.Repeat("\x80", 256) + "\x88\x08\x03\xe8exit 0"},
		part{FromClient, "\x88\x80\x00\x00\x00\x00"},
	)
	want := []string{
		"> GET /chat HTTP/1.1",
		"> Host: h",
		"> Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"< HTTP/1.1 101 Switching Protocols",
		"< Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"= Sec-WebSocket-Accept: key dGhlIHNhbXBsZSBub25jZQ== + GUID 258EAFA5-E914-47DA-95CA-C5AB0DC85B11, SHA-1 b37a4f2cc0624f1690f64606cf385945b2bec4ea, base64 s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		`> text fin=1 rsv=000 mask=37fa213d len=5 header=818537fa213d payload="Hello"`,
		`< text fin=0 rsv=000 mask=- len=3 header=0103 payload="Hel"`,
		`< continuation fin=1 rsv=000 mask=- len=2 header=8002 payload="lo"`,
		`< binary fin=1 rsv=000 mask=- len=2 header=8202 payload=ff00`,
		`< ping fin=1 rsv=000 mask=- len=1 header=8901 payload="a"`,
		`< ping fin=1 rsv=000 mask=- len=1 header=8901 payload="b"`,
		`> pong fin=1 rsv=000 mask=00000000 len=1 header=8a8100000000 payload="b" rtt=RTT`,
		`< opcode-3 fin=1 rsv=011 mask=- len=0 header=b300 payload=""`,
		`< binary fin=1 rsv=000 mask=- len=256 header=827e0100 payload=` + strings.Repeat("80", maxShown) + "...",
		`< close fin=1 rsv=000 mask=- len=8 header=8808 payload=03e8657869742030 code=1000 reason="exit 0" begun=server`,
		`> close fin=1 rsv=000 mask=00000000 len=0 header=888000000000 payload="" begun=server`,
		"= the connection has ended",
	}
	for _, size := range []int{1, 3, 1 << 10} {
		if got := traced(size, parts...); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("in chunks of %d bytes:\n%s", size, strings.Join(got, "\n"))
		}
	}
}

// What is no WebSocket, or ends too early, is reported, too.
func TestBroken(t *testing.T) {
	for end, parts := range map[string][]part{
		"< SSH-2.0-x\n= this is not an HTTP response; the rest is not shown":                                    {{FromServer, "SSH-2.0-x\r\nmore\r\n"}},
		"< HTTP/1.1 403 No\n< A: b\n= status 403 opens no WebSocket; the rest is not shown":                     {{FromServer, "HTTP/1.1 403 No\r\nA: b\r\n\r\nbody"}},
		", but the server answered \"x\"\n= the connection has ended":                                           {opened[0], {FromServer, "HTTP/1.1 103 Hints\r\n\r\n" + strings.Replace(response, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "x", 1)}},
		"= the server stopped within a frame header: 827e01\n= the connection has ended":                        {opened[0], opened[1], {FromServer, "\x82\x7e\x01"}},
		"= the server stopped after 1 bytes of the payload: text len=3 header=8103\n= the connection has ended": {opened[0], opened[1], {FromServer, "\x81\x03a"}},
		"< HTT\n= this is not an HTTP response; the rest is not shown\n= the connection has ended":              {{FromServer, "HTT"}},
	} {
		if got := strings.Join(traced(7, parts...), "\n"); !strings.HasSuffix(got, end) {
			t.Errorf("got %q, want the end %q", got, end)
		}
	}
}

func TestRedaction(t *testing.T) {
	for line, want := range map[string]string{
		"Authorization: Bearer SECRET":                                               "Authorization: ***",
		"proxy-authorization :Basic SECRET":                                          "proxy-authorization : ***",
		"COOKIE: a=SECRET":                                                           "COOKIE: ***",
		"Set-Cookie: a=b\r\n SECRET":                                                 "Set-Cookie: ***\n***",
		"Referer: http://h/?access_token=SECRET&a=b#c":                               "Referer: http://h/?access_token=***&a=b#c",
		"Referer: http://h/?a=b;access%5ftoken=SECRET,SECRET":                        "Referer: http://h/?a=b;access%5ftoken=***",
		"Location: /?wspipe_session=SECRET":                                          "Location: /?wspipe_session=***",
		"Location: wss://me:SECRET@h/a@b":                                            "Location: wss://***@h/a@b",
		"Location: //SECRET@h?x":                                                     "Location: //***@h?x",
		"Sec-WebSocket-Protocol: a, base64url.bearer.authorization.k8s.io.SECRET, b": "Sec-WebSocket-Protocol: a, base64url.bearer.authorization.k8s.io.***, b",
		"Sec-WebSocket-Protocol: bearer, SECRET, b":                                  "Sec-WebSocket-Protocol: bearer, ***, b",
		"Sec-WebSocket-Protocol: a, Bearer.SECRET":                                   "Sec-WebSocket-Protocol: a, Bearer.***",
		"X: a\x1b[2J\x7f\u009b\u202e\xff\u2028é":                                     `X: a\x1b[2J\x7f\u009b\u202e\xff\u2028é`,
	} {
		got := traced(5, part{FromClient, "GET / HTTP/1.1\r\n" + line + "\r\n\r\n"})
		shown := strings.ReplaceAll(strings.Join(got[1:len(got)-1], "\n"), "> ", "")
		if strings.ReplaceAll(shown, "\n ", "\n") != want {
			t.Errorf("%q: got %q, want %q", line, shown, want)
		}
	}
	if got := traced(5, part{FromClient, "GET http://me:SECRET@h/?access_token=SECRET HTTP/1.1\r\n\r\n"}); got[0] != "> GET http://***@h/?access_token=*** HTTP/1.1" {
		t.Errorf("got %q", got[0])
	}
}

// compressed returns frames with messages, with context takeover.
func compressed(messages ...string) (frames string) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression) // a valid level
	for _, message := range messages {
		b.Reset()
		w.Write([]byte(message))
		w.Flush()
		payload := bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
		frames += fmt.Sprintf("\xc1\x7f%s%s", []byte{0, 0, 0, 0, byte(len(payload) >> 24), byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload))}, payload)
	}
	return frames
}

func TestDeflate(t *testing.T) {
	bomb := strings.Repeat("a", maxInflated+1)
	for name, test := range map[string]struct{ parameters, frames, want string }{
		"messages":     {"", compressed("hello hello", "hello hello"), `plain=11 .*payload="hello hello"\n.*plain=11 .*payload="hello hello"\n`},
		"long":         {"", compressed(strings.Repeat("é", 5000)), `plain=10000 .*payload="é{100}"\.\.\.\n`},
		"bomb":         {"; server_no_context_takeover", compressed(bomb), `plain=4194304\+ .*payload="a{200}"\.\.\.\n`},
		"after a bomb": {"", compressed(bomb, "hello"), `payload="a{200}"\.\.\.\n.*plain=\? .*payload=\w+\n`},
		"invalid":      {"", "\xc1\x01\xff", `plain=invalid .*payload=ff\n`},
		"not used":     {"", "\x81\x01a", `rsv=000 mask=- len=1 header=8101 payload="a"\n`},
		"fragments":    {"", "\x41\x03\xf2\x48\xcd" + "\x89\x00" + "\x80\x04\xc9\xc9\x07\x00", `fin=0 .*payload=f248cd\n.* ping .*\n.*fin=1.* plain=5 .*payload="Hello"\n`},
	} {
		got := strings.Join(traced(1000, opened[0], part{FromServer, deflated + test.parameters + "\r\n\r\n" + test.frames}), "\n")
		if !regexp.MustCompile(test.want).MatchString(got) {
			t.Errorf("%s: got %q, want %s", name, got, test.want)
		}
	}
}

// FuzzTrace checks that the chunks of the bytes change nothing, and that each line is short
// and printable.
func FuzzTrace(f *testing.F) {
	f.Add([]byte(response+"\x81\x05hello"), 3)
	f.Add([]byte(deflated+"\r\n\r\n"+compressed("hello", "\u202ehello")), 1)
	f.Add([]byte(response+"\x88\x7d"+strings.Repeat("\xff", 125)+"\x82\x7e\x01\x00"+strings.Repeat("\x80", 256)), 100)
	f.Add([]byte("HTTP/1.1 101 "+strings.Repeat("\x9b", 5000)+"\r\nCookie\r\n\t:\r\n \r\n\r\n"), 10)
	f.Fuzz(func(t *testing.T, answer []byte, size int) {
		parts := []part{opened[0], {FromServer, string(answer)}}
		whole := traced(len(answer)+len(request), parts...)
		if got := traced(max(size, 1), parts...); strings.Join(got, "\n") != strings.Join(whole, "\n") {
			t.Errorf("in chunks of %d: %q, at once %q", size, got, whole)
		}
		for _, line := range whole {
			if utf8.RuneCountInString(line) > 985 || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("got %q with %d characters", line, utf8.RuneCountInString(line))
			}
		}
	})
}
