package trace

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// handshake is what the lines of the opening handshake say.
type handshake struct {
	status      int
	key, accept string
	extensions  []string
}

// maxHeadLine is how much of a line of the handshake is kept, in bytes.
const maxHeadLine = 4 << 10

// parseLine takes bytes of the handshake up to the end of a line and returns the rest.
func (t *Tracer) parseLine(s *stream, p []byte) (rest []byte) {
	line, rest, ended := bytes.Cut(p, []byte("\n"))
	s.line = append(s.line, line[:min(len(line), maxHeadLine-len(s.line))]...)
	if ended {
		t.headLine(s)
	}
	return rest
}

// headLine handles a complete line of a request or a response.
func (t *Tracer) headLine(s *stream) {
	line := strings.TrimSuffix(string(s.line), "\r")
	s.line = s.line[:0]
	if line == "" {
		if s.lines > 0 { // otherwise an empty line before the first (RFC 9112 section 2.2)
			t.headEnded(s)
		}
		return
	}
	s.lines++
	shown, isField := line, s.lines > 1
	if isField {
		shown = s.redactField(line)
		t.handshake.field(s, line)
	} else {
		shown = redactURLs(line)
	}
	t.send(Event{Dir: s.direction.sign(), Text: clean(shown)})
	if s.direction == FromServer && !isField {
		if t.handshake.status = parseStatus(line); t.handshake.status == 0 {
			t.note("this is not an HTTP response; the rest is not shown")
			t.over = true
		}
	}
}

// parseStatus returns the status of a status line, or 0 if it is not one.
func parseStatus(line string) int {
	version, rest, _ := strings.Cut(line, " ")
	status, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	n, err := strconv.Atoi(status)
	if err != nil || !strings.HasPrefix(version, "HTTP/") || n < 100 || n > 999 {
		return 0
	}
	return n
}

// field notes a header field that the explanations need.
func (h *handshake) field(s *stream, line string) {
	_, value, _ := strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	switch {
	case s.direction == FromClient && s.lastName == "sec-websocket-key":
		h.key = value
	case s.direction == FromServer && s.lastName == "sec-websocket-accept":
		h.accept = value
	case s.direction == FromServer && s.lastName == "sec-websocket-extensions":
		h.extensions = append(h.extensions, value)
	}
}

// headEnded handles the empty line after a request or a response.
func (t *Tracer) headEnded(s *stream) {
	s.lines, s.lastName = 0, ""
	if s.direction == FromClient {
		s.frames = true
		return
	}
	switch h := &t.handshake; {
	case h.status == 101:
		s.frames = true
		t.note(h.explainAccept())
		t.negotiate()
	case h.status >= 200 || h.status < 100:
		t.note(fmt.Sprintf("status %d opens no WebSocket; the rest is not shown", h.status))
		t.over = true
	}
}

// acceptGUID is the constant of RFC 6455 section 4.2.2.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// explainAccept explains the value of Sec-WebSocket-Accept.
func (h *handshake) explainAccept() string {
	sum := sha1.Sum([]byte(h.key + acceptGUID))
	want := base64.StdEncoding.EncodeToString(sum[:])
	text := fmt.Sprintf("Sec-WebSocket-Accept: key %s + GUID %s, SHA-1 %s, base64 %s", clean(h.key), acceptGUID, hex.EncodeToString(sum[:]), want)
	if h.accept != want {
		text += ", but the server answered " + strconv.Quote(h.accept)
	}
	return text
}

// negotiate notes the extensions that both ends use from now on.
func (t *Tracer) negotiate() {
	for _, list := range t.handshake.extensions {
		for extension := range strings.SplitSeq(list, ",") {
			name, parameters, _ := strings.Cut(strings.ToLower(extension), ";")
			if strings.TrimSpace(name) != "permessage-deflate" {
				continue
			}
			for d := range t.streams {
				s := &t.streams[d]
				s.negotiated = true
				s.takeover = !strings.Contains(parameters, s.direction.name()+"_no_context_takeover")
			}
		}
	}
}
