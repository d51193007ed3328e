package bridge

import (
	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
)

// encoding is one way in which viewers get the same messages.
type encoding struct {
	deflate  bool // compressed
	channels bool // with streams apart
	quiet    bool // without terminal queries

	body    BodyFormat // of an HTTP response
	chunked bool       // the body is sent in chunks
	client  *muxClient // whose messages have numbers of their own, or nil
}

// isStream reports whether clients get what the child writes, and not its messages.
func (f encoding) isStream() bool { return f.channels || f.quiet || f.body == RawBody }

// sharedEncoder is the sink of all clients of one form: it gathers the frames of messages
// until they are taken.
type sharedEncoder struct {
	messageEncoder
	encoding encoding
	pooled   []byte // chunkRoom, and what was gathered, in room that is used again

	messages, payload int // that stream and terminal have put into frames
}

// newSharedEncoder returns an encoder for what follows the first number messages.
func newSharedEncoder(f encoding, number int64) *sharedEncoder {
	p := &sharedEncoder{encoding: f, pooled: make([]byte, chunkRoom)}
	if f.body == noBody {
		p.messageEncoder = &wire.Encoder{Deflate: f.deflate}
	} else {
		p.messageEncoder = &bodyEncoder{format: f.body, number: number}
	}
	return p
}

// countFrom makes number that of the last message.
func (p *sharedEncoder) countFrom(number int64) {
	if e, ok := p.messageEncoder.(*bodyEncoder); ok {
		e.number = number
	}
}

// Message implements sink.
func (p *sharedEncoder) Message(typ websocket.MessageType, payload []byte) error {
	p.pooled = p.AppendMessage(p.pooled, typ, payload)
	return nil
}

// Fragment implements sink.
func (p *sharedEncoder) Fragment(typ websocket.MessageType, payload []byte, last bool) error {
	p.pooled = p.AppendFragment(p.pooled, typ, payload, last)
	return nil
}

// take returns what was gathered, and empties the press. messages and payload count
// that, unless stream or terminal did.
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

// stream adds bytes of a stream, as messages on a channel, or as they are.
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

// terminal adds bytes of a terminal's output.
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
