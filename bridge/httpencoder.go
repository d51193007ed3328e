package bridge

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"wspipe/bridge/framing"

	"github.com/coder/websocket"
)

// BodyFormat is the encoding of messages in the body of an HTTP response.
type BodyFormat int

const (
	noBody BodyFormat = iota // a WebSocket
	// TextBody adds a newline to each text message, and leaves binary messages unchanged.
	TextBody
	// RawBody is the child's output, unchanged.
	RawBody
	// EventBody is an event stream (WHATWG HTML, section 9.2.6).
	EventBody
)

// messageEncoder encodes messages for one client or many.
type messageEncoder interface {
	// AppendMessage appends a message, AppendFragment a fragment of a longer one.
	AppendMessage(dst []byte, typ websocket.MessageType, payload []byte) []byte
	AppendFragment(dst []byte, typ websocket.MessageType, payload []byte, last bool) []byte
	// countFrom sets the number of the previous message.
	countFrom(number int64)
}

// bodyEncoder encodes messages as the body of a response. It is not safe for concurrent use.
type bodyEncoder struct {
	format BodyFormat
	number int64 // of the last message, which is the id of its event

	begun   bool   // a fragment was encoded, but not yet the final one
	afterCR bool   // the text so far ends with CR; a LF belongs to it
	rest    []byte // end of a binary fragment that is no complete group of base64
}

// countFrom implements messageEncoder.
func (e *bodyEncoder) countFrom(number int64) { e.number = number }

// AppendMessage implements messageEncoder.
func (e *bodyEncoder) AppendMessage(dst []byte, typ websocket.MessageType, payload []byte) []byte {
	return e.AppendFragment(dst, typ, payload, true)
}

// AppendFragment implements messageEncoder.
func (e *bodyEncoder) AppendFragment(dst []byte, typ websocket.MessageType, payload []byte, last bool) []byte {
	isBinary := typ == websocket.MessageBinary
	if e.format != EventBody {
		dst = append(dst, payload...)
		if last && !isBinary {
			dst = append(dst, '\n')
		}
		e.begun = !last
		return dst
	}
	if !e.begun {
		dst = e.appendHead(dst, isBinary)
	}
	e.begun = !last
	if isBinary {
		dst = e.appendBase64(dst, payload, last)
	} else {
		dst = e.appendLines(dst, payload)
	}
	if last {
		dst = append(dst, "\n\n"...)
	}
	return dst
}

// appendHead appends the beginning of an event.
func (e *bodyEncoder) appendHead(dst []byte, isBinary bool) []byte {
	e.number++
	e.afterCR = false
	dst = append(strconv.AppendInt(append(dst, "id: "...), e.number, 10), '\n')
	if isBinary {
		dst = append(dst, "event: binary\n"...)
	}
	return append(dst, "data: "...)
}

// appendLines appends text to the data of an event: one field for each line.
func (e *bodyEncoder) appendLines(dst, text []byte) []byte {
	for len(text) > 0 {
		if e.afterCR && text[0] == '\n' {
			text = text[1:]
		}
		e.afterCR = false
		i := bytes.IndexAny(text, "\r\n")
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(append(dst, text[:i]...), "\ndata: "...)
		e.afterCR = text[i] == '\r'
		text = text[i+1:]
	}
	return dst
}

// appendBase64 appends payload to the data of an event.
func (e *bodyEncoder) appendBase64(dst, payload []byte, last bool) []byte {
	const group = 3
	if len(e.rest) > 0 {
		n := min(group-len(e.rest), len(payload))
		e.rest = append(e.rest, payload[:n]...)
		payload = payload[n:]
		if len(e.rest) == group {
			dst = base64.StdEncoding.AppendEncode(dst, e.rest)
			e.rest = e.rest[:0]
		}
	}
	if len(e.rest) == 0 {
		whole := len(payload) - len(payload)%group
		dst = base64.StdEncoding.AppendEncode(dst, payload[:whole])
		e.rest = append(e.rest, payload[whole:]...)
	}
	if last {
		dst = base64.StdEncoding.AppendEncode(dst, e.rest)
		e.rest = e.rest[:0]
	}
	return dst
}

// appendCloseEvent appends the last event of a stream.
func appendCloseEvent(dst []byte, e End) []byte {
	dst = append(strconv.AppendInt(append(dst, "event: close\ndata: {\"code\":"...), int64(e.Code), 10), `,"reason":`...)
	return append(framing.AppendJSON(append(dst, '"'), []byte(e.Reason)), "\"}\n\n"...)
}

// noEventID is the id of the last event if it is the only one: without an id, EventSource
// would make the same request again, which runs the command again.
const noEventID = "id: 0\n"

// keepaliveComment is a comment in an event stream.
const keepaliveComment = ": keep-alive\n\n"

// chunkRoom is the room for a chunk's size before its data, in bytes.
const chunkRoom = 10

// sealChunk makes a chunk of b (RFC 9112, section 7.1) and returns it. The first chunkRoom
// bytes of b are free. If chunked is false, it returns the data alone.
func sealChunk(b []byte, chunked bool) []byte {
	size := len(b) - chunkRoom
	if !chunked || size == 0 {
		return b[chunkRoom:]
	}
	var header [chunkRoom]byte
	h := append(strconv.AppendInt(header[:0], int64(size), 16), "\r\n"...)
	from := chunkRoom - len(h)
	copy(b[from:], h)
	return append(b, "\r\n"...)[from:]
}

// appendChunk appends data, as a chunk if chunked is true.
func appendChunk(dst []byte, data string, chunked bool) []byte {
	return append(dst, sealChunk(append(make([]byte, chunkRoom, chunkRoom+len(data)+2), data...), chunked)...)
}
