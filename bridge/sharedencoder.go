package bridge

import (
	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
)

// encoding is how messages are encoded for a client. Clients with the same encoding get the
// same bytes.
type encoding struct {
	deflate  bool // compressed
	channels bool // a channel for each stream
	quiet    bool // without terminal queries

	body    BodyFormat // of an HTTP response; noBody for a WebSocket
	chunked bool       // the body is sent in chunks
	client  *muxClient // whose messages are numbered separately, or nil
}

// isStream reports whether clients get the child's output as streams, not as messages.
func (f encoding) isStream() bool { return f.channels || f.quiet || f.body == RawBody }

// sharedEncoder is the messageWriter of all clients with one encoding. It collects a batch
// until take.
type sharedEncoder struct {
	messageEncoder
	encoding encoding
	pooled   []byte // chunkRoom and the batch; the buffer is reused

	messages, payload int // added by stream and terminal
}

// newSharedEncoder returns an encoder for the messages after the first number ones.
func newSharedEncoder(f encoding, number int64) *sharedEncoder {
	p := &sharedEncoder{encoding: f, pooled: make([]byte, chunkRoom)}
	if f.body == noBody {
		p.messageEncoder = &wire.Encoder{Deflate: f.deflate}
	} else {
		p.messageEncoder = &bodyEncoder{format: f.body, number: number}
	}
	return p
}

// countFrom sets the number of the previous message.
func (p *sharedEncoder) countFrom(number int64) {
	if e, ok := p.messageEncoder.(*bodyEncoder); ok {
		e.number = number
	}
}

// Message implements messageWriter.
func (p *sharedEncoder) Message(typ websocket.MessageType, payload []byte) error {
	p.pooled = p.AppendMessage(p.pooled, typ, payload)
	return nil
}

// Fragment implements messageWriter.
func (p *sharedEncoder) Fragment(typ websocket.MessageType, payload []byte, last bool) error {
	p.pooled = p.AppendFragment(p.pooled, typ, payload, last)
	return nil
}

// take returns the batch and begins another. messages and payload are its counts, unless
// stream or terminal have counted.
func (p *sharedEncoder) take(messages, payload int) *wire.Batch {
	taken := &wire.Batch{Frames: append([]byte(nil), sealChunk(p.pooled, p.encoding.chunked)...), Messages: messages, Payload: payload}
	if p.encoding.channels || p.messages > 0 {
		taken.Messages, taken.Payload = p.messages, p.payload
		p.messages, p.payload = 0, 0
	}
	if p.pooled = p.pooled[:chunkRoom]; cap(p.pooled) > 4*wire.BlockSize {
		p.pooled = make([]byte, chunkRoom)
	}
	return taken
}

// stream adds part of a stream, as messages on a channel or unchanged.
func (p *sharedEncoder) stream(number byte, content []byte, maxSize int) {
	if p.encoding.body == RawBody {
		if number == channel.Stdout {
			p.pooled = append(p.pooled, content...)
		}
		return
	}
	for len(content) > 0 {
		n := min(len(content), maxSize-channelRoom)
		p.Message(websocket.MessageBinary, append([]byte{number}, content[:n]...)) // does not fail
		p.messages++
		p.payload += n
		content = content[n:]
	}
}

// terminal adds part of a terminal's output.
func (p *sharedEncoder) terminal(content []byte) {
	if p.encoding.channels {
		p.stream(channel.Stdout, content, maxStreamMessage)
		return
	}
	for len(content) > 0 {
		n := min(len(content), framing.MaxWhole)
		p.Message(websocket.MessageBinary, content[:n]) // does not fail
		p.messages++
		p.payload += n
		content = content[n:]
	}
}
