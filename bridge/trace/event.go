package trace

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Event is one line of a trace.
type Event struct {
	// Seconds is the time since the start of the trace.
	Seconds float64 `json:"t"`
	// Dir is ">" for what the client sent, "<" for what the server sent, and "=" for an
	// explanation.
	Dir string `json:"dir"`
	// Text is a line of the opening handshake or an explanation. It is empty for a frame.
	Text string `json:"text,omitempty"`
	// Frame is a frame, or nil.
	Frame *Frame `json:"frame,omitempty"`
}

// Frame is a frame of RFC 6455 section 5.2.
type Frame struct {
	// Type is continuation, text, binary, close, ping, pong or opcode-N.
	Type string `json:"type"`
	Fin  bool   `json:"fin"`
	// RSV has the three reserved bits, as 0 and 1.
	RSV string `json:"rsv"`
	// Mask is the masking key in hex, or "-".
	Mask string `json:"mask"`
	// Len is the length of the payload in bytes.
	Len uint64 `json:"len"`
	// Plain is the length of the inflated message, on the last frame of a compressed
	// message: a number, a number with "+" if there is more, "?" or "invalid".
	Plain string `json:"plain,omitempty"`
	// Header is the whole header in hex.
	Header string `json:"header"`
	// Payload is the beginning of the payload, unmasked and inflated, quoted or in hex.
	Payload string `json:"payload"`
	// RTT is the time since the ping, of a pong.
	RTT string `json:"rtt,omitempty"`
	// Code and Reason are those of a close frame. Reason is quoted.
	Code   int    `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Begun is who sent the first close frame, client or server.
	Begun string `json:"begun,omitempty"`
}

// maxText bounds Event.Text in characters, so that a line has less than 1000.
const maxText = 960

// String returns the line, without a newline.
func (e Event) String() string {
	text := e.Text
	if e.Frame != nil {
		text = e.Frame.String()
	}
	return fmt.Sprintf("%.6f %s %s", e.Seconds, e.Dir, text)
}

// shorten returns text, cut after maxText characters.
func shorten(text string) string {
	const end = "..."
	if utf8.RuneCountInString(text) > maxText {
		text = string([]rune(text)[:maxText-len(end)]) + end
	}
	return text
}

// String returns the fields of the line.
func (f *Frame) String() string {
	var b strings.Builder
	fin := 0
	if f.Fin {
		fin = 1
	}
	fmt.Fprintf(&b, "%s fin=%d rsv=%s mask=%s len=%d", f.Type, fin, f.RSV, f.Mask, f.Len)
	if f.Plain != "" {
		b.WriteString(" plain=" + f.Plain)
	}
	b.WriteString(" header=" + f.Header + " payload=" + f.Payload)
	if f.RTT != "" {
		b.WriteString(" rtt=" + f.RTT)
	}
	if f.Code != 0 {
		fmt.Fprintf(&b, " code=%d reason=%s", f.Code, f.Reason)
	}
	if f.Begun != "" {
		b.WriteString(" begun=" + f.Begun)
	}
	return b.String()
}
